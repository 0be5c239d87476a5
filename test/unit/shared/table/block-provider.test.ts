/**
 * What a provider gives point reads: a block that comes from the disk as it is, and as a resident one from its second use
 * on, whoever uses it.
 */
import t from 'tap'
import { RESIDENT_COUNT, WANTED_DATA } from '../../../../src/shared/kernel/layout.js'
import {
  COUNTERS_BYTES,
  COUNTERS_CACHED,
  COUNTERS_LOADS,
} from '../../../../src/shared/kernel/layout-metrics.js'
import { BlockProvider } from '../../../../src/shared/table/block-provider.js'
import type { ViewTable } from '../../../../src/shared/table/view-table.js'
import { Random, runSeed } from '../../../support/random.js'
import { TestStates } from '../../../support/states.js'
import { testCache, testWorkspace } from '../../../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { shared, heap } = workspace
const states = new TestStates(workspace, random)

/** A table, and how long its first data block is. */
function someTable(): { readonly table: ViewTable; readonly size: number } {
  for (;;) {
    const [table] = states.random().runs.flatMap(({ tables }) => tables)
    const zone = table?.table.readZoneMap(workspace, states.loader)
    if (table === undefined || zone !== undefined) continue
    const { dataBlockCount, dataBytes } = table.table.meta
    if (dataBlockCount === 1) return { table, size: dataBytes }
  }
}

function counted(work: (provider: BlockProvider, table: ViewTable, size: number) => void) {
  const { table, size } = someTable()
  const counters = heap.allocate(COUNTERS_BYTES)
  shared.bytes.fill(0, counters, counters + COUNTERS_BYTES)
  const cache = testCache(workspace, 1 << 20)
  const provider = new BlockProvider(workspace, states.loader, cache.view, { counters })
  work(provider, table, size)
  const { hits, misses, insertions, evictions } = cache.stats()
  const found = shared.getU64(counters + COUNTERS_CACHED)
  const loads = shared.getU64(counters + COUNTERS_LOADS)
  provider.dispose()
  cache.dispose()
  heap.free(counters)
  return { hits, misses, insertions, evictions, found, loads }
}

t.test('a point read gets the block as it came, then resident', async (t) => {
  const counts = counted((provider, table, size) => {
    const first = provider.point(table, 0, size)
    t.ok(first.isRaw && first.isCached)
    t.ok(provider.holdsRaw(table, 0))
    t.notOk(provider.holds(table, 0))
    const second = provider.point(table, 0, size)
    t.ok(!second.isRaw && second.isCached)
    t.equal(shared.getU32(second.address + RESIDENT_COUNT), table.table.meta.itemCount)
    t.notOk(provider.holdsRaw(table, 0), 'in one form only')
    t.ok(provider.holds(table, 0))
  })
  t.same(counts, { hits: 1, misses: 1, insertions: 2, evictions: 1, found: 1, loads: 1 })
})

t.test('a scan gets what a point read has loaded', async (t) => {
  const counts = counted((provider, table, size) => {
    provider.point(table, 0, size)
    const block = provider.get(table, WANTED_DATA, 0, size)
    t.equal(shared.getU32(block.address + RESIDENT_COUNT), table.table.meta.itemCount)
    t.notOk(provider.holdsRaw(table, 0))
    t.equal(provider.get(table, WANTED_DATA, 0, size).address, block.address)
  })
  t.same(counts, { hits: 2, misses: 1, insertions: 2, evictions: 1, found: 2, loads: 1 })
})

t.test('what a scan has loaded is resident from the first', async (t) => {
  const counts = counted((provider, table, size) => {
    provider.get(table, WANTED_DATA, 0, size)
    t.notOk(provider.holdsRaw(table, 0))
    t.ok(provider.holds(table, 0))
  })
  t.same(counts, { hits: 0, misses: 1, insertions: 1, evictions: 0, found: 0, loads: 1 })
})
