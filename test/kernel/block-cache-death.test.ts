/**
 * A thread that ends at any atomic access of an insertion: the kernel throws there, which leaves the memory as a terminated
 * thread does. Whatever it was about, main puts the cache in order. Prints its seed.
 */
import t from 'tap'
import { CACHE_LOCK } from '../../src/shared/kernel/layout-cache.js'
import { CacheView } from '../../src/shared/memory/cache-view.js'
import { EpochSlot } from '../../src/shared/memory/epochs.js'
import { SharedMemory } from '../../src/shared/memory/shared-memory.js'
import { auditCache } from '../support/cache-audit.js'
import { fillHammerBlock, hammerBlock, isHammerBlock } from '../support/cache-hammer.js'
import { type Hooks, pausedKernel } from '../support/paused-kernel.js'
import { Random, runSeed } from '../support/random.js'
import { testCache, testEpochs, testWorkspace } from '../support/workspace.js'

const BYTES_MAX = 6000
const NAMES = 80
const ACCESSES = 1500

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)

t.test('a thread ends at each atomic access while it fills the cache', async (t) => {
  const workspace = testWorkspace(16)
  const { shared, heap } = workspace
  const epochs = testEpochs(workspace)
  const cache = testCache(workspace, 5 * 32 * 1024)
  const source = heap.allocate(BYTES_MAX)
  const end = new Error('the thread ends')
  let left = 0
  const access = (): void => {
    if (left > 0 && --left === 0) throw end
  }
  const hooks: Hooks = { stored: access, loaded: access }
  const kernel = await pausedKernel(shared.memory, hooks)
  const mortal = new SharedMemory(shared.memory, shared.order, kernel)
  const wrong: string[] = []

  /** Puts a block in, or finds it there. */
  const use = (view: CacheView, name: number): number => {
    const block = hammerBlock(name, BYTES_MAX)
    const found = view.find(block.owner, block.offset)
    if (found !== 0) {
      if (!isHammerBlock(shared.u32, found, block)) wrong.push(`${name} has other bytes`)
      return found
    }
    fillHammerBlock(shared.u32, source, block)
    return view.insert(block.owner, block.offset, source, block.words * 4, random.chance(0.2))
  }

  let locked = 0
  for (let accesses = 1; accesses <= ACCESSES; accesses++) {
    for (let i = 0; i < 12; i++) use(cache.view, random.below(NAMES))
    const slot = epochs.take()!
    const epoch = new EpochSlot(shared, epochs.address, slot)
    const address = cache.openView(slot)
    const view = new CacheView(mortal, address)
    const name = random.below(NAMES)
    const kept = use(cache.view, name)
    const isPinned = random.chance(0.5) && kept !== 0 && cache.view.pin(kept)
    epoch.enter()
    left = accesses
    try {
      while (left > 0) use(view, random.below(NAMES))
    } catch (error) {
      if (error !== end) throw error
    }
    left = 0
    const holder = shared.loadU32(cache.address + CACHE_LOCK)
    if (holder !== 0) locked++
    if (holder !== 0 && holder !== slot + 1) wrong.push(`${holder} holds the lock`)
    // Others read on meanwhile.
    for (let i = 0; i < NAMES; i += 7) {
      const block = hammerBlock(i, BYTES_MAX)
      const found = cache.view.find(block.owner, block.offset)
      if (found !== 0 && !isHammerBlock(shared.u32, found, block)) wrong.push(`${i} is torn`)
    }
    cache.closeView(address)
    epochs.give(slot)
    wrong.push(...auditCache(shared, cache.address).problems)
    for (let i = 0; i < 12; i++) use(cache.view, random.below(NAMES))
    if (isPinned) {
      if (!isHammerBlock(shared.u32, kept, hammerBlock(name, BYTES_MAX))) wrong.push('a pin moved')
      cache.view.unpin(kept)
    }
    wrong.push(...auditCache(shared, cache.address).problems)
    if (wrong.length > 0) break
  }
  t.strictSame(wrong.slice(0, 5), [])
  t.ok(locked > ACCESSES / 10, `${locked} ended with the lock`)
  cache.dispose()
})
