/** The Nth call fails, for every N, until none does: a logged tree then holds what it had acknowledged, and once. */
import t from 'tap'
import { type LoggedTree, type LogOptions, openLogged } from '../../src/main/wal/index.js'
import { FaultFileSystem, failNth } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { LoggedModel, logWrite, stateOf } from '../support/logged-program.js'
import { Random } from '../support/random.js'
import { concatenation } from '../support/trees.js'

const optionsOf = (fs: MemoryFileSystem | FaultFileSystem): LogOptions => ({
  segmentBytes: 1024,
  bufferBytes: 100,
  bufferMs: 1 << 20,
  tree: { fs, maintenance: 'manual', mergeOperator: concatenation },
})

interface Outcome {
  readonly acknowledged: number
  readonly issued: number
}

/** Writes, flushes and closes; counts what was acknowledged before the first failure. */
async function run(fs: FaultFileSystem, model: LoggedModel): Promise<Outcome> {
  const random = new Random(7)
  let acknowledged = 0
  let hasFailed = false
  let db: LoggedTree | undefined
  try {
    db = await openLogged('/db', optionsOf(fs))
    for (let i = 0; i < 30; i++) {
      const write = model.next(random, { clear: false })
      const durability = (['memory', 'process', 'disk'] as const)[i % 3]
      try {
        await logWrite(db, write, durability)
        if (!hasFailed && durability !== 'memory') acknowledged = model.writes.length
      } catch {
        // Whether it is there nobody knows; the model's states no longer tell.
        hasFailed = true
        break
      }
      if (i % 10 === 9) await db.flush()
    }
  } catch {
    hasFailed = true
  }
  await db?.close().catch(() => undefined)
  return { acknowledged, issued: model.writes.length }
}

for (const errno of ['EIO', 'ENOSPC'] as const) {
  for (const isSticky of [false, true]) {
    t.test(
      `\`external_wal\`: each call fails with ${errno}${isSticky ? ', and all after it' : ''}`,
      async (t) => {
        let rounds = 0
        for (let n = 1; ; n++) {
          const memory = new MemoryFileSystem()
          const fs = new FaultFileSystem(memory, failNth(n, errno, isSticky))
          const model = new LoggedModel()
          const { acknowledged, issued } = await run(fs, model)
          const isOver = fs.callCount < n
          fs.setRule()
          // The files as the process left them.
          const again = await openLogged('/db', optionsOf(memory))
          if (model.countOf(stateOf(again.tree), acknowledged, issued) === undefined) {
            t.fail(`call ${n}: not a state from ${acknowledged} to ${issued}`)
          }
          await again.insert('after', 'x')
          await again.close()
          rounds++
          if (isOver) break
        }
        t.ok(rounds > 50, `${rounds} calls`)
      },
    )
  }
}
