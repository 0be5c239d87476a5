/**
 * Decides what maintenance of one tree runs when: so many flushes and compactions as RuntimeConfig allows, failures retried
 * with back-off. Which job of all trees gets a thread first is decided elsewhere (job-line.ts). Main thread.
 *
 * I1: automatic work is asked for by {@link Scheduler.poke} only, and goes on until nothing is left to do.
 * I2: a failed job is reported once, and retried after a pause that doubles up to a limit; flushes and compactions each
 *     have a pause of their own, so that neither waits for the other's.
 * I3: where the manifest is beyond use, nothing is begun any more: the first failure was told, and is told to callers.
 */
import PQueue from 'p-queue'
import { VarveError } from '../../shared/base/errors.js'
import { MAX_SEQNO } from '../../shared/base/limits.js'
import type { CompactionStrategy } from '../strategies/strategy.js'
import type { TreeCore } from '../tree-core.js'
import { BackOff } from './back-off.js'
import type { CompactionResult } from './compaction-result.js'
import { type HiddenSet, runCompactionTask } from './compaction-task.js'
import { FlushLine, type FlushPart } from './flush-line.js'
import { type FlushResult, GIVEN_UP, runFlushTask, type Watermark } from './flush-task.js'
import type { JobExecutor } from './job-executor.js'
import type { MergeOptions } from './merge-control.js'

/** What is tried again where it fails. */
type RetriedKind = 'flush' | 'compaction'

export class Scheduler {
  readonly #core: TreeCore
  readonly #executor: JobExecutor
  readonly #strategy: CompactionStrategy
  readonly #hidden: HiddenSet = new Set()
  readonly #flushes = new FlushLine(() => this.#flushEnded())
  readonly #compactions: PQueue
  readonly #backOffs = {
    flush: new BackOff(() => this.poke()),
    compaction: new BackOff(() => this.poke()),
  }
  #compactionsQueued = 0
  /** Something is to be looked at in the next turn of the event loop. */
  #isDue = false
  #isPaused = false
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

  /** As {@link poke}, in the next turn: whoever opens a tree need not wait for what is decided of its maintenance. */
  pokeSoon(): void {
    this.#isDue = true
    setImmediate(() => this.#pokeIfDue()).unref()
  }

  #pokeIfDue(): void {
    if (this.#isDue) this.poke()
  }

  /** Something may be to do: begins it where maintenance is automatic. */
  poke(): void {
    this.#isDue = false
    const core = this.#core
    this.#compactions.concurrency = core.runtime.compactionConcurrency
    if (this.#isStopped || !core.settings.isAutomatic || !core.isInstallable) return
    this.#pokeFlushes()
    if (!this.#isPaused) this.#pokeCompactions()
  }

  /** No automatic compaction begins, and merges that run stand still. Flushes go on. */
  pause(): void {
    this.#isPaused = true
    this.#core.pace.words.setPaused(true)
  }

  resume(): void {
    this.#isPaused = false
    this.#core.pace.words.setPaused(false)
    this.poke()
  }

  /** Flushes everything sealed now. Rejects where it fails. */
  async flush(watermark?: number): Promise<FlushResult | undefined> {
    return this.#flushes.alone(async () => {
      this.#requireRunning()
      const result = await this.#runFlush(this.#watermark(watermark))
      return result === GIVEN_UP ? undefined : result
    })
  }

  /** Runs an install that must come between two flushes: none runs meanwhile but those that `work` runs itself. */
  async betweenFlushes<T>(work: (executor: JobExecutor) => Promise<T>): Promise<T> {
    return this.#flushes.alone(async () => {
      this.#requireRunning()
      try {
        return await work(this.#executor)
      } finally {
        this.#notify()
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
    this.#pokeIfDue()
    while (!this.#flushes.isIdle || this.#compactions.size + this.#compactions.pending > 0) {
      if (!this.#flushes.isIdle) await this.#flushes.nextChange()
      else await this.#compactions.onIdle()
    }
    await this.#core.removalsDone()
  }

  /** Resolves after the next job that changed something or failed. */
  async nextChange(): Promise<void> {
    this.#pokeIfDue()
    // Whoever waits may wait for the retry: the process must live to see it.
    this.#keepAlive(true)
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
    for (const backOff of Object.values(this.#backOffs)) backOff.stop()
    this.#notify()
    await this.idle()
  }

  #pokeFlushes(): void {
    if (this.#backOffs.flush.isWaiting) return
    const { latest, runtime } = this.#core
    const flush = (part: FlushPart): Promise<boolean> => this.#flushPart(part)
    while (this.#flushes.start(latest.sealed, runtime.flushConcurrency, flush));
  }

  #pokeCompactions(): void {
    if (this.#backOffs.compaction.isWaiting) return
    const { compactionConcurrency } = this.#core.runtime
    while (this.#compactionsQueued < compactionConcurrency) {
      this.#compactionsQueued++
      void this.#compactions.add(() => this.#compactOnce())
    }
  }

  #flushEnded(): void {
    if (this.#core.isOpen) this.poke()
  }

  /** Flushes a part of what is sealed; true where it is installed, or was cleared. */
  async #flushPart(part: FlushPart): Promise<boolean> {
    let isDone = false
    await this.#attempt('flush', async () => {
      isDone = (await this.#runFlush(this.#watermark(undefined), part)) !== GIVEN_UP
      return isDone
    })
    return isDone
  }

  async #compactOnce(): Promise<void> {
    this.#compactionsQueued--
    if (this.#aloneCount > 0 || this.#isPaused) return
    await this.#attempt('compaction', async () => {
      const result = await this.#runCompaction(this.#strategy, this.#watermark(undefined))
      if (result.action !== 'nothing') this.poke()
      return true
    })
  }

  /** Runs automatic work, which says whether it was done; a failure is reported and tried again later. */
  async #attempt(kind: RetriedKind, work: () => Promise<boolean>): Promise<void> {
    if (this.#isStopped) return
    const core = this.#core
    try {
      if (!(await work())) return
      core.failures.settle(kind)
      this.#backOffs[kind].noteSuccess()
    } catch (error) {
      // The tree closes: its merges were told to stop.
      if (!core.isOpen && VarveError.is(error, 'VARVE_ABORTED')) return
      this.#noteFailure(kind)
      if (!isOfPoison(error)) {
        core.reportError(error instanceof Error ? error : new Error(String(error)), kind)
      }
      if (!this.#isStopped && core.isInstallable) this.#backOffs[kind].noteFailure()
      this.#notify()
    }
  }

  #noteFailure(kind: RetriedKind): void {
    const { maintenance } = this.#core
    if (kind === 'flush') maintenance.flushFailures++
    else maintenance.compactionFailures++
  }

  async #runFlush(
    watermark: Watermark,
    part?: FlushPart,
  ): Promise<FlushResult | typeof GIVEN_UP | undefined> {
    const { maintenance } = this.#core
    maintenance.flushesRunning++
    try {
      const result = await runFlushTask(this.#core, this.#executor, watermark, part)
      if (result !== undefined && result !== GIVEN_UP) {
        // Whoever asked for it: what kept flushes from succeeding is over.
        this.#backOffs.flush.stop()
        this.#backOffs.flush.noteSuccess()
      }
      return result
    } finally {
      maintenance.flushesRunning--
      this.#notify()
    }
  }

  async #runCompaction(
    strategy: CompactionStrategy,
    watermark: Watermark,
    options?: MergeOptions,
  ): Promise<CompactionResult> {
    const core = this.#core
    core.maintenance.compactionsRunning++
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
      this.#count(result)
      core.publish('compaction', result)
      this.#notify()
      // To its caller a compaction is over when the space of its inputs is free.
      await core.removalsDone()
      return result
    } catch (error) {
      this.#notify()
      throw error
    } finally {
      core.maintenance.compactionsRunning--
    }
  }

  #count({ action, bytesRead, bytesWritten }: CompactionResult): void {
    const { maintenance } = this.#core
    if (action === 'merged') maintenance.merges++
    else if (action === 'moved') maintenance.moves++
    else maintenance.drops++
    maintenance.compactionBytesRead += bytesRead
    maintenance.compactionBytesWritten += bytesWritten
  }

  #keepAlive(isWanted: boolean): void {
    for (const backOff of Object.values(this.#backOffs)) backOff.keepAlive(isWanted)
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
    this.#keepAlive(false)
  }
}

/** True for what says that the manifest failed before, which was told by whoever saw it fail. */
function isOfPoison(error: unknown): boolean {
  return VarveError.is(error) && error.details['reason'] === 'manifest-failed'
}
