/**
 * A whole tree in one thread over the memory file system, with a power cut before every call that makes something
 * durable or moves a name: each possible disk is opened again and must hold the state of a moment between the last
 * acknowledged change and the one under way. Shared by the simulation test and the soak.
 */
import { open } from '../../src/main/open.js'
import type { OpenOptions } from '../../src/main/options.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import { major } from '../../src/main/strategies/major.js'
import type { Tree } from '../../src/main/tree.js'
import { WriteBatch } from '../../src/main/writing/write-batch.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { mergeOperators } from '../../src/shared/base/merge-operator.js'
import { FaultFileSystem, type FileOperation } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { Model, type ModelWrite } from '../model/model.js'
import type { Random } from '../support/random.js'

const ROOT = '/data/db'

/** Calls before which the power is cut. */
const CUT_BEFORE: readonly FileOperation[] = [
  'sync',
  'syncDirectory',
  'rename',
  'remove',
  'truncate',
  'writeAt',
]

/** A disk after a power cut, and which moments it may show. */
interface Disk {
  readonly fs: MemoryFileSystem
  readonly keepUnsynced: number
  readonly before: string
  /** Seqnos of the moments; undefined for a tree that was never acknowledged. */
  readonly moments: readonly number[]
  readonly mayBeMissing: boolean
}

export interface CrashReport {
  readonly disks: number
  readonly torn: number
  readonly old: number
}

const dumpOf = (entries: Iterable<readonly [Buffer, Buffer]>): string =>
  Array.from(
    entries,
    ([key, value]) => `${key.toString('latin1')}=${value.toString('latin1')}`,
  ).join()

/** Runs `steps` random steps and checks every disk. @throws what is wrong with one */
export async function simulateCrashes(random: Random, steps: number): Promise<CrashReport> {
  const memory = new MemoryFileSystem()
  const model = new Model()
  const dice = (): number => random.below(1e9) / 1e9
  const report = { disks: 0, torn: 0, old: 0 }
  let disks: Disk[] = []
  let isCreated = false
  // The acknowledged moment, and those under way.
  let moments: number[] = [0]

  const fs = new FaultFileSystem(memory, ({ operation, path }) => {
    if (!CUT_BEFORE.includes(operation)) return undefined
    for (const keepUnsynced of [0, 0.5, 1]) {
      const clone = memory.crashClone({ keepUnsynced, random: dice })
      const before = `${operation} ${path}`
      disks.push({ fs: clone, keepUnsynced, before, moments, mayBeMissing: !isCreated })
    }
    return undefined
  })
  const options: OpenOptions = {
    fs,
    maintenance: 'manual',
    mergeOperator: mergeOperators.append,
    blockSize: random.pick([64, 4096]),
    manifestLogRotateBytes: random.pick([0, 300, 1 << 20]),
    syncMode: random.pick(['normal', 'full']),
    filterPartitioning: random.chance(0.5),
    runtime: { memtableBytes: 256 * 1024, indexPartitionSpillThreshold: random.pick([0, 1 << 20]) },
  }
  const checkDisks = async (): Promise<void> => {
    for (const disk of disks.splice(0)) await checkDisk(disk, model, options, report)
  }

  let tree = await open(ROOT, options)
  isCreated = true
  for (let i = 0; i < steps; i++) {
    for (let n = random.below(4); n > 0; n--) writeSome(tree, model, random)
    const step = random.below(12)
    if (step === 0) {
      tree.rotateMemtable()
    } else if (step < 7) {
      moments = [...moments, tree.visibleSeqno.get()]
      await tree.flush()
      moments = moments.slice(-1)
    } else if (step < 9) {
      await tree.compact(
        random.pick([leveled({ targetBytes: 500, l0Threshold: 1 }), major({ targetBytes: 900 })]),
      )
    } else if (step === 9) {
      await tree.majorCompact({ targetSize: 1 + random.below(2000) })
    } else if (step === 10 && random.chance(0.3)) {
      const next = tree.seqno.get()
      model.clear(next)
      moments = [...moments, next + 1]
      await tree.clear()
      moments = moments.slice(-1)
    } else if (step === 11) {
      const isKept = random.chance(0.7)
      if (isKept) moments = [...moments, tree.visibleSeqno.get()]
      const { seqno, visibleSeqno } = tree
      await tree.close({ flush: isKept ? 'auto' : 'discard' })
      moments = moments.slice(-1)
      await checkDisks()
      // A moment is known by its seqno: what was dropped is hidden behind it for good.
      if (!isKept) model.drop(moments[0] as number)
      tree = await open(ROOT, { ...options, seqno, visibleSeqno })
    }
    await checkDisks()
  }
  await tree.close({ flush: 'discard' })
  await checkDisks()
  disks = []
  return report
}

/** A write of a random kind. Keys named `weak` are only ever inserted where they are not there, and deleted weakly. */
function someWrite(model: Model, random: Random): ModelWrite {
  const value = Buffer.from(random.bytes(random.below(300)))
  const number = random.below(40)
  if (number < 8) {
    const key = Buffer.from(`weak${number}`)
    return model.isLive(key) ? { key, value: undefined, form: 'weak' } : { key, value }
  }
  const key = Buffer.from(`key${number}`)
  const kind = random.below(10)
  if (kind < 3) return { key, value: undefined }
  return kind < 5 ? { key, value: value.subarray(0, 20), form: 'merge' } : { key, value }
}

function writeSome(tree: Tree, model: Model, random: Random): void {
  const writes = new Map<string, ModelWrite>()
  for (let i = 1 + random.below(8); i > 0; i--) {
    const write = someWrite(model, random)
    writes.set(String(write.key), write)
  }
  const batch = new WriteBatch()
  for (const { key, value, form } of writes.values()) {
    if (form === 'weak') batch.removeWeak(key)
    else if (value === undefined) batch.remove(key)
    else if (form === 'merge') batch.merge(key, value)
    else batch.insert(key, value)
  }
  const seqno = tree.seqno.get()
  model.write(seqno, [...writes.values()])
  if (random.chance(0.15)) {
    const [start, end] = [`key${random.below(40)}`, `key${random.below(40)}x`].map((key) =>
      Buffer.from(key),
    ) as [Buffer, Buffer]
    model.removeRange(seqno, { start, end })
    batch.removeRange(start, end)
  }
  tree.apply(batch)
}

async function checkDisk(
  disk: Disk,
  model: Model,
  options: OpenOptions,
  report: { disks: number; torn: number; old: number },
): Promise<void> {
  const where = `power cut before ${disk.before}, ${disk.keepUnsynced} kept`
  report.disks++
  let tree: Tree
  const given = { ...options, fs: disk.fs }
  try {
    tree = await open(ROOT, given)
  } catch (error) {
    // A torn record that nobody was told of; only tolerant modes pass over it, and only unsynced bytes can be torn.
    if (!VarveError.is(error, 'VARVE_MANIFEST_TORN') || disk.keepUnsynced === 0) {
      throw new Error(`${where}: ${error}`, { cause: error })
    }
    report.torn++
    tree = await open(ROOT, { ...given, manifestRecoveryMode: 'point-in-time-recovery' })
  }
  const found = dumpOf(tree.iter())
  const expected = disk.moments.map((seqno) => dumpOf(model.range({}, seqno)))
  const at = expected.lastIndexOf(found)
  if (at < 0 && !(disk.mayBeMissing && found === '')) {
    throw new Error(`${where}: not the state of any moment of ${disk.moments.join()}`)
  }
  if (at < expected.length - 1) report.old++
  checkFolder(disk.fs, tree, where)
  // Life goes on, and survives another cut at once.
  tree.insert('after', where)
  await tree.flush()
  const again = disk.fs.crashClone({ keepUnsynced: 0, random: () => 0.5 })
  await tree.close()
  const last = await open(ROOT, { ...given, fs: again })
  if (last.getString('after') !== where) throw new Error(`${where}: a flush afterwards was lost`)
  await last.close()
}

/** The temporary file of a pointer that was being replaced stays, by the format; anything else would be ours to remove. */
function checkFolder(fs: MemoryFileSystem, tree: Tree, where: string): void {
  const tables = fs.list(`${ROOT}/tables`).length
  if (tables !== tree.tableCount()) throw new Error(`${where}: ${tables} files in tables`)
  const foreign = fs
    .list(ROOT)
    .map(({ name }) => name)
    .filter(
      (name) =>
        !/^(current|LOCK|seqno-mark|tables|repair-quarantine|v\d+|edits-\d+|\.tmp_\d+_\d+)$/.test(
          name,
        ),
    )
  if (foreign.length > 0) throw new Error(`${where}: left behind ${foreign.join()}`)
}
