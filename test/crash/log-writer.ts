/**
 * The program that is killed while it writes through the log: the writes of {@link logProgram} from the number of its
 * second argument on, several at a time, of every durability, with flushes between. Says the number of the last write that
 * was acknowledged as 'process' or 'disk' on a line of its own. It never ends by itself.
 */
import { writeSync } from 'node:fs'
import { leveled } from '../../src/main/strategies/leveled.js'
import { type LogOptions, openLogged } from '../../src/main/wal/index.js'
import { LoggedModel, type LoggedWrite, logWrite } from '../support/logged-program.js'
import { Random } from '../support/random.js'
import { concatenation } from '../support/trees.js'

/** The nth write is the same in every process. */
export function logProgram(model: LoggedModel): LoggedWrite {
  return model.next(new Random(model.writes.length * 7919), { clear: false })
}

export const logOptions: LogOptions = {
  segmentBytes: 8192,
  bufferBytes: 500,
  tree: {
    blockSize: 1024,
    mergeOperator: concatenation,
    strategy: leveled({ targetBytes: 16 * 1024, l0Threshold: 2 }),
    manifestLogRotateBytes: 2000,
    runtime: { memtableBytes: 128 * 1024 },
  },
}

async function main(folder: string, first: number): Promise<never> {
  const random = new Random(first)
  const model = new LoggedModel()
  while (model.writes.length < first) logProgram(model)
  const db = await openLogged(folder, logOptions)
  let said = first
  for (;;) {
    const group = Array.from({ length: 1 + random.below(12) }, async () => {
      const write = logProgram(model)
      const number = model.writes.length
      const durability = random.pick(['memory', 'process', 'process', 'disk'] as const)
      await logWrite(db, write, durability)
      if (durability === 'memory' || number <= said) return
      said = number
      writeSync(1, `${number}\n`)
    })
    if (random.chance(0.08)) void db.flush()
    await Promise.all(group)
  }
}

if (process.argv[1]?.endsWith('log-writer.js')) {
  await main(process.argv[2] as string, Number(process.argv[3]))
}
