/**
 * How kernels compare keys. The module is built twice from the same sources: once for the order of bytes, with
 * CUSTOM_ORDER 0, and once, with CUSTOM_ORDER 1, for orders that the instance is given when it is made. The constant
 * comes from the build (`scripts/build.mjs`); whatever hangs on it is decided when the module is compiled.
 *
 * I1: with a custom order heads are 0 and no prefix is left out, so that every structure falls back on whole keys.
 * I2: a custom order may contradict itself. Loops that only a sound order would end are bounded, and say so by
 *     `order_is_broken`; what was written stays well-formed, though out of order.
 * I3: equal keys have equal bytes, so equality never asks the order.
 */
import { common_prefix, compare_bytes, head32, head64 } from './bytes'

// @ts-ignore: decorator
@external("order", "compare")
declare function custom_compare(a: usize, aLength: i32, b: usize, bLength: i32): i32

// @ts-ignore: decorator
@external("order", "broken")
declare function custom_broken(): void

// @ts-ignore: decorator
/** Orders two keys: negative, zero or positive. */
@inline
export function compare_keys(a: usize, aLength: i32, b: usize, bLength: i32): i32 {
  if (CUSTOM_ORDER) return custom_compare(a, aLength, b, bLength)
  return compare_bytes(a, aLength, b, bLength)
}

// @ts-ignore: decorator
/** Tells whoever called the kernel that the order contradicts itself. The kernel ends as soon as it can. */
@inline
export function order_is_broken(): void {
  if (CUSTOM_ORDER) custom_broken()
}

// @ts-ignore: decorator
/** How many leading bytes of two keys need not be compared among the keys between them. */
@inline
export function order_prefix(a: usize, aLength: i32, b: usize, bLength: i32): i32 {
  if (CUSTOM_ORDER) return 0
  return common_prefix(a, aLength, b, bLength)
}

// @ts-ignore: decorator
/** A number of 4 bytes that orders as keys do: equal ones are settled by whole keys. */
@inline
export function order_head32(key: usize, length: i32): u32 {
  if (CUSTOM_ORDER) return 0
  return head32(key, length)
}

// @ts-ignore: decorator
/** The same of 8 bytes. */
@inline
export function order_head64(key: usize, length: i32): u64 {
  if (CUSTOM_ORDER) return 0
  return head64(key, length)
}

/** The reverse of the order of bytes, for instances with that order. */
export function compare_reverse(a: usize, aLength: i32, b: usize, bLength: i32): i32 {
  return compare_bytes(b, bLength, a, aLength)
}
