/**
 * Range tombstones: building a set of them, and what covers a key; the kernels and the twin, which looks at all of them.
 */
import {
  STATE_BYTES,
  STATE_MEMTABLE_COUNT,
  STATE_MEMTABLES,
} from '../../../src/shared/kernel/layout.js'
import { coverOf, type ReferenceRange } from '../../../src/shared/kernel/reference/ranges.js'
import type { Workspace } from '../../../src/shared/memory/workspace.js'
import { RangeSet } from '../../../src/shared/table/range-set.js'
import { place, testWorkspace } from '../../../test/support/workspace.js'
import { KEY_BYTES, keyOf } from '../entries.js'
import { type Effort, operationsFor, type Row, race } from '../race.js'

/** Ranges between random keys, short ones mostly. */
function someRanges(count: number): ReferenceRange[] {
  const bounds = Array.from({ length: 2 * count }, (_, i) => keyOf(i)).sort(Buffer.compare)
  return Array.from({ length: count }, (_, i) => {
    const from = (2 * i * 7919) % (2 * count - 1)
    const width = 1 + (i % 5)
    const end = bounds[Math.min(from + width, 2 * count - 1)] as Buffer
    return { start: bounds[from] as Buffer, end, seqno: i + 1 }
  }).filter(({ start, end }) => Buffer.compare(start, end) < 0)
}

/** A published state of one memtable that holds the ranges. */
function stateOf({ shared, heap }: Workspace, ranges: readonly ReferenceRange[]): number {
  const { kernel } = shared
  const size = 64 * 1024 + ranges.length * 600
  const memtable = heap.allocate(size)
  kernel.memtable_init(memtable, size)
  for (const { start, end, seqno } of ranges) {
    const at = kernel.memtable_reserve(memtable, start.length, end.length)
    if (at === 0) throw new Error('the memtable is too small')
    shared.bytes.set(start, at)
    shared.bytes.set(end, at + start.length)
    kernel.memtable_commit_range(memtable, start.length, end.length, seqno)
    kernel.memtable_settle_ranges(memtable)
  }
  const state = heap.allocate(STATE_BYTES + 8)
  shared.bytes.fill(0, state, state + STATE_BYTES + 8)
  shared.setU32(state + STATE_MEMTABLE_COUNT, 1)
  shared.setU32(state + STATE_MEMTABLES, state + STATE_BYTES)
  shared.setU32(state + STATE_BYTES, memtable)
  return state
}

export function rangeSets(effort: Effort): Row[] {
  const { scale, rounds } = effort
  const rows: Row[] = []
  for (const most of [100, 10_000]) {
    const ranges = someRanges(Math.max(50, Math.ceil(most * scale)))
    const workspace = testWorkspace(48)
    const { shared } = workspace
    const state = stateOf(workspace, ranges)
    const keys = Array.from({ length: 1024 }, (_, i) => keyOf(i * 3 + (i & 1)))
    const places = keys.map((key) => place(workspace, key))
    const seqno = ranges.length + 2
    const tombstones = ranges.map(({ start, end, seqno: at }) => ({ start, end, seqno: at }))
    const family = 'range-sets'
    rows.push(
      ...race(
        { family, name: `cover, ${ranges.length} ranges` },
        [
          {
            ...{ name: 'kernel', operations: operationsFor(150, effort) },
            operation: (i) =>
              shared.kernel.state_cover_at(state, places[i & 1023] as number, KEY_BYTES, seqno),
          },
          {
            ...{ name: 'twin', operations: operationsFor(60 * ranges.length, effort) },
            operation: (i) => coverOf(ranges, keys[i & 1023] as Uint8Array, seqno),
          },
        ],
        rounds,
      ),
      ...race(
        { family, name: `build a set, ${ranges.length} ranges`, items: ranges.length },
        [
          {
            ...{ name: 'kernel', operations: operationsFor(400 * ranges.length, effort) },
            operation: () => {
              const set = new RangeSet(workspace, tombstones)
              set.dispose()
              return 1
            },
          },
        ],
        rounds,
      ),
    )
  }
  return rows
}
