/**
 * Decides what maintenance of one tree runs when: flush before compaction, one flush at a time, so many compactions as
 * RuntimeConfig allows, failures retried with back-off. Main thread.
 *
 * I1: automatic work is asked for by {@link Scheduler.poke} only, and goes on until nothing is left to do.
 * I2: a failed job is reported once, and retried after a pause that doubles up to a limit.
 */
import PQueue from 'p-queue'
import { VarveError } from '../../shared/base/errors.js'
import { MAX_SEQNO } from '../../shared/base/limits.js'
import type { CompactionStrategy } from '../strategies/strategy.js'
import type { TreeCore } from '../tree-core.js'
import type { FailureKind } from './background-failures.js'
import type { CompactionResult } from './compaction-result.js'
import { type HiddenSet, runCompactionTask } from './compaction-task.js'
import { type FlushResult, runFlushTask, type Watermark } from './flush-task.js'
import type { JobExecutor } from './job-executor.js'
import type { MergeOptions } from './merge-control.js'

const RETRY_FIRST_MS = 100
const RETRY_LAST_MS = 10_000

export class Scheduler {
  readonly #core: TreeCore
  readonly #executor: JobExecutor
  readonly #strategy: CompactionStrategy
  readonly #hidden: HiddenSet = new Set()
  /** Flushes of a tree install in order, so one runs at a time. */
  readonly #flushes = new PQueue({ concurrency: 1 })
  readonly #compactions: PQueue
  #isFlushQueued = false
  #compactionsQueued = 0
  #retryMs = RETRY_FIRST_MS
  #retry: NodeJS.Timeout | undefined
  #isStopped = false
  /** Compactions that want to be alone, queued or running. */
  #aloneCount = 0
  readonly #changeWaiters = new Set<() => void>()

  constructor(core: TreeCore, executor: JobExecutor, strategy: CompactionStrategy) {
    this.#core = core
    this.#executor = executor
    this.#strategy = strategy
    this.#compactions = new PQueue({ concurrency: core.runtime.compactionConcurrency })
  }

  /** True while tables are being merged. */
  get isCompacting(): boolean {
    return this.#hidden.size > 0
  }

  /** Something may be to do: queues it where maintenance is automatic. */
  poke(): void {
    if (this.#isStopped || !this.#core.settings.isAutomatic || this.#retry !== undefined) return
    if (this.#core.latest.sealed.length > 0 && !this.#isFlushQueued) {
      this.#isFlushQueued = true
      void this.#flushes.add(() => this.#flushOnce())
    }
    this.#compactions.concurrency = this.#core.runtime.compactionConcurrency
    while (this.#compactionsQueued < this.#core.runtime.compactionConcurrency) {
      this.#compactionsQueued++
      void this.#compactions.add(() => this.#compactOnce())
    }
  }

  /** Flushes everything sealed now. Rejects where it fails. */
  async flush(watermark?: number): Promise<FlushResult | undefined> {
    return this.#flushes.add(() => {
      this.#requireRunning()
      return this.#runFlush(this.#watermark(watermark))
    })
  }

  /** Runs an install that must come between two flushes: none runs meanwhile but those that `work` runs itself. */
  async betweenFlushes<T>(work: (executor: JobExecutor) => Promise<T>): Promise<T> {
    return this.#flushes.add(async () => {
      this.#requireRunning()
      try {
        return await work(this.#executor)
      } finally {
        this.#notify()
        this.poke()
      }
    })
  }

  /** What jobs that are no decision of this tree's maintenance run on. */
  get executor(): JobExecutor {
    return this.#executor
  }

  /** Runs one decision of `strategy`. */
  async compact(
    strategy: CompactionStrategy,
    watermark?: number,
    options?: MergeOptions,
  ): Promise<CompactionResult> {
    return this.#compactions.add(() => {
      this.#requireRunning()
      return this.#runCompaction(strategy, this.#watermark(watermark), options)
    })
  }

  /** Runs one decision of `strategy` while no other compaction runs: automatic ones stand back until it is done. */
  async compactAlone(
    strategy: CompactionStrategy,
    watermark?: number,
    options?: MergeOptions,
  ): Promise<CompactionResult> {
    this.#aloneCount++
    try {
      return await this.#compactions.add(
        async () => {
          while (this.#hidden.size > 0 && !this.#isStopped) await this.nextChange()
          this.#requireRunning()
          return this.#runCompaction(strategy, this.#watermark(watermark), options)
        },
        { priority: 1 },
      )
    } finally {
      this.#aloneCount--
      this.poke()
    }
  }

  /** Resolves when nothing is queued or running. */
  async idle(): Promise<void> {
    while (
      this.#flushes.size +
        this.#flushes.pending +
        this.#compactions.size +
        this.#compactions.pending >
      0
    ) {
      await Promise.all([this.#flushes.onIdle(), this.#compactions.onIdle()])
    }
    await this.#core.removalsDone()
  }

  /** Resolves after the next job that changed something or failed. */
  async nextChange(): Promise<void> {
    // Whoever waits may wait for the retry: the process must live to see it.
    this.#retry?.ref()
    await new Promise<void>((resolve) => {
      this.#changeWaiters.add(resolve)
    })
  }

  /** Resolves after the next job that changed something or failed; true where there is none to wait for. */
  async nextChangeOrIdle(): Promise<boolean> {
    const isIdle = this.idle().then(() => true)
    return Promise.race([this.nextChange().then(() => false), isIdle])
  }

  /** Queues nothing more, ends merges, and waits for what else runs. What is queued fails with VARVE_CLOSED. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#core.pace.endAll()
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#notify()
    await this.idle()
  }

  async #flushOnce(): Promise<void> {
    this.#isFlushQueued = false
    await this.#attempt('flush', () => this.#runFlush(this.#watermark(undefined)))
  }

  async #compactOnce(): Promise<void> {
    this.#compactionsQueued--
    if (this.#aloneCount > 0) return
    await this.#attempt('compaction', async () => {
      const result = await this.#runCompaction(this.#strategy, this.#watermark(undefined))
      if (result.action !== 'nothing') this.poke()
    })
  }

  /** Runs automatic work; a failure is reported and tried again later. */
  async #attempt(kind: FailureKind, work: () => Promise<unknown>): Promise<void> {
    if (this.#isStopped) return
    try {
      await work()
      this.#core.failures.settle(kind)
      this.#retryMs = RETRY_FIRST_MS
    } catch (error) {
      // The tree closes: its merges were told to stop.
      if (!this.#core.isOpen && VarveError.is(error, 'VARVE_ABORTED')) return
      this.#core.reportError(error instanceof Error ? error : new Error(String(error)), kind)
      this.#retryLater()
      this.#notify()
    }
  }

  #retryLater(): void {
    if (this.#retry !== undefined || this.#isStopped) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.poke()
    }, this.#retryMs)
    this.#retry.unref()
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS)
  }

  async #runFlush(watermark: Watermark): Promise<FlushResult | undefined> {
    const result = await runFlushTask(this.#core, this.#executor, watermark)
    if (result !== undefined) this.poke()
    this.#notify()
    return result
  }

  async #runCompaction(
    strategy: CompactionStrategy,
    watermark: Watermark,
    options?: MergeOptions,
  ): Promise<CompactionResult> {
    const core = this.#core
    try {
      const result = await runCompactionTask(
        core,
        this.#executor,
        this.#hidden,
        strategy,
        watermark,
        options,
      )
      // A merge whose inputs were cleared meanwhile did nothing, but its tables are not hidden any more.
      if (result.action === 'nothing') {
        if (result.bytesRead > 0) this.#notify()
        return result
      }
      core.publish('compaction', result)
      this.#notify()
      // To its caller a compaction is over when the space of its inputs is free.
      await core.removalsDone()
      return result
    } catch (error) {
      this.#notify()
      throw error
    }
  }

  /** @throws VARVE_CLOSED */
  #requireRunning(): void {
    if (this.#isStopped) {
      throw new VarveError('VARVE_CLOSED', `${this.#core.root} was closed before this could run`)
    }
  }

  /** The caller's promise, by the seed's rule; without one what snapshots and settings allow, exactly. */
  #watermark(given: number | undefined): Watermark {
    if (given !== undefined) return { seqno: Math.min(given, MAX_SEQNO), isExact: false }
    return { seqno: this.#core.automaticWatermark(), isExact: true }
  }

  #notify(): void {
    for (const resolve of this.#changeWaiters) resolve()
    this.#changeWaiters.clear()
    this.#retry?.unref()
  }
}
