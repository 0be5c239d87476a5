/**
 * A range read that never waits for the disk on the calling thread: arrays of entries as they come. Main thread.
 *
 * The consumer sets the pace: nothing but the windows of `later-blocks.ts` is read before it asks.
 *
 * I1: the super version is taken before the first wait and stays until the iterator ends, is aborted or disposed.
 * I2: steps run one behind the other, however many are asked for at once.
 */
import { setImmediate } from 'node:timers/promises'
import { VarveError } from '../../shared/base/errors.js'
import { ITERATOR_LEAK } from './held-scans.js'
import type { LaterBlocks } from './later-blocks.js'
import { type Held, UNWATCHED, unwatch, watch } from './leak-watch.js'
import type { Shape } from './read-options.js'
import { RowReader, type RowSource } from './row-reader.js'
import type { IteratorRange } from './tree-iterator.js'

/** Chunks that may come out of memory one behind the other before the event loop gets a turn: about a millisecond. */
const CHUNKS_A_TURN = 4

/** What an asynchronous iterator reads through: its scan, and what that waits for. */
export interface LaterSource extends RowSource {
  readonly giver: LaterBlocks
  /** Brings what the scan waits for: a block, or a resolved key. */
  readonly wait: () => Promise<void>
}

class AsyncRangeState implements Held {
  readonly leak = ITERATOR_LEAK
  watchNumber = UNWATCHED
  isDone = false
  readonly rows: RowReader
  readonly #source: LaterSource

  constructor(source: LaterSource, rows: RowReader) {
    this.#source = source
    this.rows = rows
  }

  letGo(): void {
    this.isDone = true
    this.rows.dispose()
    this.#source.release()
  }
}

/**
 * Chunks of a range, for `for await`: arrays of at most a few hundred entries, none of them empty.
 *
 * @example
 * ```ts
 * for await (const chunk of tree.rangeAsync({ gte: 'a', signal })) {
 *   for (const [key, value] of chunk) console.log(String(key), value.length)
 * }
 * ```
 */
export class AsyncRangeIterator<T> implements AsyncIterableIterator<T[]>, AsyncDisposable {
  readonly #source: LaterSource
  readonly #shape: Shape
  readonly #signal: AbortSignal | undefined
  readonly #state: AsyncRangeState
  readonly #onAbort = (): void => this.#abort()
  #remaining: number
  #chunksThisTurn = 0
  /** The step that was asked for last. */
  #last: Promise<unknown> = Promise.resolve()
  #isStepping = false
  /** What the next step says: the signal came between two. */
  #failure: Error | undefined
  /** Ends the wait at hand. */
  #rejectWait: ((error: Error) => void) | undefined

  /** Not for users: call `tree.rangeAsync`. */
  constructor(
    source: LaterSource,
    range: IteratorRange,
    shape: Shape,
    signal: AbortSignal | undefined,
  ) {
    this.#source = source
    this.#shape = shape
    this.#signal = signal
    this.#remaining = range.rowsWanted
    const rows = new RowReader(source, range)
    this.#state = new AsyncRangeState(source, rows)
    watch(this, this.#state)
    signal?.addEventListener('abort', this.#onAbort)
    if (signal?.aborted === true) this.#abort()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /**
   * The next chunk.
   * @throws VARVE_ABORTED where the signal says so; VARVE_CHECKSUM_MISMATCH and the like where a block cannot be read
   */
  next(): Promise<IteratorResult<T[], undefined>> {
    const step = this.#last.then(() => this.#step())
    this.#last = step.catch(() => undefined)
    return step
  }

  /** Ends the iteration early, after the step under way. A second call does nothing. */
  async return(): Promise<IteratorResult<T[], undefined>> {
    await this.#last
    this.#end()
    return { done: true, value: undefined }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #step(): Promise<IteratorResult<T[], undefined>> {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    if (this.#state.isDone) return { done: true, value: undefined }
    this.#isStepping = true
    try {
      const chunk = await this.#nextChunk()
      if (chunk.length > 0) return { done: false, value: chunk }
    } catch (error) {
      this.#end()
      throw error
    } finally {
      this.#isStepping = false
    }
    this.#end()
    return { done: true, value: undefined }
  }

  async #nextChunk(): Promise<T[]> {
    const { rows } = this.#state
    const chunk: T[] = []
    if (++this.#chunksThisTurn > CHUNKS_A_TURN) {
      this.#chunksThisTurn = 0
      await setImmediate()
    }
    while (this.#remaining > 0) {
      if (this.#signal?.aborted === true) throw this.#aborted()
      const isThere = rows.tryNext()
      if (isThere === false) break
      if (isThere === undefined) {
        // What is there already need not wait for the disk.
        if (chunk.length > 0) break
        this.#chunksThisTurn = 0
        await this.#wait()
        continue
      }
      this.#remaining--
      chunk.push(this.#read(rows))
      if (rows.isAtBatchEnd) break
    }
    return chunk
  }

  /** Waits for what the scan misses, or for the signal. */
  async #wait(): Promise<void> {
    const ended = new Promise<never>((_, reject) => {
      this.#rejectWait = reject
    })
    try {
      await Promise.race([this.#source.wait(), ended])
    } finally {
      this.#rejectWait = undefined
    }
  }

  #read(rows: RowReader): T {
    if (this.#shape === 'keys') return rows.key() as T
    if (this.#shape === 'values') return rows.value() as T
    return [rows.key(), rows.value()] as T
  }

  /** The signal came: ends the wait of the step under way, or, between steps, the iteration. */
  #abort(): void {
    if (this.#isStepping) {
      this.#rejectWait?.(this.#aborted())
      return
    }
    if (this.#state.isDone) return
    this.#failure = this.#aborted()
    this.#end()
  }

  #aborted(): VarveError {
    const cause: unknown = this.#signal?.reason
    return new VarveError('VARVE_ABORTED', 'the range read was aborted by its signal', { cause })
  }

  #end(): void {
    if (this.#state.isDone) return
    this.#signal?.removeEventListener('abort', this.#onAbort)
    unwatch(this.#state)
    this.#state.letGo()
  }
}
