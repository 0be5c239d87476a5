/**
 * Keeps what was taken out of a shared tree until no attached thread can see it: read states with their memtables and
 * tables, histories. Main thread.
 *
 *     retire ── nobody attached ──────────────────────────────→ freed
 *        └──→ limbo ── epochs passed, no hold ── sweep ───────→ freed
 *                  └── the last thread is gone ── drain ──────→ freed
 *
 * I1: a piece is stamped after it was taken out: whoever enters an epoch later does not find it.
 * I2: the epochs are looked at first, the holds then (shared/memory/share-words.ts, I2): what neither shows is seen by
 *     nobody and never will be.
 */
import type { Epochs } from '../../shared/memory/epochs.js'
import type { Retired } from '../version/audience.js'

/** Threads that may see what is retired. */
export interface Holders {
  /** How many there are. */
  readonly count: number
  /** Whether one of them holds the state. */
  hold(stateAddress: number): boolean
}

/** How often limbo is looked at while nothing else happens: more rarely, memory comes back later. */
const SWEEP_MS = 50

interface Waiting {
  readonly piece: Retired
  readonly stamp: number
}

export class Reclaimer {
  readonly #epochs: Epochs
  readonly #holders: Holders
  #limbo: Waiting[] = []
  #timer: NodeJS.Timeout | undefined
  #isSweeping = false

  constructor(epochs: Epochs, holders: Holders) {
    this.#epochs = epochs
    this.#holders = holders
  }

  /** What waits. */
  get waiting(): readonly Retired[] {
    return this.#limbo.map(({ piece }) => piece)
  }

  /** REQUIRES: no thread that begins to read from now on finds the piece. */
  retire(piece: Retired): void {
    if (this.#holders.count === 0) {
      piece.free()
      return
    }
    this.#limbo.push({ piece, stamp: this.#epochs.advance() })
    this.sweep()
  }

  /** Frees what nobody sees any more. */
  sweep(): void {
    // What is freed may retire something else: the sweep at hand comes to that.
    if (this.#isSweeping) return
    this.#isSweeping = true
    try {
      for (let freed = 1; freed > 0; ) freed = this.#pass()
    } finally {
      this.#isSweeping = false
    }
    if (this.#limbo.length === 0) this.#stop()
    else this.#timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  #pass(): number {
    const isFree = ({ piece, stamp }: Waiting): boolean =>
      this.#holders.count === 0 ||
      (this.#epochs.havePassed(stamp) &&
        !(piece.stateAddress !== 0 && this.#holders.hold(piece.stateAddress)))
    const free = this.#limbo.filter(isFree)
    if (free.length === 0) return 0
    this.#limbo = this.#limbo.filter((waiting) => !free.includes(waiting))
    for (const { piece } of free) piece.free()
    return free.length
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
