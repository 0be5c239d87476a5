/**
 * When failed background work is tried again: after a pause that doubles up to a limit. Main thread.
 *
 * I1: waiting for a retry keeps no process alive, unless somebody waits for what it will do.
 */
const FIRST_MS = 100
const LAST_MS = 10_000

export class BackOff {
  readonly #retry: () => void
  #pauseMs = FIRST_MS
  #timer: NodeJS.Timeout | undefined

  /** @param retry called when a pause is over */
  constructor(retry: () => void) {
    this.#retry = retry
  }

  /** True while a pause lasts. */
  get isWaiting(): boolean {
    return this.#timer !== undefined
  }

  noteFailure(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#retry()
    }, this.#pauseMs)
    this.#timer.unref()
    this.#pauseMs = Math.min(this.#pauseMs * 2, LAST_MS)
  }

  noteSuccess(): void {
    this.#pauseMs = FIRST_MS
  }

  /** Whether the pause keeps the process alive. */
  keepAlive(isWanted: boolean): void {
    if (isWanted) this.#timer?.ref()
    else this.#timer?.unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
