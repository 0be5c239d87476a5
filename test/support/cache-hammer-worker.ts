/** A hammer in a thread of its own: tells when it is under way, and reports when it is asked to stop. */
import { parentPort, workerData } from 'node:worker_threads'
import { Hammer, type HammerData } from './cache-hammer.js'

const STEPS_FIRST = 300

const data = workerData as HammerData
const stops = new Int32Array(data.stops)
const hammer = new Hammer(data)
for (let i = 0; i < STEPS_FIRST; i++) hammer.step()
parentPort!.postMessage('under way')
// Pairs with the store in block-cache-threads.test.ts.
while (Atomics.load(stops, data.slot) === 0) {
  if (data.isFiller) hammer.fill()
  else hammer.step()
}
parentPort!.postMessage(hammer.report())
