// Epochs (epoch-based reclamation, Fraser 2004): a thread writes the epoch at hand into its slot before it reads, and 0
// when it is done. What was taken out of every shared structure may be used anew once each slot is 0 or holds a later epoch
// than the one in which it was taken out. Any thread.
//
// I1: whoever enters after something was taken out does not find it: taking out comes before `epochs_advance`, entering
//     before the first look, and all of it is sequentially consistent: entering stores, and then loads the epoch again, so
//     that no look of any kind is done before the store is seen.
// I2: a thread that is inside lags behind by LAG_MAX at most, and by one epoch for each thread that begins some.
import { EPOCHS_GLOBAL, EPOCHS_SLOTS, EPOCH_SLOTS_MAX, EPOCH_SLOT_BYTES } from '../layout-epochs'

/** A slot so far behind is close to being taken for one that is ahead: no epoch begins before it has moved. */
const LAG_MAX: u32 = 0x4000_0000

/** Begins a new epoch: the stamp of what was taken out before the call. Pairs with `EpochSlot.enter`. */
export function epochs_advance(epochs: usize): u32 {
  const stamp = atomic.load<u32>(epochs, EPOCHS_GLOBAL)
  for (let i = 0; i < EPOCH_SLOTS_MAX; i++) {
    // Pairs with the stores of `EpochSlot.enter` and `leave`.
    const entered = atomic.load<u32>(epochs + EPOCHS_SLOTS + <usize>i * EPOCH_SLOT_BYTES)
    if (entered != 0 && stamp - entered > LAG_MAX) return stamp
  }
  return atomic.add<u32>(epochs + EPOCHS_GLOBAL, 2)
}

/** True once no thread can see any more what bears the stamp. The first load pairs with the add in `epochs_advance`. */
export function epochs_have_passed(epochs: usize, stamp: u32): bool {
  if (atomic.load<u32>(epochs, EPOCHS_GLOBAL) == stamp) {
    // No epoch could begin behind the stamp, then. Nobody else may ever begin one.
    epochs_advance(epochs)
    return false
  }
  for (let i = 0; i < EPOCH_SLOTS_MAX; i++) {
    // Pairs with the stores of `EpochSlot.enter` and `leave`: who has left has done its last look.
    const entered = atomic.load<u32>(epochs + EPOCHS_SLOTS + <usize>i * EPOCH_SLOT_BYTES)
    if (entered != 0 && <i32>(entered - stamp) <= 0) return false
  }
  return true
}
