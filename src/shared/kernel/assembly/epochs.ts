// Epochs (epoch-based reclamation, Fraser 2004): a thread writes the epoch at hand into its slot before it reads, and 0
// when it is done. What was taken out of every shared structure may be used anew once each slot is 0 or holds a later epoch
// than the one in which it was taken out. Any thread.
//
// I1: whoever enters after something was taken out does not find it: taking out comes before `epochs_advance`, entering
//     before the first look, and all of it is sequentially consistent.
import { EPOCHS_GLOBAL, EPOCHS_SLOTS, EPOCH_SLOTS_MAX, EPOCH_SLOT_BYTES } from '../layout-epochs'

/** A slot so far behind is close to being taken for one that is ahead: no epoch begins before it has moved. */
const LAG_MAX: u32 = 0x4000_0000

/** Begins a new epoch: the stamp of what was taken out before the call. */
export function epochs_advance(epochs: usize): u32 {
  const stamp = atomic.load<u32>(epochs, EPOCHS_GLOBAL)
  for (let i = 0; i < EPOCH_SLOTS_MAX; i++) {
    const entered = atomic.load<u32>(epochs + EPOCHS_SLOTS + <usize>i * EPOCH_SLOT_BYTES)
    if (entered != 0 && stamp - entered > LAG_MAX) return stamp
  }
  return atomic.add<u32>(epochs + EPOCHS_GLOBAL, 2)
}

/** True once no thread can see any more what bears the stamp. */
export function epochs_have_passed(epochs: usize, stamp: u32): bool {
  if (atomic.load<u32>(epochs, EPOCHS_GLOBAL) == stamp) return false
  for (let i = 0; i < EPOCH_SLOTS_MAX; i++) {
    const entered = atomic.load<u32>(epochs + EPOCHS_SLOTS + <usize>i * EPOCH_SLOT_BYTES)
    if (entered != 0 && <i32>(entered - stamp) <= 0) return false
  }
  return true
}
