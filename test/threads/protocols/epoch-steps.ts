/**
 * The steps of `kernel/assembly/epochs.ts` and `memory/epochs.ts`, one for each access to a shared word, for the models of
 * all that is protected by epochs. The counters are tiny, so that they wrap.
 */
import type { Model, Processor, Thread, Word } from '../../support/explorer/model.js'

export type EpochMistake =
  | 'enters after the first look'
  | 'enters without looking at the epoch again'
  | 'takes out after beginning an epoch'
  | 'takes a slot of the same epoch for a later one'
  | 'forgets the last slot'
  | 'begins epochs whatever lags behind'
  | 'leaves it to others to begin the epoch that is missing'

export class EpochWords {
  /** EPOCHS_GLOBAL: odd numbers below the modulus. */
  readonly global: Word
  /** EPOCHS_SLOTS. */
  readonly slots: Word

  constructor(
    model: Model,
    readonly slotCount: number,
    /** In place of 2^32. */
    readonly modulus = 8,
  ) {
    this.global = model.word('EPOCHS_GLOBAL', 1)
    this.slots = model.words('EPOCHS_SLOTS', slotCount)
  }

  /** LAG_MAX: a quarter of what there is. */
  get lagMax(): number {
    return this.modulus / 4
  }

  difference(a: number, b: number): number {
    return (a - b + this.modulus) % this.modulus
  }

  /** `<i32>(a - b) <= 0`. */
  isNotLater(a: number, b: number): boolean {
    const difference = this.difference(a, b)
    return difference === 0 || difference >= this.modulus / 2
  }
}

/** `EpochSlot.enter`. */
export function enter(thread: Thread, epochs: EpochWords, slot: number, mistake = ''): void {
  const entered = thread.local(`entered ${thread.steps.length}`)
  const again = thread.freshLabel('enter')
  const inside = thread.freshLabel('inside')
  thread.step('enter: Atomics.load(global)', (p) => p.set(entered, p.load(epochs.global)))
  thread.label(again)
  thread.step('enter: Atomics.store(slot)', (p) => {
    p.store(epochs.slots + slot, p.get(entered))
    if (mistake !== 'enters without looking at the epoch again') return
    p.set(entered, 0)
    return inside
  })
  thread.step('enter: Atomics.load(global) again', (p) => {
    const global = p.load(epochs.global)
    const isSame = global === p.get(entered)
    p.set(entered, isSame ? 0 : global)
    return isSame ? inside : again
  })
  thread.label(inside)
}

/** `EpochSlot.leave`. */
export function leave(thread: Thread, epochs: EpochWords, slot: number): void {
  thread.step('leave: Atomics.store(slot, 0)', (p) => p.store(epochs.slots + slot, 0))
}

/** `epochs_advance`; the stamp into a local. */
export function advance(thread: Thread, epochs: EpochWords, into: Word, mistake = ''): void {
  const done = thread.freshLabel('advanced')
  thread.step('epochs_advance: load global', (p) => p.set(into, p.load(epochs.global)))
  for (let slot = 0; slot < epochs.slotCount; slot++) {
    if (mistake === 'begins epochs whatever lags behind') break
    thread.step(`epochs_advance: load slot ${slot}`, (p) => {
      const entered = p.load(epochs.slots + slot)
      if (entered !== 0 && epochs.difference(p.get(into), entered) > epochs.lagMax) return done
    })
  }
  thread.step('epochs_advance: add', (p) => {
    p.set(
      into,
      p.change(epochs.global, (old) => (old + 2) % epochs.modulus),
    )
  })
  thread.label(done)
}

/** `epochs_have_passed`: goes on where they have, and to `otherwise` where they have not. */
export function havePassed(
  thread: Thread,
  epochs: EpochWords,
  stamp: (p: Processor) => number,
  otherwise: string,
  mistake = '',
): void {
  const behind = thread.freshLabel('an epoch is behind the stamp')
  const unused = thread.local(`epoch ${thread.steps.length}`)
  thread.step('epochs_have_passed: load global', (p) => {
    if (p.load(epochs.global) !== stamp(p)) return behind
  })
  if (mistake !== 'leaves it to others to begin the epoch that is missing') {
    advance(thread, epochs, unused, mistake)
  }
  thread.step('epochs_have_passed: false', (p) => {
    p.set(unused, 0)
    return otherwise
  })
  thread.label(behind)
  const count = epochs.slotCount - (mistake === 'forgets the last slot' ? 1 : 0)
  for (let slot = 0; slot < count; slot++) {
    thread.step(`epochs_have_passed: load slot ${slot}`, (p) => {
      const entered = p.load(epochs.slots + slot)
      if (entered === 0) return
      if (mistake === 'takes a slot of the same epoch for a later one') {
        if (entered === stamp(p)) return
      }
      if (epochs.isNotLater(entered, stamp(p))) return otherwise
    })
  }
}
