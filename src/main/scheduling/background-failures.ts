/**
 * What failed in the background and has not succeeded since, by the kind of work. Main thread.
 *
 * I1: an error stays until the next success of its own kind: a flush that succeeds hides no failing compaction.
 */

/** `other`: what went wrong beside a job that succeeded, such as a merge operator that refused. */
export type FailureKind = 'flush' | 'compaction' | 'other'

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
