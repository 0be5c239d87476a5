/** The meta block of a table: its 36 keys, typed (table spec 12). */

import { ascii, Cursor, check, checkEqual, compareBytes, fail, utf8, Writer } from './bytes.js'
import { type Compression, decodeCompression, encodeCompression } from './compression.js'
import { decodeEcc, type EccScheme, encodeEcc } from './ecc.js'
import { decodeDataBody, type Entry, encodeDataBody, KIND_VALUE } from './restart-block.js'

export interface TableMeta {
  readonly dataBlockCount: number
  readonly filterBlockCount: number
  readonly indexBlockCount: number
  readonly checksumType: number
  readonly dataCompression: Compression
  readonly indexCompression: Compression
  readonly crateVersion: string
  readonly createdAt: bigint
  readonly hashRatio: number
  readonly columnar: number
  readonly kvChecksum: number
  readonly ecc: EccScheme
  /** Length of the `data` section, not of the file. */
  readonly fileSize: number
  readonly filterHashType: number
  readonly indexKeysHaveSeqno: number
  readonly initialLevel: number
  readonly itemCount: number
  readonly maxKey: Uint8Array
  readonly minKey: Uint8Array
  readonly keyBytes: number
  readonly keyCount: number
  readonly dataPrefixTruncation: number
  readonly indexPrefixTruncation: number
  readonly rangeTombstoneCount: number
  readonly dataRestartInterval: number
  readonly indexRestartInterval: number
  readonly maxKvSeqno: bigint
  readonly maxSeqno: bigint
  readonly minSeqno: bigint
  readonly tableId: number
  readonly tableVersion: number
  readonly tombstoneCount: number
  readonly userDataSize: number
  readonly valueBytes: number
  readonly weakTombstoneCount: number
  readonly weakTombstoneReclaimable: number
}

interface Codec {
  read(cursor: Cursor): unknown
  write(writer: Writer, value: never): Writer
}

const u8: Codec = { read: (c) => c.u8(), write: (w, v: number) => w.u8(v) }
const u64: Codec = { read: (c) => c.size(), write: (w, v: number) => w.u64(v) }
const seqno: Codec = { read: (c) => c.u64(), write: (w, v: bigint) => w.u64(v) }
const u128: Codec = { read: (c) => c.u128(), write: (w, v: bigint) => w.u128(v) }
const f32: Codec = { read: (c) => c.f32(), write: (w, v: number) => w.f32(v) }
const bytes: Codec = { read: (c) => c.take(c.left), write: (w, v: Uint8Array) => w.bytes(v) }
const text: Codec = {
  read: (c) => ascii(c.take(c.left)),
  write: (w, v: string) => w.bytes(utf8(v)),
}
const compression: Codec = {
  read: (c) => decodeCompression(c.take(c.left), c.where),
  write: (w, v: Compression) => w.bytes(encodeCompression(v)),
}
const ecc: Codec = {
  read: (c) => decodeEcc(c.take(c.left), c.where),
  write: (w, v: EccScheme) => w.bytes(encodeEcc(v)),
}

/** The keys in file order: [name, field, encoding, required by readers]. */
const KEYS: readonly (readonly [string, keyof TableMeta, Codec, boolean])[] = [
  ['block_count#data', 'dataBlockCount', u64, true],
  ['block_count#filter', 'filterBlockCount', u64, true],
  ['block_count#index', 'indexBlockCount', u64, true],
  ['checksum_type', 'checksumType', u8, true],
  ['compression#data', 'dataCompression', compression, true],
  ['compression#index', 'indexCompression', compression, true],
  ['crate_version', 'crateVersion', text, false],
  ['created_at', 'createdAt', u128, true],
  ['data_block_hash_ratio', 'hashRatio', f32, false],
  ['descriptor#columnar', 'columnar', u8, false],
  ['descriptor#kv_checksum', 'kvChecksum', u8, true],
  ['descriptor#page_ecc', 'ecc', ecc, true],
  ['file_size', 'fileSize', u64, true],
  ['filter_hash_type', 'filterHashType', u8, true],
  ['index_keys_have_seqno', 'indexKeysHaveSeqno', u8, false],
  ['initial_level', 'initialLevel', u8, false],
  ['item_count', 'itemCount', u64, true],
  ['key#max', 'maxKey', bytes, true],
  ['key#min', 'minKey', bytes, true],
  ['key_bytes#sum', 'keyBytes', u64, false],
  ['key_count', 'keyCount', u64, false],
  ['prefix_truncation#data', 'dataPrefixTruncation', u8, false],
  ['prefix_truncation#index', 'indexPrefixTruncation', u8, false],
  ['range_tombstone_count', 'rangeTombstoneCount', u64, false],
  ['restart_interval#data', 'dataRestartInterval', u8, true],
  ['restart_interval#index', 'indexRestartInterval', u8, true],
  ['seqno#kv_max', 'maxKvSeqno', seqno, false],
  ['seqno#max', 'maxSeqno', seqno, true],
  ['seqno#min', 'minSeqno', seqno, true],
  ['table_id', 'tableId', u64, true],
  ['table_version', 'tableVersion', u8, true],
  ['tombstone_count', 'tombstoneCount', u64, true],
  ['user_data_size', 'userDataSize', u64, false],
  ['value_bytes#sum', 'valueBytes', u64, false],
  ['weak_tombstone_count', 'weakTombstoneCount', u64, true],
  ['weak_tombstone_reclaimable', 'weakTombstoneReclaimable', u64, true],
]

/** Decodes the key-value body that meta blocks of tables and blob files share, in strictly ascending bytewise order. */
export function decodeKeyValues(body: Uint8Array, where: string): Map<string, Uint8Array> {
  const { entries } = decodeDataBody(body, where, { restartInterval: 1, hashRatio: 0 })
  const values = new Map<string, Uint8Array>()
  let previous: Uint8Array | undefined
  for (const { key, seqno, kind, value } of entries) {
    const name = ascii(key)
    checkEqual(kind, KIND_VALUE, where, `value type of ${name}`)
    checkEqual(seqno, 0n, where, `seqno of ${name}`)
    check(!previous || compareBytes(previous, key) < 0, where, `${name} is out of order`)
    previous = key
    values.set(name, value)
  }
  return values
}

export function encodeKeyValues(values: Iterable<readonly [string, Uint8Array]>): Uint8Array {
  const entries = Array.from(values, ([name, value]): Entry => {
    return { key: utf8(name), seqno: 0n, kind: KIND_VALUE, value }
  })
  return encodeDataBody(entries, 1)
}

/** The typed keys, every one of them demanded, and any further keys untouched. */
export function decodeMeta(
  body: Uint8Array,
  where: string,
): { meta: TableMeta; extra: ReadonlyMap<string, Uint8Array> } {
  const values = decodeKeyValues(body, where)
  const meta: Record<string, unknown> = {}
  for (const [name, field, codec, required] of KEYS) {
    const value = values.get(name)
    if (value === undefined) {
      fail(where, `${required ? 'required' : 'optional'} key ${name} is missing`)
    }
    const cursor = new Cursor(value, `${where} ${name}`)
    meta[field] = codec.read(cursor)
    cursor.expectEnd()
    values.delete(name)
  }
  return { meta: meta as unknown as TableMeta, extra: values }
}

export function encodeMeta(meta: TableMeta): Uint8Array {
  return encodeKeyValues(
    KEYS.map(([name, field, codec]) => {
      return [name, codec.write(new Writer(), meta[field] as never).finish()] as const
    }),
  )
}

/** The keys whose value no table may choose. */
export function checkFixedMeta(meta: TableMeta, where: string): void {
  checkEqual(meta.checksumType, 0, where, 'checksum_type')
  checkEqual(meta.filterHashType, 0, where, 'filter_hash_type')
  checkEqual(meta.indexKeysHaveSeqno, 1, where, 'index_keys_have_seqno')
  checkEqual(meta.dataPrefixTruncation, 1, where, 'prefix_truncation#data')
  checkEqual(meta.indexPrefixTruncation, 1, where, 'prefix_truncation#index')
  checkEqual(meta.tableVersion, 3, where, 'table_version')
  check(meta.kvChecksum <= 3, where, `descriptor#kv_checksum is ${meta.kvChecksum}`)
  check(meta.columnar === 0 || meta.kvChecksum === 0, where, 'a columnar table has KV checksums')
  check(meta.dataRestartInterval > 0, where, 'restart_interval#data is 0')
  check(meta.indexRestartInterval > 0, where, 'restart_interval#index is 0')
  check(meta.hashRatio >= 0, where, `data_block_hash_ratio is ${meta.hashRatio}`)
  const { indexCompression: index } = meta
  const usesDictionary = index.codec === 'zstd' && index.dictionaryId !== undefined
  check(!usesDictionary, where, 'compression#index names a dictionary')
}
