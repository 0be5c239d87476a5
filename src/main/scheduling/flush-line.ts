/**
 * The flushes of one tree: which memtables each takes, and in what order they become part of the tree. Main thread.
 *
 *     sealed, oldest first:   1 2 3 4 5
 *                             └─┘ │ └── free
 *                              A  B         A and B write their tables at once; B waits for A to install
 *
 * I1: flushes take neighbouring memtables, the oldest free ones first; none is in two flushes.
 * I2: a flush installs after the one before it has, and gives up its tables where that one failed: newer data never gets
 *     below older data, and what a log was told to be durable is durable.
 * I3: `alone` runs while no other flush does.
 */
import type { Memtable } from '../version/memtable.js'

/** What one flush is to write out, and what it waits for before it installs. */
export interface FlushPart {
  /** Neighbours, oldest first. */
  readonly memtables: readonly Memtable[]
  /** Resolves when the flush before has ended: true where it installed what it had, or had nothing to. */
  readonly turn: Promise<boolean>
}

export class FlushLine {
  readonly #taken = new Set<Memtable>()
  #running = 0
  /** Those that want to be alone, waiting or running. */
  #aloneCount = 0
  /** How the flush that was begun last ends. */
  #last: Promise<boolean> = Promise.resolve(true)
  #lastAlone: Promise<unknown> = Promise.resolve()
  readonly #waiters = new Set<() => void>()
  readonly #onEnd: () => void

  /** @param onEnd called when a flush, or work that was alone, has ended */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  /** Flushes that run. */
  get running(): number {
    return this.#running
  }

  get isIdle(): boolean {
    return this.#running + this.#aloneCount === 0
  }

  /** Runs `flush` over a share of what of `sealed` is free, where one more may run. False where none may, or none is. */
  start(
    sealed: readonly Memtable[],
    concurrency: number,
    flush: (part: FlushPart) => Promise<boolean>,
  ): boolean {
    const free = sealed.filter((memtable) => !this.#taken.has(memtable))
    if (this.#aloneCount > 0 || this.#running >= concurrency || free.length === 0) return false
    const share = Math.ceil(free.length / (concurrency - this.#running))
    const memtables = free.slice(0, share)
    for (const memtable of memtables) this.#taken.add(memtable)
    this.#running++
    const turn = this.#last
    this.#last = this.#end(memtables, flush({ memtables, turn }))
    return true
  }

  /** Runs `work` when no flush runs; none begins until it has ended. One after the other. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#aloneCount++
    const before = this.#lastAlone
    const run = async (): Promise<T> => {
      await before
      while (this.#running > 0) await this.nextChange()
      return work()
    }
    const mine = run()
    this.#lastAlone = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      this.#aloneCount--
      this.#notify()
    }
  }

  /** Resolves when a flush, or work that is alone, has ended. */
  async nextChange(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiters.add(resolve)
    })
  }

  async #end(memtables: readonly Memtable[], flush: Promise<boolean>): Promise<boolean> {
    try {
      return await flush
    } catch {
      return false
    } finally {
      for (const memtable of memtables) this.#taken.delete(memtable)
      this.#running--
      // Nothing is left that could come after a failed one.
      if (this.#running === 0) this.#last = Promise.resolve(true)
      this.#notify()
    }
  }

  #notify(): void {
    for (const resolve of this.#waiters) resolve()
    this.#waiters.clear()
    this.#onEnd()
  }
}
