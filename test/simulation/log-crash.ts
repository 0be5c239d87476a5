/**
 * A logged tree in one thread over the memory file system, cut off before every call that changes something: as by
 * SIGKILL, where all that was written stays, and as by the loss of power, where any part of what was not synced does. What
 * is found by the next open must be the state behind some write that is not before the last one acknowledged for that
 * kind of loss; and it must stay so when the crash comes again during the recovery. Shared by test and soak.
 */
import { leveled } from '../../src/main/strategies/leveled.js'
import { type LogOptions, openLogged } from '../../src/main/wal/index.js'
import { FaultFileSystem, type FileOperation } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { LoggedModel, logWrite, stateOf } from '../support/logged-program.js'
import type { Random } from '../support/random.js'
import { concatenation } from '../support/trees.js'

const ROOT = '/db'

const CUT_BEFORE: readonly FileOperation[] = [
  ...(['create', 'write', 'writeAt', 'sync', 'syncDirectory'] as const),
  ...(['rename', 'remove', 'truncate'] as const),
]

interface Disk {
  readonly fs: MemoryFileSystem
  readonly where: string
  /** Writes that must be there, and writes that may. */
  readonly least: number
  readonly most: number
}

export interface LogCrashReport {
  readonly disks: number
  readonly cuts: number
  readonly replayed: number
}

/** Runs `steps` random steps and checks every disk. @throws what is wrong with one */
export async function simulateLogCrashes(random: Random, steps: number): Promise<LogCrashReport> {
  const model = new LoggedModel()
  const report = { disks: 0, cuts: 0, replayed: 0 }
  const acknowledged = { memory: 0, process: 0, disk: 0 }
  const dice = (): number => random.below(1e9) / 1e9
  const disks: Disk[] = []
  const watch = (memory: MemoryFileSystem): FaultFileSystem =>
    new FaultFileSystem(memory, ({ operation, path }) => {
      if (!CUT_BEFORE.includes(operation)) return undefined
      for (const keepUnsynced of [0, 0.5, 1]) {
        // Everything stays where only the process dies.
        const least = keepUnsynced === 1 ? acknowledged.process : acknowledged.disk
        const where = `${operation} ${path}, ${keepUnsynced} kept`
        const fs = memory.crashClone({ keepUnsynced, random: dice })
        disks.push({ fs, where, least, most: model.writes.length })
      }
      return undefined
    })
  const optionsOf = (fs: LogOptions['tree']): LogOptions => ({
    segmentBytes: 1024,
    bufferBytes: 200,
    bufferMs: 1 << 20,
    tree: {
      maintenance: 'manual',
      blockSize: 512,
      manifestRecoveryMode: 'point-in-time-recovery',
      mergeOperator: concatenation,
      strategy: leveled({ targetBytes: 2000, l0Threshold: 2 }),
      runtime: { memtableBytes: 256 * 1024 },
      ...fs,
    },
  })

  const check = async (disk: Disk, depth: number): Promise<void> => {
    report.disks++
    const inner: Disk[] = []
    const isNested = depth === 0 && random.chance(0.05)
    const fs = !isNested
      ? disk.fs
      : new FaultFileSystem(disk.fs, ({ operation, path }) => {
          if (!CUT_BEFORE.includes(operation) || !random.chance(0.3)) return undefined
          const keepUnsynced = random.pick([0, 0.5, 1])
          const clone = disk.fs.crashClone({ keepUnsynced, random: dice })
          const where = `${disk.where}; then ${operation} ${path}, ${keepUnsynced} kept`
          // The first crash may have kept more than it had to: what the second keeps of that is free, down to the least.
          inner.push({ fs: clone, where, least: disk.least, most: disk.most })
          return undefined
        })
    const opened = await openLogged(ROOT, optionsOf({ fs })).catch((error) => {
      throw new Error(`${disk.where}: ${error}`, { cause: error })
    })
    if (opened.recovery.cut !== undefined) report.cuts++
    report.replayed += opened.recovery.replayed
    const state = stateOf(opened.tree)
    if (model.countOf(state, disk.least, disk.most) === undefined) {
      throw new Error(
        `${disk.where}: the state behind write ${model.countOf(state, 0)}, not of one from ${disk.least} to ${disk.most}`,
      )
    }
    // Life goes on: one more write, and all of it into tables.
    if (isNested) {
      await opened.flush()
      if (stateOf(opened.tree) !== state) throw new Error(`${disk.where}: a flush changes it`)
    }
    await opened.close({ flush: 'discard' })
    for (const again of inner) await check(again, depth + 1)
  }

  let memory = new MemoryFileSystem()
  let db = await openLogged(ROOT, optionsOf({ fs: watch(memory) }))
  for (let step = 0; step < steps; step++) {
    const writes = Array.from({ length: 1 + random.below(6) }, async () => {
      const write = model.next(random)
      const count = model.writes.length
      const durability = random.pick(['memory', 'process', 'disk'] as const)
      await logWrite(db, write, durability)
      // An acknowledged write has all before it behind it, and what is on disk survives the process, too.
      acknowledged[durability] = Math.max(acknowledged[durability], count)
      acknowledged.process = Math.max(acknowledged.process, acknowledged.disk)
    })
    await Promise.all(writes)
    const dice10 = random.below(10)
    if (dice10 < 3) await db.flush()
    else if (dice10 < 5) await db.tree.compact()
    else if (dice10 === 5) await db.tree.majorCompact()
    else if (dice10 === 6) {
      await db.sync()
      acknowledged.process = model.writes.length
      acknowledged.disk = model.writes.length
    } else if (dice10 === 7 && random.chance(0.5)) {
      const flush = random.pick(['auto', 'discard'] as const)
      await db.close({ flush })
      acknowledged.process = model.writes.length
      acknowledged.disk = model.writes.length
      db = await openLogged(ROOT, optionsOf({ fs: watch(memory) }))
    } else if (dice10 === 8 && random.chance(0.3)) {
      // The crash itself: life goes on from what it left.
      const state = stateOf(db.tree)
      const count = model.countOf(state, 0)
      if (count !== model.writes.length) throw new Error('the model and the tree differ')
      await db.idle()
      const least = acknowledged.disk
      const survivor = memory.crashClone({ keepUnsynced: 0.5, random: dice })
      await db.close({ flush: 'discard' })
      for (const disk of disks.splice(0)) await check(disk, 0)
      acknowledged.process = least
      memory = survivor
      db = await openLogged(ROOT, optionsOf({ fs: watch(memory) }))
      const found = model.countOf(stateOf(db.tree), least)
      if (found === undefined) throw new Error(`a crash went back behind ${least}`)
      for (const disk of disks.splice(0)) await check(disk, 0)
      model.rewind(found)
      // What was recovered is as durable as the recovery made it, which is not to be counted on yet.
      acknowledged.disk = least
      acknowledged.process = found
    }
    for (const disk of disks.splice(0)) await check(disk, 0)
  }
  await db.close()
  for (const disk of disks.splice(0)) await check(disk, 0)
  return report
}
