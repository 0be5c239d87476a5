/** Tables of the engine's writer, read by the independent decoder with all of its checks. */
import { createRequire } from 'node:module'
import t from 'tap'
import type { Compression } from '../../../../src/shared/format/compression.js'
import type { RangeTombstone } from '../../../../src/shared/format/range-tombstone.js'
import { withoutDictionaryId } from '../../../../src/shared/format/zstd-frame.js'
import type { Version } from '../../../../src/shared/kernel/reference/version.js'
import type { TableEnding, TableShape } from '../../../../src/shared/table/table-writer.js'
import { Zstd } from '../../../../src/shared/table/zstd.js'
import {
  type DecodedTable,
  decodeTable,
  dictionaryId,
  type TableOptions,
  toHex,
  xxh3_128,
  type ZstdDecoder,
} from '../../../support/decoder/index.js'
import { Random, runSeed } from '../../../support/random.js'
import { writeTable } from '../../../support/tables.js'
import { difference, randomKeys, randomVersions } from '../../../support/versions.js'
import { testWorkspace } from '../../../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { heap } = workspace
const VALUES_ONLY = [0, 0, 0, 1, 2, 3]

function someVersions(keysMax: number): Version[] {
  const keys = randomKeys(random, 1 + random.below(keysMax))
  // Indirections are left out: their values would have to be pointers into blob files.
  const shape = { seqnoMin: 0, seqnoMax: 10_000, versionsMax: 3, kinds: VALUES_ONLY }
  const versions = randomVersions(random, keys, shape)
  return versions.length > 0 ? versions : someVersions(keysMax)
}

const plainly = (table: DecodedTable): Version[] =>
  table.entries.map(({ key, seqno, kind, value }) => ({ key, seqno: Number(seqno), kind, value }))

const hex128 = (value: bigint): string => value.toString(16).padStart(32, '0')

/** Writes and decodes a table; what is wrong with it, or the decoded table. */
function roundTrip(
  versions: readonly Version[],
  shape: Partial<TableShape>,
  ending: Partial<TableEnding> = {},
  options: TableOptions = {},
): DecodedTable | string {
  const usedBytes = heap.usedBytes
  const { bytes, proposal } = writeTable(workspace, 42, versions, shape, ending)
  if (heap.usedBytes !== usedBytes) return `${heap.usedBytes - usedBytes} bytes were not given back`
  const table = decodeTable(bytes, { tableId: 42, ...options })
  const problem = difference(plainly(table), versions)
  if (problem !== undefined) return problem
  const checksum = Buffer.from(proposal.checksum).reverse().toString('hex')
  if (checksum !== hex128(table.checksum)) return 'the proposal has another checksum'
  if (proposal.fileBytes !== bytes.length) return 'the proposal has another length'
  if (proposal.itemCount !== versions.length) return 'the proposal has another item count'
  if (toHex(proposal.keyMin) !== toHex(table.meta.minKey))
    return 'the proposal has another first key'
  if (toHex(proposal.keyMax) !== toHex(table.meta.maxKey))
    return 'the proposal has another last key'
  return table
}

const filter = (bits: number, format: 'varve' | 'v5', isPartitioned: boolean) => ({
  filter: { bits, format, isPartitioned },
})

const shapes: readonly (readonly [string, Partial<TableShape>])[] = [
  ['defaults', {}],
  ...[1, 2, 7, 255].map((n) => [`restart interval ${n}`, { restartInterval: n }] as const),
  ...[2, 16, 255].map((n) => [`index restart interval ${n}`, { indexRestartInterval: n }] as const),
  ...[1, 100, 65_536].map((n) => [`blocks of ${n} bytes`, { blockSize: n }] as const),
  ...[0.5, 1.33].map((r) => [`hash ratio ${r}`, { hashRatio: r, restartInterval: 2 }] as const),
  ['LZ4', { compression: { kind: 'lz4' }, indexCompression: { kind: 'lz4' } }],
  ['two levels', { indexSpillBytes: 0, blockSize: 50 }],
  ['two levels, LZ4', { indexSpillBytes: 0, blockSize: 50, indexCompression: { kind: 'lz4' } }],
  ['a V5 filter', filter(10, 'v5', false)],
  ['a V5 filter in partitions', filter(20, 'v5', true)],
  ['an own filter', filter(10, 'varve', false)],
  ['an own filter in partitions', filter(20, 'varve', true)],
  ['everything', { ...filter(7, 'v5', true), hashRatio: 1, indexSpillBytes: 0, blockSize: 300 }],
]

t.test('every shape', async (t) => {
  for (const [name, shape] of shapes) {
    const wrong: string[] = []
    for (const keysMax of [1, 1, 5, 50, 1000, 3000]) {
      const table = roundTrip(someVersions(keysMax), shape)
      if (typeof table === 'string') wrong.push(table)
    }
    t.strictSame(wrong, [], name)
  }
})

t.test('index and filter have the form that was asked for', async (t) => {
  const versions = Array.from({ length: 9000 }, (_, i): Version => {
    return { key: Buffer.from(`key ${i + 10_000}`), seqno: i, kind: 0, value: Buffer.from(`${i}`) }
  })
  const decoded = (shape: Partial<TableShape>): DecodedTable => {
    const table = roundTrip(versions, { blockSize: 200, ...shape })
    if (typeof table === 'string') throw new Error(table)
    return table
  }
  t.equal(decoded({}).index.partitions, undefined)
  const two = decoded({ indexSpillBytes: 0 })
  t.ok(two.index.partitions!.length > 5, `${two.index.partitions!.length} index partitions`)
  t.equal(decoded(filter(10, 'v5', false)).filter?.kind, 'full')
  const parts = decoded(filter(10, 'v5', true)).filter
  t.equal(parts?.kind, 'partitioned')
  t.ok(parts!.partitions.length > 2, `${parts!.partitions.length} filter partitions`)
  const own = decoded(filter(10, 'varve', true))
  t.equal(own.filter, undefined, 'other readers see no filter')
  t.strictSame(
    own.unknownSections.map(({ name }) => name),
    ['varve_filter', 'varve_filter_tli'],
  )
  t.ok(own.unknownSections[0]!.blocks.length > 2)
})

t.test('range tombstones, and a table of nothing else', async (t) => {
  const tombstone = (start: string, end: string, seqno: number): RangeTombstone => {
    return { start: Buffer.from(start), end: Buffer.from(end), seqno }
  }
  const rangeTombstones = [
    tombstone('m', 'z', 5),
    tombstone('a', 'c', 9000),
    tombstone('m', 'p', 70),
    tombstone('m', 'z', 5),
  ]
  const versions: Version[] = [
    { key: Buffer.from('b'), seqno: 50, kind: 0, value: Buffer.from('x') },
    { key: Buffer.from('n'), seqno: 60, kind: 1, value: Buffer.alloc(0) },
  ]
  const table = roundTrip(versions, {}, { rangeTombstones })
  if (typeof table === 'string') throw new Error(table)
  t.equal(table.rangeTombstones.length, 3, 'one was there twice')
  t.equal(toHex(table.meta.minKey), toHex(Buffer.from('a')))
  t.equal(toHex(table.meta.maxKey), toHex(Buffer.from('z')))
  t.equal(Number(table.meta.minSeqno), 5)
  t.equal(Number(table.meta.maxSeqno), 9000)
  t.equal(Number(table.meta.maxKvSeqno), 60)
  const sentinel: Version = { key: Buffer.from('m'), seqno: 5, kind: 2, value: Buffer.alloc(0) }
  const alone = roundTrip(
    [sentinel],
    {},
    {
      rangeTombstones,
      isSentinelOnly: true,
      keyRange: { min: Buffer.from('a'), max: Buffer.from('z') },
    },
  )
  if (typeof alone === 'string') throw new Error(alone)
  t.ok(alone.sentinel)
})

interface Binding {
  DCtx: new () => {
    decompress(target: Uint8Array, source: Uint8Array): number
    decompressUsingDict(target: Uint8Array, source: Uint8Array, dictionary: Uint8Array): number
  }
}

const noZstd = new Zstd().isAvailable ? false : 'zstd-napi is not built here'

t.test('zstd, with and without a dictionary', { skip: noZstd }, async (t) => {
  const { DCtx } = createRequire(import.meta.url)('zstd-napi/binding') as Binding
  const context = new DCtx()
  const zstd: ZstdDecoder = (bytes, length, dictionary) => {
    const target = new Uint8Array(length)
    // The library knows a dictionary of plain bytes by no id, so the frame must not name one.
    const found =
      dictionary === undefined
        ? context.decompress(target, bytes)
        : context.decompressUsingDict(target, withoutDictionaryId(bytes), dictionary)
    if (found !== length) throw new Error(`${found} of ${length} bytes`)
    return target
  }
  for (const level of [-5, 1, 3, 19]) {
    const compression: Compression = { kind: 'zstd', level }
    const shape = { compression, indexCompression: compression }
    const table = roundTrip(someVersions(300), shape, {}, { zstd })
    t.not(typeof table, 'string', typeof table === 'string' ? table : `level ${level}`)
  }
  const dictionary = Buffer.from('key value user name '.repeat(20))
  const id = dictionaryId(dictionary)
  const compression: Compression = { kind: 'zstdDict', level: 3, dictionaryId: id, dictionary }
  const table = roundTrip(someVersions(300), { compression }, {}, { zstd, dictionary })
  t.not(typeof table, 'string', typeof table === 'string' ? table : 'a dictionary')
})

t.test('the worked example of format-table.md 22.4, byte for byte', async (t) => {
  const entry = (key: string, seqno: number, kind: number, value = ''): Version => {
    return { key: Buffer.from(key), seqno, kind, value: Buffer.from(value) }
  }
  const versions = [
    entry('apple', 7, 0, 'red'),
    entry('apple', 3, 1),
    entry('apricot', 300, 3, '+1'),
    entry('banana', 5, 2),
    entry('cherry', 6, 0),
  ]
  const { bytes } = writeTable(workspace, 7, versions, { restartInterval: 2 })
  t.equal(bytes.length, 6654)
  t.equal(hex128(xxh3_128(bytes)), '8bb845f8b33cc4c3da60803d56fd4769')
})

t.test('a writer serves one table after the other, large keys and values included', async (t) => {
  const long = Array.from({ length: 12 }, (_, i): Version => {
    const key = new Uint8Array(65_535 - (i % 3)).fill(i + 1)
    return { key, seqno: i, kind: 0, value: random.bytes(i * 40_000) }
  })
  for (const [name, shape] of shapes) {
    const table = roundTrip(long, shape)
    t.not(typeof table, 'string', typeof table === 'string' ? table : name)
  }
})
