/**
 * The meta block of a table (format-table.md 12): 36 named properties in a restart block of interval 1, every entry a
 * Value with seqno 0, keys in byte order.
 *
 * Pure; any thread. The block frame is put around the body elsewhere.
 *
 * I1: a field that the crate's reader demands is demanded here, with its exact width.
 */
import { VarveError } from '../base/errors.js'
import { type CompressionDescriptor, decodeCompression, encodeCompression } from './compression.js'

/** `table_version` of every V5 table. */
const TABLE_VERSION = 3

/** A table's properties. Seqnos are local: the manifest's global seqno is not added. */
export interface TableMeta {
  readonly tableId: number
  readonly createdAtNs: bigint
  readonly writerVersion: string
  readonly initialLevel: number
  readonly dataBlockCount: number
  readonly indexBlockCount: number
  readonly filterBlockCount: number
  readonly dataCompression: CompressionDescriptor
  readonly indexCompression: CompressionDescriptor
  readonly restartInterval: number
  readonly indexRestartInterval: number
  readonly hashRatio: number
  readonly isColumnar: boolean
  /** 0 for no per-entry digests, else 1 + their algorithm. */
  readonly kvChecksum: number
  /** The four bytes of `descriptor#page_ecc`. */
  readonly pageEcc: Uint8Array
  /** Length of the data section. */
  readonly dataBytes: number
  readonly itemCount: number
  readonly keyCount: number
  readonly tombstoneCount: number
  readonly weakTombstoneCount: number
  readonly weakTombstoneReclaimable: number
  readonly rangeTombstoneCount: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly userDataBytes: number
  readonly keyMin: Uint8Array
  readonly keyMax: Uint8Array
  readonly seqnoMin: number
  readonly seqnoMax: number
  /** Highest seqno of an entry, range tombstones left out. */
  readonly seqnoKvMax: number
}

function u64(value: number | bigint): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt(value), true)
  return out
}

function u128(value: bigint): Uint8Array {
  const out = new Uint8Array(16)
  const view = new DataView(out.buffer)
  view.setBigUint64(0, BigInt.asUintN(64, value), true)
  view.setBigUint64(8, value >> 64n, true)
  return out
}

function f32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setFloat32(0, value, true)
  return out
}

/** The 36 properties in file order. */
function properties(meta: TableMeta): [string, Uint8Array][] {
  return [
    ['block_count#data', u64(meta.dataBlockCount)],
    ['block_count#filter', u64(meta.filterBlockCount)],
    ['block_count#index', u64(meta.indexBlockCount)],
    ['checksum_type', Uint8Array.of(0)],
    ['compression#data', encodeCompression(meta.dataCompression)],
    ['compression#index', encodeCompression(meta.indexCompression)],
    ['crate_version', Buffer.from(meta.writerVersion, 'utf8')],
    ['created_at', u128(meta.createdAtNs)],
    ['data_block_hash_ratio', f32(meta.hashRatio)],
    ['descriptor#columnar', Uint8Array.of(meta.isColumnar ? 1 : 0)],
    ['descriptor#kv_checksum', Uint8Array.of(meta.kvChecksum)],
    ['descriptor#page_ecc', meta.pageEcc],
    ['file_size', u64(meta.dataBytes)],
    ['filter_hash_type', Uint8Array.of(0)],
    ['index_keys_have_seqno', Uint8Array.of(1)],
    ['initial_level', Uint8Array.of(meta.initialLevel)],
    ['item_count', u64(meta.itemCount)],
    ['key#max', meta.keyMax],
    ['key#min', meta.keyMin],
    ['key_bytes#sum', u64(meta.keyBytes)],
    ['key_count', u64(meta.keyCount)],
    ['prefix_truncation#data', Uint8Array.of(1)],
    ['prefix_truncation#index', Uint8Array.of(1)],
    ['range_tombstone_count', u64(meta.rangeTombstoneCount)],
    ['restart_interval#data', Uint8Array.of(meta.restartInterval)],
    ['restart_interval#index', Uint8Array.of(meta.indexRestartInterval)],
    ['seqno#kv_max', u64(meta.seqnoKvMax)],
    ['seqno#max', u64(meta.seqnoMax)],
    ['seqno#min', u64(meta.seqnoMin)],
    ['table_id', u64(meta.tableId)],
    ['table_version', Uint8Array.of(TABLE_VERSION)],
    ['tombstone_count', u64(meta.tombstoneCount)],
    ['user_data_size', u64(meta.userDataBytes)],
    ['value_bytes#sum', u64(meta.valueBytes)],
    ['weak_tombstone_count', u64(meta.weakTombstoneCount)],
    ['weak_tombstone_reclaimable', u64(meta.weakTombstoneReclaimable)],
  ]
}

/** A varint of at most 5 bytes. */
function pushVarint(out: number[], value: number): void {
  let rest = value
  while (rest >= 128) {
    out.push((rest & 127) | 128)
    rest >>>= 7
  }
  out.push(rest)
}

/** Encodes the body of a restart block of interval 1 from sorted names and values, each a Value with seqno 0. */
export function encodePropertyBlock(
  entries: readonly (readonly [string, Uint8Array])[],
): Uint8Array {
  const out: number[] = []
  const offsets: number[] = []
  for (const [name, value] of entries) {
    const key = Buffer.from(name, 'utf8')
    offsets.push(out.length)
    out.push(0, 0)
    pushVarint(out, key.length)
    for (const byte of key) out.push(byte)
    pushVarint(out, value.length)
    for (const byte of value) out.push(byte)
  }
  out.push(0xff)
  const indexOffset = out.length
  const width = (offsets[offsets.length - 1] ?? 0) > 65535 ? 4 : 2
  const body = new Uint8Array(indexOffset + offsets.length * width + 31)
  const view = new DataView(body.buffer)
  body.set(out)
  offsets.forEach((offset, index) => {
    if (width === 2) view.setUint16(indexOffset + index * 2, offset, true)
    else view.setUint32(indexOffset + index * 4, offset, true)
  })
  const trailer = body.length - 31
  body[trailer] = 1
  body[trailer + 1] = width
  view.setUint32(trailer + 2, offsets.length, true)
  view.setUint32(trailer + 6, indexOffset, true)
  body[trailer + 18] = 1
  view.setUint32(trailer + 27, offsets.length, true)
  return body
}

export function encodeTableMeta(meta: TableMeta): Uint8Array {
  return encodePropertyBlock(properties(meta))
}

/** The high word of the largest safe integer. */
const HIGH_SAFE_MAX = 0x1f_ffff

/** Reads one property after the other out of what the block held, strictly. */
class PropertyReader {
  readonly #properties: ReadonlyMap<string, Uint8Array>
  readonly #file: string

  constructor(found: ReadonlyMap<string, Uint8Array>, file: string) {
    this.#properties = found
    this.#file = file
  }

  fail(name: string, what: string, code: 'VARVE_INVALID_HEADER' | 'VARVE_UNSUPPORTED'): VarveError {
    return new VarveError(code, `${this.#file}: table property ${name}: ${what}`, {
      details: { file: this.#file, field: name },
    })
  }

  bytes(name: string): Uint8Array {
    const value = this.#properties.get(name)
    if (value === undefined) throw this.fail(name, 'is missing', 'VARVE_INVALID_HEADER')
    return value
  }

  #sized(name: string, width: number): DataView {
    const value = this.bytes(name)
    if (value.length !== width) {
      throw this.fail(name, `has ${value.length} bytes, not ${width}`, 'VARVE_INVALID_HEADER')
    }
    return new DataView(value.buffer, value.byteOffset, width)
  }

  has(name: string): boolean {
    return this.#properties.has(name)
  }

  u8(name: string): number {
    return this.#sized(name, 1).getUint8(0)
  }

  u64(name: string): number {
    const view = this.#sized(name, 8)
    const high = view.getUint32(4, true)
    if (high <= HIGH_SAFE_MAX) return high * 2 ** 32 + view.getUint32(0, true)
    const value = view.getBigUint64(0, true)
    throw this.fail(name, `${value} is above 2^53 - 1`, 'VARVE_UNSUPPORTED')
  }

  u128(name: string): bigint {
    const view = this.#sized(name, 16)
    return (view.getBigUint64(8, true) << 64n) | view.getBigUint64(0, true)
  }

  optionalU64(name: string, fallback: number): number {
    return this.has(name) ? this.u64(name) : fallback
  }

  /** A byte that has exactly one legal value. */
  expect(name: string, value: number): void {
    const found = this.u8(name)
    if (found !== value) throw this.fail(name, `${found}, not ${value}`, 'VARVE_INVALID_HEADER')
  }
}

/**
 * Decodes what a meta block held.
 * @throws VARVE_INVALID_HEADER, VARVE_INVALID_TAG, VARVE_UNSUPPORTED
 */
export function decodeTableMeta(found: ReadonlyMap<string, Uint8Array>, file: string): TableMeta {
  const read = new PropertyReader(found, file)
  read.expect('table_version', TABLE_VERSION)
  read.expect('filter_hash_type', 0)
  read.expect('checksum_type', 0)
  const kvChecksum = read.u8('descriptor#kv_checksum')
  if (kvChecksum > 3)
    throw read.fail('descriptor#kv_checksum', `${kvChecksum}`, 'VARVE_INVALID_HEADER')
  const pageEcc = read.bytes('descriptor#page_ecc')
  if (pageEcc.length !== 4)
    throw read.fail('descriptor#page_ecc', 'is not 4 bytes', 'VARVE_INVALID_HEADER')
  const restartInterval = read.u8('restart_interval#data')
  const indexRestartInterval = read.u8('restart_interval#index')
  if (restartInterval === 0 || indexRestartInterval === 0) {
    throw read.fail('restart_interval', 'is 0', 'VARVE_INVALID_HEADER')
  }
  const seqnoMax = read.u64('seqno#max')
  const seqnoKvMax = read.optionalU64('seqno#kv_max', seqnoMax)
  if (seqnoKvMax > seqnoMax)
    throw read.fail('seqno#kv_max', 'exceeds seqno#max', 'VARVE_INVALID_HEADER')
  const itemCount = read.u64('item_count')
  const ratio = found.get('data_block_hash_ratio')
  return {
    tableId: read.u64('table_id'),
    createdAtNs: read.u128('created_at'),
    writerVersion: Buffer.from(found.get('crate_version') ?? []).toString('utf8'),
    initialLevel: found.get('initial_level')?.[0] ?? 0,
    dataBlockCount: read.u64('block_count#data'),
    indexBlockCount: read.u64('block_count#index'),
    filterBlockCount: read.u64('block_count#filter'),
    dataCompression: decodeCompression(read.bytes('compression#data'), file, 'compression#data'),
    indexCompression: decodeCompression(read.bytes('compression#index'), file, 'compression#index'),
    restartInterval,
    indexRestartInterval,
    hashRatio:
      ratio?.length === 4 ? new DataView(ratio.buffer, ratio.byteOffset).getFloat32(0, true) : 0,
    isColumnar: read.has('descriptor#columnar') && read.u8('descriptor#columnar') !== 0,
    kvChecksum,
    pageEcc,
    dataBytes: read.u64('file_size'),
    itemCount,
    keyCount: found.get('key_count')?.length === 8 ? read.u64('key_count') : itemCount,
    tombstoneCount: read.u64('tombstone_count'),
    weakTombstoneCount: read.u64('weak_tombstone_count'),
    weakTombstoneReclaimable: read.u64('weak_tombstone_reclaimable'),
    rangeTombstoneCount:
      found.get('range_tombstone_count')?.length === 8 ? read.u64('range_tombstone_count') : 0,
    keyBytes: read.optionalU64('key_bytes#sum', 0),
    valueBytes: read.optionalU64('value_bytes#sum', 0),
    userDataBytes: found.get('user_data_size')?.length === 8 ? read.u64('user_data_size') : 0,
    keyMin: read.bytes('key#min'),
    keyMax: read.bytes('key#max'),
    seqnoMin: read.u64('seqno#min'),
    seqnoMax,
    seqnoKvMax,
  }
}
