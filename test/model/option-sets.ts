/**
 * The ways to open a tree that model, metamorphic and soak tests run through: every option at its ends, in small sizes,
 * so that a few hundred writes meet flushes, several levels and cuts of tables.
 */
import { type Comparator, comparators, prefixExtractors } from '../../src/main/index.js'
import type { OpenOptions } from '../../src/main/options.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import { sizeTiered } from '../../src/main/strategies/size-tiered.js'
import { rotated, shortFromBehind, shortFromBehindAt } from '../support/comparators.js'
import { joining } from '../support/operators.js'
import { everyLength } from '../support/prefix-extractors.js'

export interface OptionSet {
  readonly name: string
  readonly where: 'memory' | 'disk'
  /** Bytes of the block cache; undefined for one of the tree's own. */
  readonly cacheBytes?: number
  /** What else that cache is told. */
  readonly cacheOptions?: { readonly rowCache?: boolean; readonly metadataPriority?: boolean }
  /** Another tree uses the same cache and descriptors meanwhile. */
  readonly hasSibling?: boolean
  /** Files that may be open at once; undefined for the default. */
  readonly descriptors?: number
  /** The order of keys, where it is not that of bytes. */
  readonly order?: Comparator
  readonly options: OpenOptions
}

const KIB = 1024

/** The one dictionary of all sets: tables of one set can be read under another. */
export const DICTIONARY = Buffer.from('user:a/b/c/d/key-with-a-long-prefix-0123456789'.repeat(8))

const small = leveled({ targetBytes: 4 * KIB, l0Threshold: 2, levelRatios: [3] })
const tiny = leveled({ targetBytes: 1, l0Threshold: 1, levelRatios: [2] })
const tiered = sizeTiered({ minMergeWidth: 2, targetBytes: 8 * KIB })
const memtable = { memtableBytes: 128 * KIB }

function set(
  name: string,
  options: OpenOptions,
  rest: Omit<OptionSet, 'name' | 'options' | 'where'> & { where?: OptionSet['where'] } = {},
): OptionSet {
  const runtime = { ...memtable, ...options.runtime }
  return { where: 'memory', ...rest, name, options: { strategy: small, ...options, runtime } }
}

const module = new URL('../support/comparators.js', import.meta.url)
const extractors = new URL('../support/prefix-extractors.js', import.meta.url)
const rotation = { by: 100 }
const operators = new URL('../support/operators.js', import.meta.url)

const manual = { maintenance: 'manual' } as const
const disk = { where: 'disk' } as const

export const OPTION_SETS: readonly OptionSet[] = [
  set('defaults', {}),
  set('defaults by hand', manual),
  set('defaults on disk', {}, disk),
  set('defaults on disk by hand', manual, disk),
  set('large memtables', { runtime: { memtableBytes: 4 * KIB * KIB } }),
  set('blocks of 1 byte', { ...manual, blockSize: 1 }),
  set('blocks of 64 bytes', { blockSize: 64, restartInterval: 1 }),
  set('blocks of 256 bytes, restarts 2', { ...manual, blockSize: 256, restartInterval: 2 }),
  set('blocks of 64 KiB, restarts 255', { ...manual, blockSize: 64 * KIB, restartInterval: 255 }),
  set('index restarts 255', { blockSize: 128, indexRestartInterval: 255 }),
  set('index restarts 3', { ...manual, blockSize: 64, indexRestartInterval: 3 }),
  set('hash ratio 1', { ...manual, hashRatio: 1 }),
  set('hash ratio 8, by level', { hashRatio: [8, 0.5, 0], blockSize: 512 }),
  set('no compression', { ...manual, compression: 'none' }),
  set('lz4 everywhere', { compression: 'lz4', indexCompression: 'lz4', blockSize: 700 }),
  set('zstd -1', { ...manual, compression: { zstd: -1 }, indexCompression: { zstd: 1 } }),
  set('zstd 3 below lz4', { compression: ['lz4', 'none', { zstd: 3 }], blockSize: 2 * KIB }),
  set('zstd dictionary', {
    ...manual,
    compression: ['none', { zstdDict: DICTIONARY, level: 3 }],
    indexCompression: { zstdDict: DICTIONARY },
    blockSize: 1 * KIB,
  }),
  set('zstd dictionary on disk', { compression: { zstdDict: DICTIONARY, level: 1 } }, disk),
  set('no filter', { ...manual, filter: 'none' }),
  set('filter of 1 bit', { filter: { bitsPerKey: 1 }, blockSize: 256 }),
  set('filter of 32 bits', { ...manual, filter: { bitsPerKey: 32 } }),
  set('filter by rate', { filter: [{ falsePositiveRate: 0.5 }, { falsePositiveRate: 0.0001 }] }),
  set('v5 filters', { ...manual, filterFormat: 'v5', filter: { bitsPerKey: 10 } }),
  set('v5 filters of 1 bit, partitioned', {
    filterFormat: 'v5',
    filter: { bitsPerKey: 1 },
    filterPartitioning: true,
    blockSize: 64,
  }),
  set('v5 filters of 64 bits', { ...manual, filterFormat: 'v5', filter: { bitsPerKey: 64 } }),
  set('partitioned filters', { filterPartitioning: true, blockSize: 100 }, { cacheBytes: 4 * KIB }),
  set('partitioned from L1', { ...manual, filterPartitioning: [false, true] }, { cacheBytes: 0 }),
  set('point reads hit', { ...manual, expectPointReadHits: true }),
  set('index always spills', {
    ...manual,
    blockSize: 64,
    runtime: { indexPartitionSpillThreshold: 0 },
  }),
  set(
    'index always spills, nothing cached',
    { blockSize: 32, indexCompression: 'lz4', runtime: { indexPartitionSpillThreshold: 0 } },
    { cacheBytes: 0, descriptors: 1 },
  ),
  set('nothing cached', manual, { cacheBytes: 0 }),
  set('tiny cache', { blockSize: 300 }, { cacheBytes: 2 * KIB }),
  set('one descriptor on disk', manual, { where: 'disk', descriptors: 1, cacheBytes: 0 }),
  set(
    'cache and descriptors shared',
    { blockSize: 256 },
    { cacheBytes: 8 * KIB, descriptors: 2, hasSibling: true },
  ),
  set('cache and descriptors shared by hand', manual, {
    cacheBytes: 64 * KIB,
    descriptors: 1,
    hasSibling: true,
  }),
  set(
    'rows cached',
    { blockSize: 256 },
    { cacheBytes: 8192 * KIB, cacheOptions: { rowCache: true } },
  ),
  set('rows in a tiny cache, metadata as any other', manual, {
    cacheBytes: 100 * KIB,
    cacheOptions: { rowCache: true, metadataPriority: false },
  }),
  set('zone maps and seqno bounds', {
    blockSize: 128,
    runtime: { zoneMap: true, seqnoInIndex: true },
  }),
  set('full sync on disk', { syncMode: 'full', compression: 'lz4' }, disk),
  set('manifest rotates every time', { ...manual, manifestLogRotateBytes: 0 }),
  set('manifest rotates on disk', { manifestLogRotateBytes: 500 }, disk),
  set('a table for every block', { ...manual, strategy: tiny, blockSize: 128 }),
  set('a table for every block, by itself', { strategy: tiny, blockSize: 512 }),
  set('dynamic levels', {
    strategy: leveled({ targetBytes: 2 * KIB, l0Threshold: 2, dynamicLevelBytes: true }),
  }),
  set('multi-level merges', {
    ...manual,
    strategy: leveled({ targetBytes: 2 * KIB, l0Threshold: 2, multiLevel: true }),
  }),
  set('size-tiered', { strategy: tiered }),
  set('size-tiered by hand', { ...manual, strategy: tiered }, { cacheBytes: 1 * KIB }),
  set('size-tiered on disk', { strategy: tiered, blockSize: 512 }, disk),
  set('two compactions at once', {
    strategy: tiny,
    blockSize: 256,
    runtime: { compactionConcurrency: 2, maxSealedMemtables: 1 },
  }),
  set(
    'four compactions at once on disk',
    { strategy: small, runtime: { compactionConcurrency: 4, maxSealedMemtables: 2 } },
    disk,
  ),
  set('a merge operator as a plain object', { ...manual, mergeOperator: joining }),
  set('a merge operator as a plain object, on disk', { mergeOperator: joining }, disk),
  set(
    'a merge operator as a module, on disk',
    { mergeOperator: { module: operators, export: 'joining' }, blockSize: 200 },
    disk,
  ),
  set(
    'merges in slices on disk',
    {
      strategy: small,
      blockSize: 128,
      runtime: { compactionThreads: 4, subcompactionMinBytes: 0, compactionConcurrency: 2 },
    },
    disk,
  ),
  set(
    'a merge operator in reverse order',
    { comparator: comparators.reverse, mergeOperator: joining, strategy: tiered },
    { order: comparators.reverse },
  ),
  set(
    'a merge operator in an order of its own, on disk',
    {
      comparator: { module, export: 'rotated', options: rotation },
      mergeOperator: { module: operators, export: 'joining' },
      strategy: tiny,
    },
    { where: 'disk', order: rotated(rotation) },
  ),
  set('prefixes of one byte', { ...manual, prefixExtractor: prefixExtractors.fixed(1) }),
  set(
    'prefixes of five bytes, filters in partitions, on disk',
    {
      prefixExtractor: prefixExtractors.fixed(5),
      filterPartitioning: true,
      strategy: tiny,
      blockSize: 128,
    },
    disk,
  ),
  set('prefixes up to slashes, v5 filters', {
    prefixExtractor: prefixExtractors.delimiter('/'),
    filterFormat: 'v5',
    strategy: tiered,
  }),
  set('prefixes of every length, by a plain object', {
    ...manual,
    prefixExtractor: everyLength({ most: 8 }),
    strategy: tiered,
  }),
  set(
    'prefixes of every length, by a module on disk',
    {
      prefixExtractor: { module: extractors, export: 'everyLength', options: { most: 8 } },
      blockSize: 256,
    },
    disk,
  ),
  set(
    'prefixes in an order of its own',
    {
      ...manual,
      comparator: shortFromBehind,
      prefixExtractor: prefixExtractors.fixed(2),
      strategy: tiered,
    },
    { order: shortFromBehind },
  ),
  set(
    'keys as u64, which is bytes',
    { comparator: comparators.u64be },
    { order: comparators.u64be },
  ),
  set('reverse order', { comparator: comparators.reverse }, { order: comparators.reverse }),
  set(
    'reverse order by hand, in tiny tables',
    { ...manual, comparator: comparators.reverse, strategy: tiny, blockSize: 64 },
    { order: comparators.reverse, cacheBytes: 4 * KIB },
  ),
  set(
    'reverse order on disk, index spills, filters in partitions',
    {
      comparator: comparators.reverse,
      filterPartitioning: true,
      runtime: { indexPartitionSpillThreshold: 0 },
    },
    { where: 'disk', order: comparators.reverse },
  ),
  set(
    'an order of its own, as a plain object',
    { ...manual, comparator: shortFromBehind, blockSize: 256 },
    { order: shortFromBehind },
  ),
  set(
    'an order of its own, as a plain object on disk',
    { comparator: shortFromBehindAt, strategy: tiered },
    { where: 'disk', order: shortFromBehind },
  ),
  set(
    'an order of its own, as a module on disk',
    { comparator: { module, export: 'rotated', options: rotation }, indexRestartInterval: 7 },
    { where: 'disk', order: rotated(rotation) },
  ),
]

/** The sets whose trees can be opened under `set`. */
export function setsLike({ order }: OptionSet): readonly OptionSet[] {
  return OPTION_SETS.filter((other) => other.order?.name === order?.name)
}

/** The options of `set` such that tables compressed with the dictionary can be read. */
export function withDictionary({ options }: OptionSet): OpenOptions {
  return { ...options, compression: ['lz4', { zstdDict: DICTIONARY, level: 1 }] }
}

/** True where the set writes tables that need the dictionary. */
export function usesDictionary({ options }: OptionSet): boolean {
  return [options.compression ?? 'none']
    .flat()
    .some((option) => typeof option === 'object' && 'zstdDict' in option)
}
