/** Whether there is room for writes: the quota, the disk, what is kept free for memory, and how soon a change is seen. */

import t from 'tap'
import { open, type Tree } from '../../../src/main/index.js'
import { FaultFileSystem, failOn } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { codeOf } from '../../support/trees.js'

const MIB = 1024 * 1024
const manual = { maintenance: 'manual' } as const
const full = 'VARVE_STORAGE_FULL'

/** A memory file system that says how much is free, and counts who asks. */
class Volume extends MemoryFileSystem {
  freeBytes = Number.POSITIVE_INFINITY
  probes = 0

  override availableSpace(): number {
    this.probes++
    return this.freeBytes
  }
}

const load = (tree: Tree, prefix: string, bytes = 64 * 1024): void => {
  for (let i = 0; i * 1024 < bytes; i++) tree.insert(`${prefix}${i}`, 'x'.repeat(1024))
}

const TRIES: Readonly<Record<string, (tree: Tree) => unknown>> = {
  tryInsert: (tree) => tree.tryInsert('new', '1'),
  tryRemove: (tree) => tree.tryRemove('old'),
  tryRemoveWeak: (tree) => tree.tryRemoveWeak('old'),
  tryMerge: (tree) => tree.tryMerge('old', '1'),
  tryRemoveRange: (tree) => tree.tryRemoveRange('a', 'z'),
}

t.test('`storage_admission`: off by default, and without any bound always granted', async (t) => {
  const fs = new Volume()
  const tree = await open('/db', { ...manual, fs, runtime: { storageLimitBytes: 0 } })
  fs.freeBytes = 0
  tree.writeAdmission()
  t.equal(tree.isReadOnly(), false)
  t.equal(fs.probes, 0, 'nobody is asked')
  fs.freeBytes = Number.POSITIVE_INFINITY
  tree.updateRuntimeConfig({ storageAdmissionCheck: true, storageLimitBytes: undefined })
  t.equal(tree.isReadOnly(), false)
  await tree.close()
})

t.test('`storage_admission`: the quota, the read-only flag, and raising it', async (t) => {
  const tree = await open('/db', { ...manual, fs: 'memory' })
  tree.insert('old', '1')
  load(tree, 'key')
  await tree.flush()
  const used = tree.diskSpace()
  const seqno = tree.seqno.get()
  tree.updateRuntimeConfig({ storageAdmissionCheck: true, storageLimitBytes: used + MIB - 1 })
  t.equal(tree.isReadOnly(), true)
  await t.rejects(async () => tree.writeAdmission(), {
    code: full,
    details: { used, limit: used + MIB - 1 },
  })
  for (const [name, call] of Object.entries(TRIES))
    t.equal(await codeOf(() => call(tree)), full, name)
  t.equal(tree.seqno.get(), seqno, 'nothing was written')
  t.equal(tree.getString('old'), '1')
  t.equal(tree.get('new'), undefined)
  tree.updateRuntimeConfig({ storageLimitBytes: used + MIB })
  t.equal(tree.isReadOnly(), false, 'exactly as much as is allowed is allowed')
  for (const call of Object.values(TRIES)) call(tree)
  t.equal(tree.seqno.get(), seqno + 5)
  await tree.close()
})

t.test('`storage_admission`: plain writes and flushes are never refused', async (t) => {
  const runtime = { storageAdmissionCheck: true, storageLimitBytes: 0 }
  const tree = await open('/db', { ...manual, fs: 'memory', runtime })
  t.equal(tree.isReadOnly(), true)
  tree.insert('a', '1')
  tree.remove('b')
  tree.merge('c', '1')
  tree.removeRange('x', 'y')
  await tree.flush()
  t.equal(tree.getString('a'), '1')
  t.equal(tree.tableCount(), 1)
  await tree.close()
})

t.test('`storage_admission`: what memory holds is kept free, sealed buffers too', async (t) => {
  const fs = new Volume()
  const runtime = { storageAdmissionCheck: true, memtableBytes: 4 * MIB }
  const tree = await open('/db', { ...manual, fs, runtime })
  load(tree, 'a', 2 * MIB)
  tree.rotateMemtable()
  load(tree, 'b', 1 * MIB)
  fs.freeBytes = 3 * MIB
  tree.updateRuntimeConfig({})
  t.equal(tree.isReadOnly(), true, '9/8 of 3 MiB and more')
  fs.freeBytes = 4 * MIB
  tree.updateRuntimeConfig({})
  t.equal(tree.isReadOnly(), false)
  await tree.flush()
  fs.freeBytes = MIB
  tree.updateRuntimeConfig({})
  t.equal(
    tree.isReadOnly(),
    false,
    'what was flushed is kept free no more, only the least there is',
  )
  fs.freeBytes = MIB - 1
  tree.updateRuntimeConfig({})
  t.equal(tree.isReadOnly(), true)
  await tree.close()
})

t.test(
  '`storage_admission`: the disk is asked once a second, a version, or a change',
  async (t) => {
    const fs = new Volume()
    let nowMs = 5_000_000
    const runtime = { storageAdmissionCheck: true }
    const tree = await open('/db', { ...manual, fs, runtime, clock: () => nowMs })
    const probes = (work: () => unknown): number => {
      const before = fs.probes
      work()
      return fs.probes - before
    }
    fs.freeBytes = 2 * MIB
    t.equal(
      probes(() => tree.writeAdmission()),
      1,
    )
    fs.freeBytes = 0
    nowMs += 999
    t.equal(
      probes(() => tree.writeAdmission()),
      0,
      'the answer is still good',
    )
    nowMs += 1
    t.equal(
      probes(() => t.equal(tree.isReadOnly(), true)),
      1,
    )
    fs.freeBytes = 2 * MIB
    t.equal(tree.isReadOnly(), true)
    nowMs += 1000
    t.equal(tree.isReadOnly(), false, 'nothing is latched')
    t.equal(
      probes(() => tree.tryInsert('a', '1')),
      0,
    )
    await tree.flush()
    t.equal(
      probes(() => tree.writeAdmission()),
      1,
      'after a new version',
    )
    tree.updateRuntimeConfig({})
    t.equal(
      probes(() => tree.writeAdmission()),
      1,
      'after a change of settings',
    )
    nowMs -= 10_000
    t.equal(
      probes(() => tree.writeAdmission()),
      1,
      'a clock set back is no reason to wait',
    )
    await tree.close()
  },
)

t.test('`storage_admission`: a question that fails is no full disk', async (t) => {
  const fs = new FaultFileSystem(new MemoryFileSystem())
  const tree = await open('/db', { ...manual, fs, runtime: { storageAdmissionCheck: true } })
  fs.setRule(failOn('availableSpace'))
  t.equal(tree.isReadOnly(), false)
  tree.updateRuntimeConfig({ storageLimitBytes: 1000 })
  t.equal(tree.isReadOnly(), true, 'the quota counts all the same')
  await tree.close()
})
