/**
 * A power cut before every call that makes something durable, moves a name or punches a hole, while merges run in tight
 * slices: every disk opens with every key as it was, and its merge goes on. SEED=… replays.
 */
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { type OpenOptions, open, type Tree } from '../../src/main/index.js'
import { FaultFileSystem, type FileOperation } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../support/random.js'
import { visibleLines } from '../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
const { heap } = processEnvironment()

const CUT_BEFORE: readonly FileOperation[] = [
  'sync',
  'syncDirectory',
  'rename',
  'remove',
  'punchHole',
]

async function fill(tree: Tree, random: Random): Promise<void> {
  const key = (): string => `key${String(random.below(120)).padStart(4, '0')}`
  for (let flush = 1 + random.below(3); flush >= 0; flush--) {
    for (let i = 0; i < 120; i++) {
      const kind = random.below(25)
      if (kind < 20) tree.insert(key(), 'v'.repeat(random.below(1500)))
      else if (kind < 24) tree.remove(key())
      else tree.removeRange(key(), key())
    }
    await tree.flush({ gcWatermark: 0 })
  }
}

for (let program = 0; program < 4; program++) {
  t.test(`program ${program}`, { timeout: 120_000 }, async (t) => {
    const before = heap.usedBytes
    const random = new Random((seed + program) >>> 0)
    const memory = new MemoryFileSystem()
    const options: OpenOptions = {
      maintenance: 'manual',
      compression: 'none',
      blockSize: random.pick([100, 1000, 4000]),
      manifestLogRotateBytes: random.pick([0, 1000, 1 << 20]),
      runtime: { indexPartitionSpillThreshold: random.pick([0, 1 << 20]) },
    }
    const disks: { fs: MemoryFileSystem; place: string; keepUnsynced: number }[] = []
    let isWatched = false
    const fs = new FaultFileSystem(memory, ({ operation, path }) => {
      if (!isWatched || !CUT_BEFORE.includes(operation)) return undefined
      for (const keepUnsynced of [0, 0.5, 1]) {
        const clone = memory.crashClone({ keepUnsynced, random: () => random.below(1e6) / 1e6 })
        disks.push({ fs: clone, place: `${operation} ${path}`, keepUnsynced })
      }
      return undefined
    })
    const tree = await open('/db', { ...options, fs })
    await fill(tree, random)
    const shown = visibleLines(tree)
    const tight = {
      storageAdmissionCheck: true,
      tightSpaceCompaction: true,
      storageLimitBytes: Math.ceil(tree.diskSpace() * 1.3),
    }
    tree.updateRuntimeConfig(tight)
    isWatched = true
    const result = await tree.majorCompact({ targetSize: random.pick([10_000, 1 << 20]) })
    isWatched = false
    t.equal(result.action, 'merged')
    t.ok(memory.punchedBytes > 0)
    t.same(visibleLines(tree), shown)
    await tree.close()
    let halfDone = 0
    for (const { fs: disk, place, keepUnsynced } of disks) {
      const where = `power cut before ${place}, ${keepUnsynced} kept`
      const mode =
        keepUnsynced === 0 ? {} : { manifestRecoveryMode: 'point-in-time-recovery' as const }
      const again = await open('/db', { ...options, ...mode, fs: disk })
      if (visibleLines(again).join() !== shown.join()) t.fail(where)
      const levels = again.levelSegmentStats().filter(({ segmentCount }) => segmentCount > 0)
      if (levels.length > 1) halfDone++
      again.updateRuntimeConfig(random.chance(0.5) ? tight : {})
      await again.majorCompact()
      if (visibleLines(again).join() !== shown.join()) t.fail(`${where}, and merged`)
      await again.close()
      const last = await open('/db', { ...options, ...mode, fs: disk })
      if (visibleLines(last).join() !== shown.join()) t.fail(`${where}, merged and opened again`)
      await last.close()
    }
    t.ok(disks.length > 30 && halfDone > 0, `${disks.length} disks, ${halfDone} half merged`)
    t.equal(heap.usedBytes, before)
  })
}
