/**
 * The line in which jobs of all trees wait for a thread of the pool they share. Decides who goes next; runs nothing. Main
 * thread.
 *
 * Highest priority first; among equals the tree that was served least recently; within a tree first come, first served.
 *
 * I1: nobody starves: a job that {@link PASSES_MAX} others overtook goes next, whatever its priority and theirs.
 * I2: where there are two threads or more, merges leave one of them to everything else: no flush waits for a merge.
 */
import type { VarveError } from '../../shared/base/errors.js'

/** What a job says when it lines up. */
export interface JobPlace {
  /** Its tree: one number for each open tree. */
  readonly owner: number
  /** The highest goes first. */
  readonly priority: number
  /** Merges may take their time, and leave a thread free. */
  readonly isMerge: boolean
}

/** Where it stands that a job says nothing of itself. */
const NOBODY: JobPlace = { owner: 0, priority: 0, isMerge: false }

/** How many jobs may overtake one. */
export const PASSES_MAX = 16

interface Waiting {
  readonly place: JobPlace
  readonly start: () => void
  readonly refuse: (error: Error) => void
  /** Jobs that came later and went first. */
  passes: number
}

export class JobLine {
  /** Merges that run at once, at most. */
  readonly mergesMax: number
  readonly #threads: number
  /** In order of arrival. */
  readonly #waiting: Waiting[] = []
  /** When each tree was served last, by a count of jobs. */
  readonly #servedAt = new Map<number, number>()
  #served = 0
  #running = 0
  #merging = 0

  /** @param threads jobs that run at once */
  constructor(threads: number) {
    this.#threads = threads
    this.mergesMax = Math.max(1, threads - 1)
  }

  /** Jobs that wait for a thread. */
  get length(): number {
    return this.#waiting.length
  }

  /** Runs `work` when its turn has come, and hands the thread on. Rejects as `work` does, or where it was withdrawn. */
  async run<T>(place: JobPlace = NOBODY, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start, refuse) => {
      this.#waiting.push({ place, start, refuse, passes: 0 })
      this.#serve()
    })
    try {
      return await work()
    } finally {
      this.#running--
      if (place.isMerge) this.#merging--
      this.#serve()
    }
  }

  /** Jobs that have not begun fail with `error`, where they are wanted out. */
  withdraw(isOut: (place: JobPlace) => boolean, error: VarveError): void {
    for (const one of this.#waiting.filter(({ place }) => isOut(place))) {
      this.#waiting.splice(this.#waiting.indexOf(one), 1)
      one.refuse(error)
    }
  }

  /** An owner is no more. */
  forget(owner: number): void {
    this.#servedAt.delete(owner)
  }

  #serve(): void {
    while (this.#running < this.#threads) {
      const next = this.#choose()
      if (next === undefined) return
      const index = this.#waiting.indexOf(next)
      for (const passed of this.#waiting.slice(0, index)) passed.passes++
      this.#waiting.splice(index, 1)
      this.#servedAt.set(next.place.owner, ++this.#served)
      this.#running++
      if (next.place.isMerge) this.#merging++
      next.start()
    }
  }

  #choose(): Waiting | undefined {
    const mayMerge = this.#merging < this.mergesMax
    const able = this.#waiting.filter(({ place }) => mayMerge || !place.isMerge)
    const overdue = able.find(({ passes }) => passes >= PASSES_MAX)
    if (overdue !== undefined) return overdue
    return able.reduce<Waiting | undefined>(
      (best, one) => (best === undefined || this.#precedes(one, best) ? one : best),
      undefined,
    )
  }

  /** Whether `one` goes before `other`, which came first. */
  #precedes({ place: one }: Waiting, { place: other }: Waiting): boolean {
    if (one.priority !== other.priority) return one.priority > other.priority
    return (this.#servedAt.get(one.owner) ?? 0) < (this.#servedAt.get(other.owner) ?? 0)
  }
}
