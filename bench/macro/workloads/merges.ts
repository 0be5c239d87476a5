/** Merge operands: each adds to the counter of a key drawn at random. Every counter is read afterwards. */
import { int64, readInt64 } from '../../../src/main/index.js'
import { Random } from '../key-space.js'
import { Meter } from '../meter.js'
import { check, expected, type Workload, written } from './workload.js'

/** So many operands for each key. */
const OPERANDS_PER_KEY = 8
const ONE = int64(1)

export const mergerandom: Workload = {
  name: 'mergerandom',
  summary: `adds to counters by merge operands, ${OPERANDS_PER_KEY} for each key`,
  stage: 'empty',
  settings: () => ({ isAdding: true }),
  can: (store) => store.add !== undefined,
  async run({ store, space, num, seed }) {
    const keys = Math.max(1, Math.floor(num / OPERANDS_PER_KEY))
    const random = new Random(seed + 31)
    const counts = new Uint32Array(keys)
    const row = await Meter.each('mergerandom', num, () =>
      written(store.add?.(space.key(random.below(keys), 'sequential'), ONE)),
    )
    check(
      row,
      expected(num, () => 1),
    )
    await store.flush?.()
    await store.idle?.()
    const again = new Random(seed + 31)
    for (let i = 0; i < num; i++) {
      const key = again.below(keys)
      counts[key] = (counts[key] as number) + 1
    }
    for (let i = 0; i < keys; i++) {
      const value = await store.get(space.key(i, 'sequential'))
      const count = value === undefined ? 0 : Number(readInt64(value))
      if (count !== counts[i]) throw new Error(`counter ${i} is ${count}, not ${counts[i]}`)
    }
    return [row]
  },
}
