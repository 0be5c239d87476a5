/**
 * Offsets of the epochs by which threads tell what they may still be reading: part of the layout, so it imports nothing
 * and holds nothing but numeric constants.
 *
 * Epochs are odd numbers that wrap: `later` is the sign of a difference. A slot is 0 while its thread reads nothing.
 */

/** Threads that may read at once, the owner of the memory included: it has slot 0. */
export const EPOCH_SLOTS_MAX = 64

/** u32, atomic: the epoch at hand. */
export const EPOCHS_GLOBAL = 0
/** u32 each, atomic, a cache line each: the epoch in which the slot's thread began to read, or 0. */
export const EPOCHS_SLOTS = 64
export const EPOCH_SLOT_BYTES = 64
export const EPOCHS_BYTES = 4160
