/**
 * The range kernels against their plain twin: random range tombstones, nested, stacked and apart, in memtables whose
 * sets are joined as they grow, and in sets of their own; covers and gaps at every seqno.
 */
import t from 'tap'
import {
  MEMTABLE_RANGE_COUNT,
  MEMTABLE_RANGE_LIST,
  RANGE_GAP_BYTES,
  RANGE_GAP_COVER,
  RANGE_GAP_HIGH,
  RANGE_GAP_HIGH_LENGTH,
  RANGE_GAP_LOW,
  RANGE_GAP_LOW_EXCLUSIVE,
  RANGE_GAP_LOW_LENGTH,
  RANGE_LIST_COUNT,
  RANGE_LIST_SETS,
  RANGE_SET_COUNT,
} from '../../src/shared/kernel/layout-ranges.js'
import { compareBytes } from '../../src/shared/kernel/reference/memtable.js'
import { coverOf, type ReferenceRange } from '../../src/shared/kernel/reference/ranges.js'
import { Random, runSeed } from '../support/random.js'
import { TestStates } from '../support/states.js'
import { testWorkspace } from '../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { shared, heap } = workspace
const { kernel } = shared
const states = new TestStates(workspace, random)
const keyPlace = heap.allocate(65_536)
const gap = heap.allocate(RANGE_GAP_BYTES)

const put = (key: Uint8Array): number => {
  shared.bytes.set(key, keyPlace)
  return key.length
}

/** A memtable of `bytes` bytes with the ranges as far as they fit: how many did. */
function fill(memtable: number, ranges: readonly ReferenceRange[]): number {
  for (const [i, { start, end, seqno }] of ranges.entries()) {
    const address = kernel.memtable_reserve(memtable, start.length, end.length)
    if (address === 0) return i
    shared.bytes.set(start, address)
    shared.bytes.set(end, address + start.length)
    kernel.memtable_commit_range(memtable, start.length, end.length, seqno)
    kernel.memtable_settle_ranges(memtable)
  }
  return ranges.length
}

function setCounts(memtable: number): number[] {
  const list = shared.getU32(memtable + MEMTABLE_RANGE_LIST)
  if (list === 0) return []
  return Array.from({ length: shared.getU32(list + RANGE_LIST_COUNT) }, (_, i) =>
    shared.getU32(shared.getU32(list + RANGE_LIST_SETS + 4 * i) + RANGE_SET_COUNT),
  )
}

function someKey(spread: number): Uint8Array {
  const prefix = random.pick(['', 'user:', 'a-long-common-prefix/'])
  const number = random.below(spread)
  const tail = random.chance(0.2) ? [0] : random.chance(0.2) ? [255, 255] : []
  return Buffer.concat([
    Buffer.from(`${prefix}${String(number).padStart(4, '0')}`),
    Buffer.from(tail),
  ])
}

function someRanges(count: number, spread: number): ReferenceRange[] {
  const shape = random.below(4)
  const ranges: ReferenceRange[] = []
  while (ranges.length < count) {
    const first = shape === 1 ? Buffer.from('user:0000') : someKey(spread)
    const second = shape === 2 ? Buffer.concat([first, Buffer.of(1)]) : someKey(spread)
    const [start, end] = [first, second].sort(compareBytes) as [Uint8Array, Uint8Array]
    if (compareBytes(start, end) === 0) continue
    // Mostly ascending seqnos, sometimes late ones.
    const seqno = random.chance(0.8) ? ranges.length : random.below(count)
    ranges.push({ start, end, seqno })
  }
  return ranges
}

/** Keys at, before and behind bounds, and between them. */
function probes(ranges: readonly ReferenceRange[], spread: number): Uint8Array[] {
  const bounds = Array.from({ length: 60 }, () => {
    const range = random.pick(ranges)
    return random.pick([range.start, range.end])
  })
  return [
    ...bounds,
    ...bounds.map((key) => Buffer.concat([key, Buffer.of(0)])),
    ...bounds.map((key) => key.subarray(0, Math.max(1, key.length - 1))),
    ...Array.from({ length: 40 }, () => someKey(spread)),
    Buffer.of(0),
    Buffer.of(255),
  ]
}

for (const count of [1, 5, 31, 32, 33, 200, 1500]) {
  t.test(`${count} range tombstones in a memtable`, async (t) => {
    const wrong: string[] = []
    for (let round = 0; round < 6; round++) {
      const spread = random.pick([3, 40, 2000])
      const ranges = someRanges(count, spread)
      const memtable = heap.allocate(4 << 20)
      kernel.memtable_init(memtable, 4 << 20)
      t.equal(fill(memtable, ranges), count)
      const sets = setCounts(memtable)
      const inSets = sets.reduce((sum, one) => sum + one, 0)
      if (count - inSets >= 32) wrong.push(`${count - inSets} are looked at one by one`)
      if (sets.length > Math.log2(count) + 1) wrong.push(`${sets.length} sets`)
      const state = states.publish([memtable], [])
      for (const key of probes(ranges, spread)) {
        for (const seqno of [0, 1, random.below(count + 2), count, Number.MAX_SAFE_INTEGER]) {
          const found = kernel.state_cover_at(state, keyPlace, put(key), seqno)
          const expected = coverOf(ranges, key, seqno)
          if (found !== expected) wrong.push(`${key} at ${seqno}: ${found}, not ${expected}`)
        }
      }
      states.release()
      heap.free(memtable)
    }
    t.strictSame(wrong.slice(0, 5), [])
  })
}

t.test('what covers a key covers its whole gap', async (t) => {
  const wrong: string[] = []
  let wide = 0
  for (let round = 0; round < 60; round++) {
    const state = states.random()
    const bounds = [...state.keys, ...state.keys.map((key) => Uint8Array.from([...key, 0]))]
    for (let i = 0; i < 30; i++) {
      const key = random.pick(bounds)
      const seqno = random.chance(0.5) ? state.seqnoEnd : random.below(state.seqnoEnd)
      kernel.state_gap_at(state.address, gap, keyPlace, put(key), seqno)
      const cover = shared.getU64(gap + RANGE_GAP_COVER) - 1
      const at = (field: number, length: number): Uint8Array | undefined => {
        const address = shared.getU32(gap + field)
        return address === 0 ? undefined : shared.copy(address, shared.getU32(gap + length))
      }
      const low = at(RANGE_GAP_LOW, RANGE_GAP_LOW_LENGTH)
      const high = at(RANGE_GAP_HIGH, RANGE_GAP_HIGH_LENGTH)
      const isExclusive = shared.getU32(gap + RANGE_GAP_LOW_EXCLUSIVE) === 1
      const inside = bounds.filter((one) => {
        const above = low === undefined ? 1 : compareBytes(one, low)
        if (above < 0 || (above === 0 && isExclusive)) return false
        return high === undefined || compareBytes(one, high) < 0
      })
      if (!inside.some((one) => compareBytes(one, key) === 0)) wrong.push('the key lies outside')
      if (inside.length > 1) wide++
      for (const one of inside) {
        const expected = coverOf(state.plain.ranges, one, seqno)
        if (expected !== cover) wrong.push(`round ${round}: ${cover}, not ${expected}`)
      }
    }
    states.release()
  }
  t.strictSame(wrong.slice(0, 5), [])
  t.ok(wide > 100, `${wide} gaps held more than one key`)
})

t.test(
  'a table is covered only where every key of its range is, by newer tombstones',
  async (t) => {
    let covered = 0
    const wrong: string[] = []
    for (let round = 0; round < 200; round++) {
      const state = states.random()
      for (const { tables } of state.runs) {
        for (const table of tables) {
          const seqno = random.chance(0.7) ? state.seqnoEnd : random.below(state.seqnoEnd)
          if (kernel.table_is_covered_at(state.address, table.address, gap, seqno) === 0) continue
          covered++
          const { keyMin, keyMax, seqnoKvMax } = table.table.meta
          const newest = seqnoKvMax + table.globalSeqno
          for (const key of state.keys) {
            if (compareBytes(key, keyMin) < 0 || compareBytes(key, keyMax) > 0) continue
            if (coverOf(state.plain.ranges, key, seqno) <= newest) wrong.push(`round ${round}`)
          }
        }
      }
      states.release()
    }
    t.strictSame(wrong.slice(0, 5), [])
    t.ok(covered > 20, `${covered} tables were`)
  },
)

t.test('a small memtable fills up, and answers right all the way', async (t) => {
  const bytes = 64 << 10
  const memtable = heap.allocate(bytes)
  kernel.memtable_init(memtable, bytes)
  const ranges = someRanges(5000, 2000)
  const count = fill(memtable, ranges)
  t.ok(count > 200 && count < 5000, `${count} fitted`)
  t.equal(shared.getU32(memtable + MEMTABLE_RANGE_COUNT), count)
  const state = states.publish([memtable], [])
  const written = ranges.slice(0, count)
  const wrong = probes(written, 2000).filter((key) => {
    const found = kernel.state_cover_at(state, keyPlace, put(key), Number.MAX_SAFE_INTEGER)
    return found !== coverOf(written, key, Number.MAX_SAFE_INTEGER)
  })
  t.strictSame(wrong, [])
  states.release()
  heap.free(memtable)
})

t.test('bounds of the longest kind', async (t) => {
  const long = (last: number): Uint8Array => {
    const key = Buffer.alloc(65_535, 97)
    key[65_534] = last
    return key
  }
  const ranges = [
    { start: long(1), end: long(5), seqno: 1 },
    { start: long(3), end: long(9), seqno: 2 },
  ]
  const memtable = heap.allocate(1 << 20)
  kernel.memtable_init(memtable, 1 << 20)
  t.equal(fill(memtable, ranges), 2)
  const state = states.publish([memtable], [])
  const covers = [0, 1, 2, 3, 4, 5, 8, 9].map((last) =>
    kernel.state_cover_at(state, keyPlace, put(long(last)), 9),
  )
  t.strictSame(covers, [-1, 1, 1, 2, 2, 2, 2, -1])
  states.release()
  heap.free(memtable)
})
