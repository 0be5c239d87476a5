/**
 * Offsets of raw blocks (assembly/raw-block.ts): part of the layout, read by both compilers, so it imports nothing and
 * holds nothing but numeric constants.
 */

// A data block that was read once ("raw"): its body as it came from disk, checked but for its entries (raw-block.ts).
//
//   +0  length u32 | +4 where the entries end u32 | +8 the body
export const RAW_LENGTH = 0
export const RAW_ENTRIES_END = 4
export const RAW_BODY = 8

// What a search of a raw block found.
export const RAW_FOUND_SEQNO = 0
export const RAW_FOUND_KIND = 8
export const RAW_FOUND_VALUE = 12
export const RAW_FOUND_VALUE_LENGTH = 16
export const RAW_FOUND_BYTES = 24
