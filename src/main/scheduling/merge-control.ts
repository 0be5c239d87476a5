/**
 * One merge as its caller sees it: stopped by a signal or by the closing tree, and asked how far it is. It may run as
 * several jobs, one after the other or at once; their control words are what it works through. Main thread.
 *
 * I1: once it is cancelled, every job of it is told, also one that begins later; and nothing more of it is installed.
 */
import { VarveError } from '../../shared/base/errors.js'
import {
  JOB_BYTES_READ,
  JOB_BYTES_WRITTEN,
  JOB_CANCEL,
  JOB_ENTRIES,
} from '../../shared/kernel/layout-jobs.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'
import type { MergePace } from './merge-pace.js'

/** How far a merge is. */
export interface CompactionProgress {
  /** Bytes of blocks of the inputs that were read, of about {@link bytesTotal}. */
  readonly bytesRead: number
  /** Bytes of the input files. */
  readonly bytesTotal: number
  /** Entries read, every version and tombstone counted. */
  readonly entries: number
  /** Bytes of keys and values written. */
  readonly bytesWritten: number
}

/** What a caller may give to a merge. */
export interface MergeOptions {
  /** Aborted: the merge stops within a block and fails with VARVE_ABORTED; the tables stay as they were. */
  readonly signal?: AbortSignal | undefined
  /** Called a few times a second while the merge runs, and once at its end. What it throws is not caught. */
  readonly onProgress?: ((progress: CompactionProgress) => void) | undefined
}

/** How often progress is told. */
const PROGRESS_MS = 250

export class MergeControl implements Disposable {
  readonly #shared: SharedMemory
  readonly #pace: MergePace
  readonly #bytesTotal: number
  readonly #options: MergeOptions
  readonly #controls = new Set<number>()
  readonly #onAbort = (): void => this.cancel()
  /** Of the jobs that have ended. */
  #ended = { bytesRead: 0, entries: 0, bytesWritten: 0 }
  #timer: NodeJS.Timeout | undefined
  #isCancelled = false

  /** @param bytesTotal what the merge is going to read */
  constructor(
    { shared, pace }: { readonly shared: SharedMemory; readonly pace: MergePace },
    bytesTotal: number,
    options: MergeOptions,
  ) {
    this.#shared = shared
    this.#pace = pace
    this.#bytesTotal = bytesTotal
    this.#options = options
    const { signal, onProgress } = options
    if (signal?.aborted === true) this.#isCancelled = true
    signal?.addEventListener('abort', this.#onAbort)
    pace.add(this)
    if (onProgress !== undefined) {
      this.#timer = setInterval(() => onProgress(this.progress), PROGRESS_MS).unref()
    }
  }

  get progress(): CompactionProgress {
    const sum = { ...this.#ended }
    for (const control of this.#controls) addTo(sum, this.#read(control))
    // Whoever stopped and began again read a block twice; and files hold more than blocks.
    return {
      ...sum,
      bytesRead: Math.min(sum.bytesRead, this.#bytesTotal),
      bytesTotal: this.#bytesTotal,
    }
  }

  /** Runs one job, whose control words are at `control`. */
  async run<T>(control: number, work: () => Promise<T>): Promise<T> {
    this.requireWanted()
    this.#controls.add(control)
    try {
      const result = await work()
      addTo(this.#ended, this.#read(control))
      return result
    } finally {
      this.#controls.delete(control)
    }
  }

  cancel(): void {
    this.#isCancelled = true
    for (const control of this.#controls) this.#shared.raise(control + JOB_CANCEL)
    this.#pace.words.wake()
  }

  /** @throws VARVE_ABORTED where the merge is not wanted any more */
  requireWanted(): void {
    if (!this.#isCancelled) return
    const { signal } = this.#options
    const isAborted = signal?.aborted === true
    throw new VarveError(
      'VARVE_ABORTED',
      isAborted
        ? 'the compaction was aborted by its signal; the tables stay as they were'
        : 'the compaction was cancelled because the tree closes; the tables stay as they were',
      isAborted ? { cause: signal?.reason } : {},
    )
  }

  /** The error that a caller is to see where the merge failed by `error`. */
  explain(error: unknown): unknown {
    if (!this.#isCancelled || !VarveError.is(error, 'VARVE_ABORTED')) return error
    try {
      this.requireWanted()
      return error
    } catch (reason) {
      return reason
    }
  }

  /** The merge succeeded: tells the last of its progress. */
  complete(): void {
    const { onProgress } = this.#options
    onProgress?.({ ...this.progress, bytesRead: this.#bytesTotal })
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#pace.remove(this)
  }

  #read(control: number): Omit<CompactionProgress, 'bytesTotal'> {
    return {
      bytesRead: this.#shared.getF64(control + JOB_BYTES_READ),
      entries: this.#shared.getF64(control + JOB_ENTRIES),
      bytesWritten: this.#shared.getF64(control + JOB_BYTES_WRITTEN),
    }
  }
}

function addTo(
  sum: { bytesRead: number; entries: number; bytesWritten: number },
  { bytesRead, entries, bytesWritten }: Omit<CompactionProgress, 'bytesTotal'>,
): void {
  sum.bytesRead += bytesRead
  sum.entries += entries
  sum.bytesWritten += bytesWritten
}
