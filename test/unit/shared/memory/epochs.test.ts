/** Epochs: what a thread inside keeps from being used anew, also where the numbers wrap or a thread falls far behind. */
import t from 'tap'
import {
  EPOCH_SLOT_BYTES,
  EPOCH_SLOTS_MAX,
  EPOCHS_GLOBAL,
  EPOCHS_SLOTS,
} from '../../../../src/shared/kernel/layout-epochs.js'
import { EpochSlot, Epochs, OWNER_SLOT } from '../../../../src/shared/memory/epochs.js'
import { testWorkspace } from '../../../support/workspace.js'

function make(first = 1): { epochs: Epochs; slot: (number: number) => EpochSlot } {
  const { shared, heap } = testWorkspace(1)
  const epochs = new Epochs(shared, heap)
  shared.setU32(epochs.address + EPOCHS_GLOBAL, first)
  return { epochs, slot: (number) => new EpochSlot(shared, epochs.address, number) }
}

t.test(
  'what was taken out before a thread entered passes, what was taken out since does not',
  async (t) => {
    const { epochs, slot } = make()
    const reader = slot(3)
    const before = epochs.advance()
    reader.enter()
    const since = epochs.advance()
    t.equal(epochs.havePassed(before), true)
    t.equal(epochs.havePassed(since), false)
    reader.leave()
    t.equal(epochs.havePassed(since), true)
  },
)

t.test('entering nests', async (t) => {
  const { epochs, slot } = make()
  const owner = slot(OWNER_SLOT)
  owner.enter()
  owner.enter()
  const stamp = epochs.advance()
  owner.leave()
  t.equal(owner.isInside, true)
  t.equal(epochs.havePassed(stamp), false)
  owner.leave()
  t.equal(owner.isInside, false)
  t.equal(epochs.havePassed(stamp), true)
  t.throws(() => owner.leave(), { code: 'VARVE_ASSERTION' })
})

t.test('numbers wrap, and stay odd', async (t) => {
  const { epochs, slot } = make(0xffff_fffd)
  const reader = slot(1)
  reader.enter()
  const stamps = Array.from({ length: 4 }, () => epochs.advance())
  t.same(stamps, [0xffff_fffd, 0xffff_ffff, 1, 3])
  for (const stamp of stamps) t.equal(epochs.havePassed(stamp), false, `${stamp}`)
  reader.leave()
  for (const stamp of stamps) t.equal(epochs.havePassed(stamp), true, `${stamp}`)
})

t.test(
  'no epoch begins while a thread is so far behind that it could be taken for one ahead',
  async (t) => {
    const { shared, heap } = testWorkspace(1)
    const epochs = new Epochs(shared, heap)
    const reader = new EpochSlot(shared, epochs.address, 2)
    reader.enter()
    const far = 1 + 0x4000_0002
    shared.setU32(epochs.address + EPOCHS_GLOBAL, far)
    t.equal(epochs.advance(), far)
    t.equal(epochs.advance(), far)
    t.equal(epochs.havePassed(far), false)
    reader.leave()
    t.equal(epochs.havePassed(far), false, 'no later epoch has begun')
    t.equal(epochs.havePassed(far), true, 'asking has begun one')
  },
)

t.test('slots are given to one thread each, and cleared when they come back', async (t) => {
  const { epochs, slot } = make()
  const numbers = Array.from({ length: EPOCH_SLOTS_MAX - 1 }, () => epochs.take())
  t.same(new Set(numbers), new Set(Array.from({ length: EPOCH_SLOTS_MAX - 1 }, (_, i) => i + 1)))
  t.equal(epochs.take(), undefined)
  t.equal(epochs.readerCount, EPOCH_SLOTS_MAX - 1)
  slot(7).enter()
  const stamp = epochs.advance()
  t.equal(epochs.havePassed(stamp), false)
  epochs.give(7)
  t.equal(epochs.havePassed(stamp), true, 'its thread is gone')
  t.equal(epochs.take(), 7)
  t.throws(() => epochs.give(OWNER_SLOT), { code: 'VARVE_ASSERTION' })
})

t.test('a thread that was overtaken while it entered takes the epoch at hand', async (t) => {
  const { shared, heap } = testWorkspace(1)
  const epochs = new Epochs(shared, heap)
  const word = (epochs.address + EPOCHS_SLOTS + 5 * EPOCH_SLOT_BYTES) >>> 2
  const { store } = Atomics
  let stamp = 0
  // Between the load of the epoch and the store into the slot, others begin two.
  Atomics.store = ((array: Uint32Array, index: number, value: number) => {
    if (index === word && stamp === 0) {
      epochs.advance()
      stamp = epochs.advance()
    }
    return store(array, index, value)
  }) as typeof Atomics.store
  t.teardown(() => Object.assign(Atomics, { store }))
  const reader = new EpochSlot(shared, epochs.address, 5)
  reader.enter()
  t.equal(epochs.havePassed(stamp), true, 'it has looked at nothing yet')
  t.equal(epochs.havePassed(epochs.advance()), false)
  reader.leave()
})
