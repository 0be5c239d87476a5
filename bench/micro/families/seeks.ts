/**
 * A seek that reads ten entries, taken apart: the kernel, a scan around it, Buffers, the iterator; everything lies in the
 * block cache. Keys anywhere in a table that is larger than what processors cache, and always the same one.
 *
 * The contenders are steps: each does what the one before does, and more. The last one does nothing but copy as many bytes
 * and make as many Buffers and pairs as ten entries are.
 */
import { Piece } from '../../../src/main/reading/piece.js'
import { RowReader, type RowSource } from '../../../src/main/reading/row-reader.js'
import { TreeIterator } from '../../../src/main/reading/tree-iterator.js'
import { noOperands, RangeScan } from '../../../src/shared/iterator/range-scan.js'
import { ROW_KEY } from '../../../src/shared/kernel/layout.js'
import { useLargePages } from '../../../src/shared/memory/large-pages.js'
import { BlockProvider } from '../../../src/shared/table/block-provider.js'
import { Random } from '../../../test/support/random.js'
import { TestStates } from '../../../test/support/states.js'
import { testCache, testWorkspace } from '../../../test/support/workspace.js'
import { entriesOf, KEY_BYTES, VALUE_BYTES } from '../entries.js'
import { type Effort, mix, operationsFor, type Row, race } from '../race.js'

const ROWS = 10
const ROW_BYTES = ROW_KEY + KEY_BYTES + VALUE_BYTES + 4
/** What rows are copied into, as `row-reader.ts` does it. */
const SLAB_BYTES = 32 * 1024
const SEQNO_END = 2 ** 40
const KEYS_MASK = 0xffff

/** A table with every key, its blocks in the cache; and its keys, but for the last ones, in order. */
function bigTable(scale: number): { source: RowSource; keys: readonly Uint8Array[] } {
  const count = Math.max(400, Math.ceil(400_000 * scale))
  const workspace = testWorkspace(Math.ceil(64 + 192 * scale))
  useLargePages(workspace.shared.buffer)
  const states = new TestStates(workspace, new Random(1))
  const filter = { bits: 0, format: 'varve', isPartitioned: false } as const
  const versions = entriesOf(0, count, 1, 0)
  const runs = [{ level: 6, tables: [states.table(versions, { filter })] }]
  const cache = testCache(workspace, Math.ceil(8 + 88 * scale) << 20)
  const source = {
    workspace,
    giver: new BlockProvider(workspace, states.loader, cache.view),
    view: { stateAddress: states.publish([], runs), memtables: [], runs },
    release() {},
    resolve: noOperands,
  }
  return { source, keys: versions.slice(0, -ROWS).map(({ key }) => key) }
}

const rangeFrom = (key: Uint8Array | undefined) => ({
  lower: key === undefined ? undefined : { key, isInclusive: true },
  upper: undefined,
  ...{ prefix: undefined, probe: undefined },
  ...{ seqno: SEQNO_END, isReverse: false, flags: 0, rowsWanted: ROWS },
})

/** A digest of ten entries, by what each contender has of them at hand. */
function steps(source: RowSource, keyAt: (i: number) => Uint8Array) {
  const { workspace, giver, view } = source
  const { bytes } = workspace.shared
  const open = (key: Uint8Array) =>
    new RangeScan(workspace, giver, view, rangeFrom(key), noOperands)
  const one = open(keyAt(0))
  const firstBytes = (scan: RangeScan): number => {
    if (scan.nextBatch() !== true) throw new RangeError('a seek found nothing')
    let digest = 0
    for (let i = 0; i < ROWS; i++) {
      digest = mix(digest, VALUE_BYTES + (bytes[scan.batchAddress + i * ROW_BYTES + ROW_KEY] ?? 0))
    }
    return digest
  }
  const kernel = (i: number): number => {
    one.seek({ key: keyAt(i), isInclusive: true })
    return firstBytes(one)
  }
  const scan = (i: number): number => {
    const scan = open(keyAt(i))
    const digest = firstBytes(scan)
    scan.dispose()
    return digest
  }
  const taste = (digest: number, key: Buffer, value: Buffer): number =>
    mix(digest, value.length + (key[0] as number))
  const rows = (i: number): number => {
    const rows = new RowReader(source, rangeFrom(keyAt(i)))
    let digest = 0
    for (let n = 0; n < ROWS && rows.next(); n++) digest = taste(digest, rows.key(), rows.value())
    rows.dispose()
    return digest
  }
  const iterator = (i: number): number => {
    let digest = 0
    const range = rangeFrom(keyAt(i))
    for (const [key, value] of new TreeIterator<[Buffer, Buffer]>(source, range, 'entries'))
      digest = taste(digest, key, value)
    return digest
  }
  let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  let memory = slab.buffer
  let top = 0
  const buffers = (): number => {
    if (top + ROWS * ROW_BYTES > SLAB_BYTES) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      memory = slab.buffer
      top = 0
    }
    workspace.shared.copyTo(slab, top, one.batchAddress, ROWS * ROW_BYTES)
    const end = top + ROWS * ROW_BYTES
    let digest = 0
    for (let at = top + ROW_KEY; at < end; at += ROW_BYTES) {
      const key = new Piece(memory, at, KEY_BYTES)
      const pair = [key, new Piece(memory, at + KEY_BYTES, VALUE_BYTES)] as const
      digest = taste(digest, ...pair)
    }
    top = end
    return digest
  }
  return { kernel, scan, rows, iterator, buffers }
}

export function seeks(effort: Effort): Row[] {
  const { source, keys } = bigTable(effort.scale)
  const random = new Random(2)
  // Copies, so that they lie in the order in which they are used: the keys' own misses are not what is timed.
  const drawn = Array.from({ length: KEYS_MASK + 1 }, () => Uint8Array.from(random.pick(keys)))
  const places: [name: string, keyAt: (i: number) => Uint8Array][] = [
    ['ten entries from a key anywhere', (i) => drawn[i & KEYS_MASK] as Uint8Array],
    ['ten entries from one key', () => keys[0] as Uint8Array],
  ]
  return places.flatMap(([name, keyAt]) => {
    const { kernel, scan, rows, iterator, buffers } = steps(source, keyAt)
    // Fills the cache.
    const all = new RowReader(source, { ...rangeFrom(undefined), rowsWanted: Infinity })
    while (all.next());
    all.dispose()
    // Short rounds, which a busy machine leaves alone more often; each goes on behind the keys of the one before.
    const operations = operationsFor(1000, effort, 4)
    const contender = (name: string, step: (i: number) => number, result = step) => {
      let next = 0
      return { name, operations, operation: () => step(next++), result }
    }
    return race(
      { family: 'seeks', name },
      [
        contender('kernel', kernel),
        contender('a scan for each', scan),
        contender('with Buffers', rows),
        contender('by an iterator', iterator),
        contender('Buffers alone', buffers, kernel),
      ],
      10 * effort.rounds,
    )
  })
}
