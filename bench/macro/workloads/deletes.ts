/** Removes: of single keys, and of stretches of them at once. What is left is looked at afterwards. */
import { Random } from '../key-space.js'
import { Meter } from '../meter.js'
import { check, expected, type Workload, written } from './workload.js'

const RANGE_KEYS = 100
/** So many ranges for each thousand keys. */
const RANGES_PER_THOUSAND = 1

export const deleterandom: Workload = {
  name: 'deleterandom',
  summary: 'removes keys drawn at random, half as many as there are',
  stage: 'present',
  leaves: 'keys',
  can: (store) => store.remove !== undefined,
  async run({ store, space, ledger, num, seed }) {
    const count = Math.ceil(num / 2)
    const random = new Random(seed + 21)
    const row = await Meter.each('deleterandom', count, () =>
      written(store.remove?.(space.key(random.below(num), 'sequential'))),
    )
    await store.drain()
    const again = new Random(seed + 21)
    for (let i = 0; i < count; i++) ledger.remove(again.below(num))
    return [
      check(
        row,
        expected(count, () => 1),
      ),
    ]
  },
}

export const deleterange: Workload = {
  name: 'deleterange',
  summary: `removes stretches of ${RANGE_KEYS} keys by range tombstones`,
  stage: 'present',
  leaves: 'keys',
  can: (store) => store.removeRange !== undefined,
  async run({ store, space, ledger, num, seed }) {
    const count = Math.max(1, Math.floor((num / 1000) * RANGES_PER_THOUSAND))
    const random = new Random(seed + 22)
    const row = await Meter.each('deleterange', count, () => {
      const from = random.below(num)
      const start = space.keyCopy(from, 'sequential')
      return written(store.removeRange?.(start, space.key(from + RANGE_KEYS, 'sequential')))
    })
    const again = new Random(seed + 22)
    for (let i = 0; i < count; i++) {
      const from = again.below(num)
      for (let key = from; key < Math.min(num, from + RANGE_KEYS); key++) ledger.remove(key)
    }
    return [
      check(
        row,
        expected(count, () => 1),
      ),
    ]
  },
}
