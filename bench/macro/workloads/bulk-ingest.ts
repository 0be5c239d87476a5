/**
 * A whole source in the order of its keys, past the write buffers, by one worker and by two: as packed chunks, which is how
 * a pipeline feeds a bulk ingestion that is to be fast, and as pairs, which the main thread makes, checks and packs, at a
 * cost that no number of workers makes less.
 *
 * Chunks are there before time is taken: whoever makes them does so elsewhere, and on a machine of two processors it would
 * be measured how they are made. The same source is ingested once before, so that threads run and their code is compiled.
 */
import type { KeySpace } from '../key-space.js'
import { Meter } from '../meter.js'
import type { Workload } from './workload.js'

type Row = [Buffer, Buffer]

function* rows(space: KeySpace, num: number): Generator<Row> {
  for (let i = 0; i < num; i++) yield [space.keyCopy(i, 'sequential'), space.value(i)]
}

function bulkIngest(source: 'chunks' | 'pairs', workers: number): Workload {
  const name = source === 'chunks' ? `bulkingest-${workers}` : `bulkingest-pairs-${workers}`
  const by = workers === 1 ? 'one worker' : 'two workers'
  const what = source === 'chunks' ? 'packed chunks of all entries' : 'a pair for each entry'
  return {
    name,
    summary: `bulkIngest of ${what}, in order, by ${by}`,
    stage: 'empty',
    settings: () => ({ workers, isManual: true }),
    can: (store) => store.bulk !== undefined && (source === 'pairs' || store.pack !== undefined),
    async run({ store, space, num, ledger }) {
      const all = (): Iterable<Row | Uint8Array> =>
        source === 'chunks' ? [...(store.pack?.(rows(space, num)) ?? [])] : rows(space, num)
      await store.bulk?.(all())
      const entries = all()
      const row = await Meter.whole(name, async () => {
        await store.bulk?.(entries)
        const bytes = num * (space.keyBytes + space.valueBytes)
        return { operations: num, bytes, checksum: num }
      })
      ledger.fill(0, num, 0)
      return [row]
    },
  }
}

export const bulkIngests: readonly Workload[] = [
  bulkIngest('chunks', 1),
  bulkIngest('chunks', 2),
  bulkIngest('pairs', 1),
  bulkIngest('pairs', 2),
]
