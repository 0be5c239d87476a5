/** Writes of single entries: into an empty store in order or at random, and over what is there. */
import { Random } from '../key-space.js'
import { type Measurement, Meter } from '../meter.js'
import { check, expected, type Job, type Workload, written } from './workload.js'

/**
 * Writes an entry for each number that `draw` gives; and again with all that the store does in the background after it, where
 * it has a background.
 */
async function fill(
  name: string,
  job: Job,
  generation: number,
  draw: () => (i: number) => number,
): Promise<readonly Measurement[]> {
  const { store, space, num, ledger } = job
  const next = draw()
  const rows: Measurement[] = []
  const whole = await Meter.whole(`${name}+idle`, async () => {
    const alone = await Meter.each(name, num, (i) => {
      const number = next(i)
      return written(store.put(space.key(number, 'sequential'), space.value(number, generation)))
    })
    rows.push(
      check(
        alone,
        expected(num, () => 1),
      ),
    )
    await store.drain()
    await store.flush?.()
    await store.idle?.()
    return { operations: num, checksum: alone.checksum ?? 0 }
  })
  const again = draw()
  for (let i = 0; i < num; i++) ledger.set(again(i), generation)
  const entryBytes = space.keyBytes + space.valueBytes
  const stored = store.diskBytes?.()
  rows.push({
    ...whole,
    writeAmplification:
      whole.bytesWritten === undefined ? undefined : whole.bytesWritten / (num * entryBytes),
    spaceAmplification: stored === undefined ? undefined : stored / (ledger.size * entryBytes),
  })
  return rows
}

/** Numbers below `num` drawn with repetition, as db_bench draws them. */
const drawn =
  ({ num, seed }: Job, salt: number) =>
  (): (() => number) => {
    const random = new Random(seed + salt)
    return () => random.below(num)
  }

export const fillseq: Workload = {
  name: 'fillseq',
  summary: 'writes every key, in order',
  stage: 'empty',
  run: (job) => fill('fillseq', job, 0, () => (i) => i),
}

export const fillrandom: Workload = {
  name: 'fillrandom',
  summary: 'writes as many keys, drawn at random with repetition',
  stage: 'empty',
  run: (job) => fill('fillrandom', job, 0, drawn(job, 11)),
}

/** The same with nothing compressed, for what is compared by bytes. */
export const fillrandomPlain: Workload = {
  name: 'fillrandom-plain',
  summary: 'fillrandom with nothing compressed',
  stage: 'empty',
  settings: () => ({ compression: 'none' }),
  run: (job) => fill('fillrandom-plain', job, 0, drawn(job, 11)),
}

export const overwrite: Workload = {
  name: 'overwrite',
  summary: 'writes new values over keys drawn at random',
  stage: 'present',
  leaves: 'values',
  run: (job) => fill('overwrite', job, 1, drawn(job, 12)),
}
