/**
 * Range scans over random trees against the plain twin: bounds, both directions, seqnos, operands
 * that resolve to a value or to nothing, range tombstones, restrictions; and damage met on the way.
 */
import t from 'tap'
import { VarveError } from '../../../../src/shared/base/errors.js'
import type { KeyBound } from '../../../../src/shared/base/key-order.js'
import { RangeScan, type Row, type ScanRange } from '../../../../src/shared/iterator/range-scan.js'
import {
  KIND_MERGE_OPERAND,
  SCAN_EVERY_VERSION,
  SCAN_KEYS_ONLY,
} from '../../../../src/shared/kernel/layout.js'
import { compareBytes } from '../../../../src/shared/kernel/reference/memtable.js'
import { scanVersions } from '../../../../src/shared/kernel/reference/scan.js'
import type { Version } from '../../../../src/shared/kernel/reference/version.js'
import { BlockProvider } from '../../../../src/shared/table/block-provider.js'
import { Random, runSeed } from '../../../support/random.js'
import { type TestState, TestStates } from '../../../support/states.js'
import { testCache, testWorkspace } from '../../../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { shared, heap } = workspace
const states = new TestStates(workspace, random)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** What a key's operands come to: nothing for every third key. */
function resolve(key: Uint8Array): Uint8Array | undefined {
  const sum = key.reduce((total, byte) => total + byte, 0)
  return sum % 3 === 0 ? undefined : Buffer.from(`resolved ${hex(key)}`)
}

/** What the scan should yield, as `key=value` lines. */
function expectedLines({ plain }: TestState, range: ScanRange): string[] {
  const sources = [
    ...plain.memtables,
    ...plain.runs.map(({ tables }) =>
      tables.flatMap(({ versions, restriction }) =>
        versions.filter(({ key }) => !restriction || compareBytes(key, restriction) >= 0),
      ),
    ),
  ]
  const everyVersion = (range.flags & SCAN_EVERY_VERSION) !== 0
  return scanVersions(sources, { ...range, everyVersion }, plain.ranges).flatMap((version) => {
    const { key, kind, value } = version
    const isOperand = kind === KIND_MERGE_OPERAND && !everyVersion
    const shown = isOperand ? resolve(key) : value
    if (shown === undefined) return []
    return [`${hex(key)}=${range.flags & SCAN_KEYS_ONLY ? shown.length : hex(shown)}`]
  })
}

function scanLines(scan: RangeScan, flags: number): string[] {
  const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 } satisfies Row
  const lines: string[] = []
  while (scan.next(row)) {
    const key = hex(shared.view(row.keyAddress, row.keyLength))
    const value = hex(shared.view(row.valueAddress, row.valueLength))
    lines.push(`${key}=${flags & SCAN_KEYS_ONLY ? row.valueLength : value}`)
  }
  return lines
}

function someBound(keys: readonly Uint8Array[]): KeyBound | undefined {
  if (random.chance(0.3)) return undefined
  const key = random.pick(keys)
  const bytes = random.pick([key, Uint8Array.from([...key, 0]), random.bytes(1 + random.below(4))])
  return { key: bytes, isInclusive: random.chance(0.5) }
}

function showBound(bound: KeyBound | undefined): string {
  if (bound === undefined) return 'none'
  return `${hex(bound.key)} ${bound.isInclusive ? 'inclusive' : 'exclusive'}`
}

for (const capacityBytes of [0, 96 << 10, 8 << 20]) {
  t.test(`random trees, a cache of ${capacityBytes} bytes`, async (t) => {
    const wrong: string[] = []
    let rows = 0
    for (let round = 0; round < 40; round++) {
      const state = states.random()
      const cache = testCache(workspace, capacityBytes)
      const provider = new BlockProvider(workspace, states.loader, cache.view)
      const { memtables, runs } = state
      const view = { stateAddress: state.address, memtables, runs }
      for (let i = 0; i < 25; i++) {
        const range: ScanRange = {
          lower: someBound(state.keys),
          upper: someBound(state.keys),
          seqno: random.chance(0.5) ? state.seqnoEnd : random.below(state.seqnoEnd),
          isReverse: random.chance(0.5),
          flags: random.pick([0, 0, 0, SCAN_KEYS_ONLY, SCAN_EVERY_VERSION]),
        }
        const usedBytes = heap.usedBytes
        const scan = new RangeScan(workspace, provider, view, range, resolve)
        const found = scanLines(scan, range.flags)
        scan.dispose()
        const expected = expectedLines(state, range)
        rows += expected.length
        if (found.join('\n') !== expected.join('\n')) {
          const bounds = `${showBound(range.lower)} … ${showBound(range.upper)}`
          const direction = range.isReverse ? 'reverse' : 'forward'
          const counts = `${found.length} rows, expected ${expected.length}`
          wrong.push(`round ${round}, ${direction}, flags ${range.flags}, ${bounds}: ${counts}`)
        }
        if (heap.usedBytes > usedBytes + (1 << 20)) wrong.push('memory was not given back')
      }
      provider.dispose()
      cache.dispose()
      states.release()
    }
    t.strictSame(wrong.slice(0, 5), [])
    t.ok(rows > 1000, `${rows} rows`)
  })
}

t.test('a block that cannot be read: the error comes out, and the memory goes back', async (t) => {
  const versions = Array.from({ length: 50 }, (_, i): Version => {
    return { key: Uint8Array.of(1, i), seqno: 1, kind: 0, value: Uint8Array.of(i) }
  })
  const table = states.table(versions, { blockSize: 20 })
  const runs = [{ level: 1, tables: [table] }]
  const stateAddress = states.publish([], runs)
  const view = { stateAddress, memtables: [], runs }
  const failing = (after: number) => {
    let left = after
    const provider = new BlockProvider(workspace, states.loader, testCache(workspace, 0).view)
    return {
      cacheAddress: 0,
      get: (...block: Parameters<BlockProvider['get']>) => {
        if (left-- === 0) throw new VarveError('VARVE_IO', 'the disk is gone')
        return provider.get(...block)
      },
    }
  }
  const range = { lower: undefined, upper: undefined, seqno: 9, isReverse: false, flags: 0 }
  for (const after of [0, 1, 2, 5]) {
    const giver = failing(after)
    const usedBytes = heap.usedBytes
    t.throws(
      () => {
        const scan = new RangeScan(workspace, giver, view, range, resolve)
        try {
          scanLines(scan, 0)
        } finally {
          scan.dispose()
        }
      },
      { code: 'VARVE_IO' },
    )
    t.equal(heap.usedBytes, usedBytes, `after ${after} blocks`)
  }
  states.release()
})
