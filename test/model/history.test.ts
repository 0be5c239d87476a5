// Random programs that collect nothing: every moment of the past stays as it was, forward and backward. SEED=… replays.
import t from 'tap'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { runSeed } from '../support/random.js'
import { play, record } from './recording.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

for (let round = 0; round < 6; round++) {
  t.test(`\`prop_mvcc\`: program ${round}`, async (t) => {
    const text = record((seed + round) >>> 0, 200, false)
    const report = await play(text, { fs: new MemoryFileSystem() })
    t.ok(report.comparisons > 100, JSON.stringify(report))
  })
}
