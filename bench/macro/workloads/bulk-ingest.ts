/** A whole source in the order of its keys, past the write buffers, by one worker and by two. */
import type { KeySpace } from '../key-space.js'
import { Meter } from '../meter.js'
import type { Workload } from './workload.js'

function* rows(space: KeySpace, num: number): Generator<[Buffer, Buffer]> {
  for (let i = 0; i < num; i++) yield [space.keyCopy(i, 'sequential'), space.value(i)]
}

function bulkIngest(workers: number): Workload {
  const name = `bulkingest-${workers}`
  return {
    name,
    summary: `bulkIngest of every key, in order, by ${workers === 1 ? 'one worker' : 'two workers'}`,
    stage: 'empty',
    settings: () => ({ workers }),
    can: (store) => store.bulk !== undefined,
    async run({ store, space, num, ledger }) {
      const row = await Meter.whole(name, async () => {
        await store.bulk?.(rows(space, num))
        const bytes = num * (space.keyBytes + space.valueBytes)
        return { operations: num, bytes, checksum: num }
      })
      ledger.fill(0, num, 0)
      return [row]
    },
  }
}

export const bulkingestOne = bulkIngest(1)
export const bulkingestTwo = bulkIngest(2)
