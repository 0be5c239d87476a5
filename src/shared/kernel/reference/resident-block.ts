/**
 * Resident blocks and indexes in plain TypeScript: the bytes that layout.ts draws, and what a
 * search in them must find. The oracle of the converting and the searching kernels. Any thread;
 * tests only.
 */
import {
  INDEX_HEADS,
  INDEX_RECORD_BYTES,
  RESIDENT_COUNT,
  RESIDENT_SLOT_BYTES,
  RESIDENT_SLOTS,
} from '../layout.js'
import type { IndexedBlock } from './block-writer.js'
import { compareBytes } from './memtable.js'
import { pushBytes, pushFixed, pushVarint, sharedPrefix, type Version } from './version.js'

/** The first `width` bytes of a key as an integer, zero-padded: such integers order as keys do. */
function headOf(key: Uint8Array, width: number): bigint {
  let head = 0n
  for (let i = 0; i < width; i++) head = (head << 8n) | BigInt(key[i] ?? 0)
  return head
}

/** The resident form of sorted entries. */
export function encodeResidentBlock(entries: readonly Version[]): Uint8Array {
  const prefix = sharedPrefix(entries[0]!.key, entries[entries.length - 1]!.key)
  const slots: number[] = []
  const rest: number[] = []
  const start = RESIDENT_SLOTS + entries.length * RESIDENT_SLOT_BYTES
  for (const { key, seqno, kind, value } of entries) {
    pushFixed(slots, Number(headOf(key.subarray(prefix), 4)), 4)
    pushFixed(slots, start + rest.length, 4)
    rest.push(kind)
    pushVarint(rest, seqno)
    pushVarint(rest, key.length)
    pushVarint(rest, value.length)
    pushBytes(rest, key)
    pushBytes(rest, value)
  }
  return withHeader(entries.length, prefix, slots, rest)
}

/** The resident form of sorted index entries. */
export function encodeResidentIndex(blocks: readonly IndexedBlock[]): Uint8Array {
  const prefix = sharedPrefix(blocks[0]!.endKey, blocks[blocks.length - 1]!.endKey)
  const fixed: number[] = []
  const keys: number[] = []
  for (const { endKey } of blocks) {
    const head = headOf(endKey.subarray(prefix), 8)
    pushFixed(fixed, Number(head & 0xffff_ffffn), 4)
    pushFixed(fixed, Number(head >> 32n), 4)
  }
  const start = INDEX_HEADS + blocks.length * (8 + INDEX_RECORD_BYTES)
  for (const { endKey, seqno, offset, size } of blocks) {
    pushFixed(fixed, offset, 8)
    pushFixed(fixed, seqno, 8)
    pushFixed(fixed, start + keys.length, 4)
    pushFixed(fixed, endKey.length, 4)
    pushFixed(fixed, size, 4)
    pushFixed(fixed, 0, 4)
    pushBytes(keys, endKey)
  }
  return withHeader(blocks.length, prefix, fixed, keys)
}

function withHeader(count: number, prefix: number, fixed: number[], rest: number[]): Uint8Array {
  const header: number[] = []
  pushFixed(header, count, 4)
  pushFixed(header, prefix, 4)
  pushFixed(header, RESIDENT_SLOTS + fixed.length + rest.length, 4)
  pushFixed(header, 0, 4)
  const out = new Uint8Array(header.length + fixed.length + rest.length)
  out.set(header)
  out.set(fixed, header.length)
  out.set(rest, header.length + fixed.length)
  return out
}

/**
 * The number of the first entry above `key`, or of `key` with a seqno below `seqno`; without a
 * seqno the first at or above `key`. The count where there is none.
 */
export function searchEntries(
  entries: readonly { readonly key: Uint8Array; readonly seqno: number }[],
  key: Uint8Array,
  seqno = Number.POSITIVE_INFINITY,
): number {
  const found = entries.findIndex((entry) => {
    const order = compareBytes(entry.key, key)
    return order > 0 || (order === 0 && entry.seqno < seqno)
  })
  return found < 0 ? entries.length : found
}

/** As {@link searchEntries}, over end keys: the seek rule of format-table.md 11.2. */
export function searchIndex(
  blocks: readonly IndexedBlock[],
  key: Uint8Array,
  seqno?: number,
): number {
  const ends = blocks.map((block) => ({ key: block.endKey, seqno: block.seqno }))
  return searchEntries(ends, key, seqno)
}

/** The entries of a resident block, which may lie in a larger piece of memory. */
export function decodeResidentBlock(block: Uint8Array): Version[] {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const count = view.getUint32(RESIDENT_COUNT, true)
  return Array.from({ length: count }, (_, i) => {
    let at = view.getUint32(RESIDENT_SLOTS + i * RESIDENT_SLOT_BYTES + 4, true)
    const kind = block[at++] as number
    const varint = (): number => {
      let value = 0
      for (let scale = 1; ; scale *= 128) {
        const byte = block[at++] as number
        value += (byte & 127) * scale
        if (byte < 128) return value
      }
    }
    const [seqno, keyLength, valueLength] = [varint(), varint(), varint()]
    const value = at + keyLength
    return {
      key: block.slice(at, value),
      seqno,
      kind,
      value: block.slice(value, value + valueLength),
    }
  })
}
