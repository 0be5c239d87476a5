/**
 * The table re-encoder: from entries and options to the exact bytes of a file, for every feature but encryption and
 * columnar blocks. It has no compressor of its own: compressed files need one given.
 */

import { encodeArchive } from './archive.js'
import { encodeBlock } from './block.js'
import { buildFilter, decodeFilter } from './burr.js'
import { check, compareBytes, fail, Writer } from './bytes.js'
import type { Compression } from './compression.js'
import { cutBlocks, cutPartitions } from './cuts.js'
import { ECC_OFF, type EccScheme } from './ecc.js'
import { encodeKvFooter } from './kv-footer.js'
import { buildLocator } from './locator.js'
import { encodeMeta } from './meta.js'
import { type Entry, encodeDataBody, encodeIndexBody, type IndexEntry } from './restart-block.js'
import {
  encodeLinkedBlobFiles,
  encodeRangeTombstones,
  encodeSeqnoBounds,
  encodeZoneMap,
  type LinkedBlobFile,
  type RangeTombstone,
  type ZoneBlock,
} from './side-sections.js'
import type { DataBlock, DecodedTable } from './table.js'
import { distinctKeys, keyPlaces, linksOf, seqnoBoundsOf } from './table-checks.js'
import { META_SEPARATOR_SIZE, type SectionName } from './table-reader.js'
import { summarize } from './table-summary.js'
import { xxh3_64 } from './xxh3.js'

export interface FilterOptions {
  /** Bits of a fingerprint. */
  readonly bits: number
  /** Estimated bytes at which a partition closes; absent for a full filter. */
  readonly partitionSize?: number | undefined
  /** What a prefix extractor yields for a key; only a full filter holds prefixes. */
  readonly prefixes?: ((key: Uint8Array) => readonly Uint8Array[]) | undefined
}

export interface EncodeTableOptions {
  readonly tableId: number
  readonly restartInterval?: number | undefined
  readonly indexRestartInterval?: number | undefined
  readonly hashRatio?: number | undefined
  readonly crateVersion?: string | undefined
  readonly createdAt?: bigint | undefined
  readonly initialLevel?: number | undefined
  /** Bytes of keys and values at which a block closes. */
  readonly blockSize?: number | undefined
  /** The value of `descriptor#kv_checksum`. */
  readonly kvChecksum?: number | undefined
  readonly ecc?: EccScheme | undefined
  readonly filter?: FilterOptions | undefined
  readonly locatorPrecision?: number | undefined
  readonly rangeTombstones?: readonly RangeTombstone[] | undefined
  readonly sentinel?: boolean | undefined
  readonly seqnoBounds?: boolean | undefined
  readonly zoneMap?: boolean | undefined
  /** Data blocks in each index partition; absent for a one-level index. */
  readonly indexPartitions?: readonly number[] | undefined
  /** The key range, where it is not the one of a flush. */
  readonly minKey?: Uint8Array | undefined
  readonly maxKey?: Uint8Array | undefined
  /** The order of the blob links, which the format leaves open; ascending by id where absent. */
  readonly linkedBlobFiles?: readonly LinkedBlobFile[] | undefined
  readonly compare?: ((a: Uint8Array, b: Uint8Array) => number) | undefined
  readonly dataCompression?: Compression | undefined
  readonly indexCompression?: Compression | undefined
  /** Compresses the plaintext of a data or index block. */
  readonly compress?: ((plaintext: Uint8Array, compression: Compression) => Uint8Array) | undefined
}

/** Frames a data or index block under the codec of its class. */
function frame(
  type: 'data' | 'index',
  plaintext: Uint8Array,
  { ecc = ECC_OFF, compress, ...options }: EncodeTableOptions,
): Uint8Array {
  const compression = type === 'data' ? options.dataCompression : options.indexCompression
  if (compression === undefined || compression.codec === 'none') {
    return encodeBlock(type, plaintext, { ecc })
  }
  const payload = compress?.(plaintext, compression) ?? fail(type, 'no compressor was given')
  return encodeBlock(type, payload, { ecc, uncompressedLength: plaintext.length })
}

export function encodeTable(entries: readonly Entry[], options: EncodeTableOptions): Uint8Array {
  return encodeTableBlocks(cutBlocks(entries, options.blockSize ?? 4096), options)
}

/** Collects the sections of a table under construction and knows where each begins. */
class Sections {
  readonly list: { readonly name: SectionName; readonly bytes: Uint8Array }[] = []
  offset = 0

  add(name: SectionName, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) return
    this.list.push({ name, bytes })
    this.offset += bytes.length
  }

  bytes(name: SectionName): Uint8Array | undefined {
    return this.list.find((section) => section.name === name)?.bytes
  }
}

export function encodeTableBlocks(
  chunks: readonly (readonly Entry[])[],
  options: EncodeTableOptions,
): Uint8Array {
  const { ecc = ECC_OFF, indexRestartInterval = 1, rangeTombstones = [] } = options
  const sections = new Sections()
  const blocks = encodeDataBlocks(sections, chunks, options)
  const indexBlockCount = encodeIndex(sections, blocks, options)
  const entries = chunks.flat()
  const filterBlockCount = encodeFilter(sections, entries, options)
  const single = (type: Parameters<typeof encodeBlock>[0], payload: Uint8Array | undefined) =>
    payload && encodeBlock(type, payload, { ecc })
  if (options.seqnoBounds) {
    sections.add(
      'seqno_bounds',
      single('seqno-bounds', encodeSeqnoBounds(blocks.map(seqnoBoundsOf))),
    )
  }
  if (options.zoneMap) {
    sections.add('zone_map', single('zone-map', encodeZoneMap(blocks.map(zoneOf))))
  }
  if (options.locatorPrecision !== undefined) {
    const interval = options.restartInterval ?? 16
    const payload = buildLocator(keyPlaces(blocks), options.locatorPrecision, interval)
    sections.add('locator', single('locator', payload))
  }
  if (rangeTombstones.length > 0) {
    const payload = encodeRangeTombstones(rangeTombstones)
    sections.add('range_tombstones', single('range-tombstone', payload))
  }
  const compare = options.compare ?? compareBytes
  const summary = summarize(entries, rangeTombstones, options.sentinel ?? false, compare)
  const body = encodeMeta({
    ...summary,
    minKey: options.minKey ?? summary.minKey,
    maxKey: options.maxKey ?? summary.maxKey,
    dataBlockCount: blocks.length,
    filterBlockCount,
    indexBlockCount,
    checksumType: 0,
    dataCompression: options.dataCompression ?? { codec: 'none' },
    indexCompression: options.indexCompression ?? { codec: 'none' },
    crateVersion: options.crateVersion ?? '5.7.0',
    createdAt: options.createdAt ?? 0n,
    hashRatio: options.hashRatio ?? 0,
    columnar: 0,
    kvChecksum: options.kvChecksum ?? 0,
    ecc,
    fileSize: sections.bytes('data')!.length,
    filterHashType: 0,
    indexKeysHaveSeqno: 1,
    initialLevel: options.initialLevel ?? 0,
    dataPrefixTruncation: 1,
    indexPrefixTruncation: 1,
    dataRestartInterval: options.restartInterval ?? 16,
    indexRestartInterval,
    tableId: options.tableId,
    tableVersion: 3,
    userDataSize: blocks.reduce((total, block) => total + block.uncompressedLength, 0),
  })
  const meta = encodeBlock('meta', body, { ecc })
  sections.add('meta_mid', meta)
  const links = options.linkedBlobFiles ?? linksOf(entries, 'entries')
  if (links.length > 0) sections.add('linked_blob_files', encodeLinkedBlobFiles(links))
  sections.add('table_version', Uint8Array.of(3))
  sections.add('meta_separator', new Uint8Array(META_SEPARATOR_SIZE))
  sections.add('tli_tail', sections.bytes('tli')!)
  sections.add('meta', meta)
  return encodeArchive(sections.list)
}

function encodeDataBlocks(
  sections: Sections,
  chunks: readonly (readonly Entry[])[],
  options: EncodeTableOptions,
): DataBlock[] {
  const data = new Writer()
  const blocks = chunks.map((entries): DataBlock => {
    const body = encodeDataBody(entries, options.restartInterval ?? 16, options.hashRatio ?? 0)
    const plaintext = new Writer().bytes(body)
    if (options.kvChecksum) plaintext.bytes(encodeKvFooter(entries, options.kvChecksum - 1))
    const block = frame('data', plaintext.finish(), options)
    const offset = data.length
    data.bytes(block)
    const uncompressedLength = plaintext.length
    const rest = { hashIndex: undefined, skipped: false, innerBlocks: 0 }
    return { offset, size: block.length, uncompressedLength, entries, ...rest }
  })
  sections.add('data', data.finish())
  return blocks
}

/** Adds `index`, where there are partitions, and `tli`; answers the count that the meta block records. */
function encodeIndex(
  sections: Sections,
  blocks: readonly DataBlock[],
  options: EncodeTableOptions,
): number {
  const handles = blocks.map(({ offset, size, entries }): IndexEntry => {
    const { key, seqno } = entries.at(-1)!
    return { offset, size, seqno, endKey: key }
  })
  const encode = (entries: readonly IndexEntry[]): Uint8Array =>
    frame('index', encodeIndexBody(entries, options.indexRestartInterval ?? 1), options)
  if (options.indexPartitions === undefined) {
    sections.add('tli', encode(handles))
    return 1
  }
  const partitions = new Writer()
  let at = 0
  const top = options.indexPartitions.map((count): IndexEntry => {
    const part = handles.slice(at, at + count)
    at += count
    const block = encode(part)
    const { endKey, seqno } = part.at(-1)!
    const offset = sections.offset + partitions.length
    partitions.bytes(block)
    return { offset, size: block.length, seqno, endKey }
  })
  check(at === handles.length, 'index partitions', `cover ${at} of ${handles.length} blocks`)
  sections.add('index', partitions.finish())
  sections.add('tli', encode(top))
  return top.length
}

/** Adds `filter` and, for a partitioned one, `filter_tli`; answers the number of filter blocks. */
function encodeFilter(
  sections: Sections,
  entries: readonly Entry[],
  table: EncodeTableOptions,
): number {
  const { filter: options, ecc = ECC_OFF } = table
  if (options === undefined) return 0
  const keys = distinctKeys(entries).map(({ key }) => key)
  const build = (hashes: readonly bigint[]): Uint8Array => {
    const payload = buildFilter(hashes, options.bits) ?? fail('filter', 'cannot be built')
    return encodeBlock('filter', payload, { ecc })
  }
  if (options.partitionSize === undefined) {
    const hashed = (key: Uint8Array): Uint8Array[] => [key, ...(options.prefixes?.(key) ?? [])]
    sections.add('filter', build(keys.flatMap(hashed).map(xxh3_64)))
    return 1
  }
  const filter = new Writer()
  const partitions = cutPartitions(keys, options.bits, options.partitionSize)
  const top = partitions.map((part): IndexEntry => {
    const offset = sections.offset + filter.length
    const block = build(part.map(xxh3_64))
    filter.bytes(block)
    return { offset, size: block.length, seqno: 0n, endKey: part.at(-1)! }
  })
  sections.add('filter', filter.finish())
  sections.add('filter_tli', frame('index', encodeIndexBody(top, 1), table))
  return top.length
}

function zoneOf({ offset, entries }: DataBlock): ZoneBlock {
  const [min, max] = [entries[0]!.key, entries.at(-1)!.key]
  const column = { id: 0, type: 0, codec: 0, nulls: 0, rows: entries.length, min, max }
  return { offset, columns: [column] }
}

/** Encodes a decoded table again, under the settings it records and the block boundaries it has. */
export function reencodeTable(
  table: DecodedTable,
  given: {
    readonly prefixes?: FilterOptions['prefixes']
    readonly partitionSize?: number | undefined
    readonly compare?: EncodeTableOptions['compare']
    readonly compress?: EncodeTableOptions['compress']
  } = {},
): Uint8Array {
  const { meta, filter, index } = table
  const bits = filter && decodeFilter(filter.partitions[0]!.payload, 'filter')?.r
  const partitionSize = filter?.kind === 'partitioned' ? (given.partitionSize ?? 4096) : undefined
  return encodeTableBlocks(
    table.blocks.map(({ entries }) => entries),
    {
      ...meta,
      restartInterval: meta.dataRestartInterval,
      filter: bits === undefined ? undefined : { bits, partitionSize, prefixes: given.prefixes },
      locatorPrecision: table.locator?.precision,
      rangeTombstones: table.rangeTombstones,
      sentinel: table.sentinel,
      seqnoBounds: table.seqnoBounds !== undefined,
      zoneMap: table.zoneMap !== undefined,
      indexPartitions: index.partitions?.map(({ length }) => length),
      linkedBlobFiles: table.linkedBlobFiles,
      compare: given.compare,
      compress: given.compress,
    },
  )
}
