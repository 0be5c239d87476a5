/**
 * One version of a key as the plain twins of the block kernels handle it, and its order. Any
 * thread; tests and benches only.
 */
import { compareBytes } from './memtable.js'

export interface Version {
  readonly key: Uint8Array
  readonly seqno: number
  /** A KIND_ constant. */
  readonly kind: number
  /** Empty for tombstones of both kinds. */
  readonly value: Uint8Array
}

/** Internal key order: user key ascending, seqno descending. */
export function compareVersions(a: Version, b: Version): number {
  return compareBytes(a.key, b.key) || b.seqno - a.seqno
}

/** How many leading bytes two keys share. */
export function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  let shared = 0
  while (shared < a.length && shared < b.length && a[shared] === b[shared]) shared++
  return shared
}

/** Appends a varint. */
export function pushVarint(out: number[], value: number): void {
  let rest = value
  while (rest >= 128) {
    out.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  out.push(rest)
}

/** Appends bytes; a spread would overflow the stack with long ones. */
export function pushBytes(out: number[], bytes: Uint8Array): void {
  for (const byte of bytes) out.push(byte)
}

/** Appends `width` little-endian bytes. */
export function pushFixed(out: number[], value: number, width: number): void {
  for (let i = 0; i < width; i++) out.push(Math.floor(value / 256 ** i) % 256)
}
