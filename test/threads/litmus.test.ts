/**
 * Threads that read while the owner writes, flushes, merges and clears, with a cache of a few segments, and that are
 * terminated at any moment: each read is checked against its seqno, exactly. Prints its seed; threads do not repeat.
 *
 *     VARVE_LITMUS_SECONDS=600 SEED=n node build/test/threads/litmus.test.js
 */
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { runLitmus } from '../support/litmus-run.js'
import { Random, runSeed } from '../support/random.js'

const seed = runSeed()
const seconds = Number(process.env['VARVE_LITMUS_SECONDS'] ?? 4)
t.comment(`seed ${seed}`)
t.setTimeout(1000 * (3 * seconds + 120))
const { heap, epochs } = processEnvironment()

const scenes = {
  'four threads, a small cache': { readers: 4, cacheBytes: 256 * 1024, deathsPerSecond: 0 },
  'threads that are terminated, a tiny cache': {
    readers: 3,
    cacheBytes: 96 * 1024,
    deathsPerSecond: 4,
  },
}

for (const [name, scene] of Object.entries(scenes)) {
  t.test(name, async (test) => {
    const before = heap.usedBytes
    const random = new Random(seed)
    const result = await runLitmus({ folder: test.testdir(), random, seconds, ...scene })
    test.same(result.failures, [], `seed ${seed}`)
    test.comment(JSON.stringify({ ...result, failures: undefined }))
    test.ok(result.reads > 0 && result.flushes > 0 && result.merges > 0)
    test.equal(heap.usedBytes, before, 'all memory is back')
    test.equal(epochs.readerCount, 0, 'all slots are back')
  })
}
