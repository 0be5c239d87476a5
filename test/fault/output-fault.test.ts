/**
 * Tables that are written, synced and named while others are made: every such call fails once, and the power goes before
 * every one of them. SEED=… replays.
 */
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { type OpenOptions, open, type Tree } from '../../src/main/index.js'
import { FaultFileSystem, type FileOperation } from '../../src/shared/fs/fault-file-system.js'
import type { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { DelayedFileSystem } from '../support/delayed-file-system.js'
import { Random, runSeed } from '../support/random.js'
import { codeOf } from '../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
t.setTimeout(180_000)
const { heap } = processEnvironment()

const OPERATIONS: readonly FileOperation[] = ['create', 'write', 'sync', 'syncDirectory']
const VALUE_BYTES = 64 * 1024
const COUNT = 190

const options: OpenOptions = { maintenance: 'manual', compression: 'none' }

/** Entries of more than eight mebibytes, between which a sync comes. */
function fill(tree: Tree, letter: string): void {
  for (let i = 0; i < COUNT; i++) {
    tree.insert(`key${String(i).padStart(4, '0')}`, Buffer.alloc(VALUE_BYTES, letter))
  }
}

/** The letter of every value; undefined where they differ. */
function letterOf(tree: Tree): string | undefined {
  const letters = new Set<string>()
  let count = 0
  for (const [, value] of tree.range()) {
    count++
    letters.add(String.fromCharCode(value[0] as number, value[VALUE_BYTES - 1] as number))
  }
  if (count === 0) return ''
  const [pair] = letters
  return letters.size === 1 && count === COUNT ? pair?.[0] : undefined
}

type Work = (tree: Tree) => Promise<unknown>

const works: readonly (readonly [name: string, work: Work])[] = [
  ['flush', (tree) => tree.flush()],
  ['compaction', (tree) => tree.majorCompact({ targetSize: 5 * 2 ** 20 })],
]

for (const [name, work] of works) {
  /** A tree on whose next work many calls lie, and its disk. */
  const prepare = async () => {
    const disk = new DelayedFileSystem(new Random(seed))
    const fs = new FaultFileSystem(disk)
    const tree = await open('/db', { ...options, fs })
    fill(tree, 'a')
    await tree.flush()
    fill(tree, 'b')
    if (name === 'compaction') await tree.flush()
    return { disk, fs, tree }
  }

  t.test(`${name}: each call fails once`, async (t) => {
    const used = heap.usedBytes
    const failed = new Set<FileOperation>()
    for (let n = 0; ; n++) {
      const { disk, fs, tree } = await prepare()
      const files = disk.list('/db/tables').map((entry) => entry.name)
      let left = n
      let fault: FileOperation | undefined
      fs.setRule(({ operation, path }) => {
        if (!path.startsWith('/db/tables') || !OPERATIONS.includes(operation)) return undefined
        if (left-- !== 0) return undefined
        fault = operation
        return { errno: 'EIO' }
      })
      const code = await codeOf(() => work(tree))
      fs.setRule()
      t.equal(code, fault === undefined ? undefined : 'VARVE_IO', `call ${n}, ${fault}`)
      t.equal(disk.underWay, 0, 'nothing is under way any more')
      t.equal(letterOf(tree), 'b')
      if (fault === undefined) {
        const { writes, syncs, folders } = disk.counts
        t.ok(writes > 4 && syncs >= 2 && folders > 0, `${writes}, ${syncs}, ${folders} in the end`)
      } else {
        failed.add(fault)
        t.same(
          disk.list('/db/tables').map((entry) => entry.name),
          files,
          'its files are gone',
        )
        await work(tree)
      }
      t.equal(letterOf(tree), 'b')
      await tree.close()
      if (fault === undefined) break
    }
    t.same(failed, new Set(OPERATIONS))
    t.equal(heap.usedBytes, used)
  })

  t.test(`${name}: the power goes before each call`, async (t) => {
    const { disk, fs, tree } = await prepare()
    const clones: { readonly fs: MemoryFileSystem; readonly place: string }[] = []
    const random = new Random(seed)
    fs.setRule(({ operation, path }) => {
      const keepUnsynced = random.pick([0, 0.5])
      const dice = { keepUnsynced, random: () => random.below(1e6) / 1e6 }
      const isWanted = operation !== 'write' || random.chance(0.2)
      if (isWanted) clones.push({ fs: disk.crashClone(dice), place: `${operation} ${path}` })
      return undefined
    })
    await work(tree)
    fs.setRule()
    await tree.close()
    const last = disk.crashClone({ keepUnsynced: 0, random: () => 0 })
    for (const { fs, place } of [...clones, { fs: last, place: 'after the end' }]) {
      const mode = { manifestRecoveryMode: 'point-in-time-recovery' } as const
      const found = await open('/db', { ...options, fs, ...mode })
      const letter = letterOf(found)
      // A merge changes nothing that can be read.
      const isOld = name === 'flush' && fs !== last
      t.ok(letter === 'b' || (isOld && letter === 'a'), `${place}: ${letter}`)
      await found.close()
    }
  })
}
