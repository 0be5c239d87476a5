/**
 * The `zone_map` block of a table (format-table.md 15.2): how many entries each data block holds, and between which keys.
 *
 *   block count u32 | block x count
 *   block: offset u64 | column count u16 | column x column count
 *   column: id u32 | type u8 | codec u8 | null count u32 | row count u32 | min length u32, min | max length u32, max
 *
 * A block of rows has one column, the key: id 0, type 0, codec 0, no nulls. Other columns are passed over. Offsets ascend.
 * Pure; any thread.
 *
 * I1: bounds contain every key of their block.
 */
import type { CompareKeys } from '../base/key-order.js'
import { ByteReader, formatError } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'

/** One data block. */
export interface BlockZone {
  readonly offset: number
  readonly rowCount: number
  /** The first and the last key. */
  readonly min: Uint8Array
  readonly max: Uint8Array
}

const KEY_COLUMN = 0

/** Bytes of a block with one column and no keys. */
const ZONE_FIXED_BYTES = 32

/** Bytes that a block's zone takes. */
export function zoneBytes({ min, max }: BlockZone): number {
  return ZONE_FIXED_BYTES + min.length + max.length
}

export function encodeZoneMap(zones: readonly BlockZone[]): Uint8Array {
  const length = zones.reduce((sum, zone) => sum + zoneBytes(zone), 4)
  const writer = new ByteWriter(length).u32(zones.length)
  for (const { offset, rowCount, min, max } of zones) {
    writer.u64(offset).u16(1).u32(KEY_COLUMN).u8(0).u8(0).u32(0).u32(rowCount)
    writer.u32(min.length).bytes(min).u32(max.length).bytes(max)
  }
  return writer.finish()
}

/** Where a zone map lies, and what it must fit. */
export interface ZoneMapPlace {
  readonly file: string
  readonly offset: number
  /** Length of the data section: blocks lie inside it. */
  readonly dataBytes: number
  readonly itemCount: number
  readonly compare: CompareKeys
}

/**
 * The zones of the data blocks, in order; keys are views of `payload`.
 * @throws VARVE_INVALID_BLOCK, VARVE_UNSUPPORTED
 */
export function decodeZoneMap(payload: Uint8Array, place: ZoneMapPlace): BlockZone[] {
  const { file, offset: sectionOffset, dataBytes, itemCount, compare } = place
  const reader = new ByteReader(
    payload,
    'zone map',
    { file, offset: sectionOffset },
    'VARVE_INVALID_BLOCK',
  )
  const count = reader.u32('block count')
  const zones: BlockZone[] = []
  let rows = 0
  // No room is taken for what the count promises: each block has to be there.
  for (let i = 0; i < count; i++) {
    const offset = reader.u64('block offset')
    const previous = zones.at(-1)
    if (offset >= dataBytes || (previous !== undefined && offset <= previous.offset)) {
      throw reader.failure(`${offset} is no offset of a block behind ${previous?.offset ?? 'none'}`)
    }
    const zone = readColumns(reader, offset)
    if (zone === undefined) throw reader.failure(`the block at ${offset} has no bounds of keys`)
    const isAscending =
      compare(zone.min, zone.max) <= 0 &&
      (previous === undefined || compare(previous.max, zone.min) <= 0)
    if (!isAscending) throw reader.failure(`the keys of the block at ${offset} do not ascend`)
    rows += zone.rowCount
    zones.push(zone)
  }
  reader.end()
  if (rows !== itemCount) {
    const origin = { file, offset: sectionOffset }
    throw formatError(
      'VARVE_INVALID_BLOCK',
      origin,
      `the zone map counts ${rows} entries, the table ${itemCount}`,
      {
        expected: itemCount,
        found: rows,
      },
    )
  }
  return zones
}

/** The key column of a block; undefined where it has none. */
function readColumns(reader: ByteReader, offset: number): BlockZone | undefined {
  const columnCount = reader.u16('column count')
  let zone: BlockZone | undefined
  for (let i = 0; i < columnCount; i++) {
    const id = reader.u32('column id')
    reader.skip(6, 'type, codec, nulls')
    const rowCount = reader.u32('row count')
    const min = reader.bytes(reader.u32('min length'), 'min')
    const max = reader.bytes(reader.u32('max length'), 'max')
    if (id !== KEY_COLUMN || zone !== undefined) continue
    if (rowCount === 0 || min.length === 0) return undefined
    zone = { offset, rowCount, min, max }
  }
  return zone
}
