/**
 * What failed in the background and has not succeeded since, by the kind of work. Main thread.
 *
 * I1: an error stays until the next success of its own kind: a flush that succeeds hides no failing compaction.
 */

/** `fold`: the merge operator refused in a job that went on; it stands until the next job in which it does not. */
export type FailureKind = 'flush' | 'compaction' | 'fold'

export class BackgroundFailures {
  /** In order of their last failures. */
  readonly #standing = new Map<FailureKind, Error>()

  /** The last one that still stands. */
  get latest(): Error | undefined {
    return [...this.#standing.values()].at(-1)
  }

  /** The one that stands for `kind`. */
  of(kind: FailureKind): Error | undefined {
    return this.#standing.get(kind)
  }

  note(kind: FailureKind, error: Error): void {
    this.#standing.delete(kind)
    this.#standing.set(kind, error)
  }

  /** Work of that kind has succeeded. */
  settle(kind: FailureKind): void {
    this.#standing.delete(kind)
  }
}
