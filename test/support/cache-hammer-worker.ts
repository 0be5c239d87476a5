/**
 * A hammer in a thread of its own: tells when it is under way, and reports when it is asked to stop. Or stands still in the
 * midst of an insertion, and tells that.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { CACHE_LOCK, VIEW_CACHE } from '../../src/shared/kernel/layout-cache.js'
import { SharedMemory } from '../../src/shared/memory/shared-memory.js'
import { Hammer, type HammerData } from './cache-hammer.js'
import { pausedKernel } from './paused-kernel.js'

const STEPS_FIRST = 300

const data = workerData as HammerData
const stops = new Int32Array(data.stops)
const plain = new SharedMemory(data.memory)
const lock = plain.getU32(data.view + VIEW_CACHE) + CACHE_LOCK
let left = data.standsAfter

/** After each atomic access of a thread that is to stand still. */
function access(): void {
  if (left === 0 || plain.loadU32(lock) !== data.slot + 1 || --left > 0) return
  parentPort!.postMessage('stands still')
  for (;;) Atomics.wait(stops, data.slot, 0)
}

const hooks = { stored: access, loaded: access }
const kernel = left > 0 ? await pausedKernel(data.memory, hooks) : plain.kernel
const hammer = new Hammer(data, new SharedMemory(data.memory, plain.order, kernel))
for (let i = 0; left > 0 || i < STEPS_FIRST; i++) hammer.step()
parentPort!.postMessage('under way')
// Pairs with the store in block-cache-threads.test.ts.
while (Atomics.load(stops, data.slot) === 0) hammer.step()
parentPort!.postMessage(hammer.report())
