/**
 * A tree as a thread other than its owner's has it: every read method over the shared memory, without a message; writes
 * and statistics by messages to the owner. The attached thread.
 */
import { ChangeIterator, type ScanSinceOptions } from '../reading/change-iterator.js'
import { type ReadOptions, requireReadSeqno } from '../reading/read-options.js'
import { TreeReads } from '../reading/tree-reads.js'
import { requireSeqno } from '../seqno-counter.js'
import { Snapshot } from '../snapshot.js'
import type { RangeEstimateOptions } from '../statistics/statistics-operations.js'
import type { OwnerLine } from './owner-line.js'
import type { Answer, Statistic, StatisticName } from './protocol.js'
import type { ReaderCore } from './reader-core.js'
import { RemoteStatistics } from './remote-statistics.js'
import { RemoteWriter } from './remote-writer.js'

/**
 * Reads an open tree of another thread: the same methods as there, synchronous, lock-free. A write is seen as soon as its
 * seqno is visible, whichever thread it came from. Made by `attach`; belongs to its thread.
 *
 * Detach it when it is done with, or let `using` do that. A thread that ends has detached. Once the owner has closed the
 * tree, every method says VARVE_CLOSED.
 *
 * @example
 * ```ts
 * // in a worker thread that was given tree.share() as workerData
 * await using reader = await attach(workerData)
 * for (const [key, value] of reader.prefix('user:')) console.log(String(key), value.length)
 * await reader.writer.insert('seen', '1')
 * ```
 */
export class TreeReader extends RemoteStatistics implements Disposable, AsyncDisposable {
  protected readonly reads: TreeReads
  /** The write methods, as promises that the owner's thread answers. */
  readonly writer: RemoteWriter
  readonly #core: ReaderCore
  readonly #line: OwnerLine
  #goodbye: Promise<void> | undefined

  /** Not for users: call `attach`. */
  constructor(makeCore: (onEnd: () => void) => ReaderCore, line: OwnerLine) {
    super()
    this.#line = line
    this.#core = makeCore(() => {
      this.#goodbye = this.#sayGoodbye()
    })
    this.reads = new TreeReads(this.#core)
    this.writer = new RemoteWriter(line)
    line.listen((notice) => {
      if (notice === 'retired') this.#core.prune()
      else this.#core.detach()
    })
    // The tree may have closed since it granted, while nobody listened.
    if (!this.#core.isOpen) this.#core.detach()
  }

  /** The folder of the tree. */
  get path(): string {
    return this.#core.root
  }

  /** False once this was detached or the owner has closed the tree. */
  get isOpen(): boolean {
    return this.#core.isOpen
  }

  /** Up to where writes are visible: reads that name no seqno see those below. @throws VARVE_CLOSED */
  get visibleSeqno(): number {
    return this.#core.visibleSeqno
  }

  /**
   * Pins a seqno, as `tree.snapshot` does: the owner's maintenance keeps what it sees, until it is disposed or this thread
   * is detached. At most 256 at once, a thread.
   * @param seqno default: what is visible now
   * @throws VARVE_SEQNO_COLLECTED where that history is gone already; VARVE_OUT_OF_MEMORY for one too many
   */
  snapshot(seqno?: number): Snapshot {
    this.#core.requireOpen()
    if (seqno !== undefined) requireSeqno(seqno, 'the seqno of a snapshot')
    const pin = this.#core.pin(seqno)
    return new Snapshot(this.#core, this.reads, pin.seqno, pin.unpin)
  }

  /** As `tree.scanSinceSeqno`, up to what is visible at the call. */
  scanSinceSeqno(seqno: number, options: ScanSinceOptions = {}): ChangeIterator {
    return new ChangeIterator(this.#core, seqno, options)
  }

  /**
   * Gives back what this thread has of the tree. Reads say VARVE_CLOSED from now on; iterators and pinned slices that are
   * open stay good, and keep their memory until they end. Resolves when the owner knows. A second call does nothing.
   */
  async detach(): Promise<void> {
    this.#core.detach()
    await this.#goodbye
  }

  /** {@link detach}, without waiting for the owner. */
  [Symbol.dispose](): void {
    this.#core.detach()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detach()
  }

  protected beginRead(options: ReadOptions | undefined): number {
    const given = options?.seqno
    return this.#core.beginRead(given === undefined ? undefined : requireReadSeqno(given))
  }

  protected tell<Name extends StatisticName>(
    name: Name,
    range?: RangeEstimateOptions,
  ): Promise<Statistic<Name>> {
    return this.#line.call(
      (control) => control.tell(name, range) as Promise<Answer<Statistic<Name>>>,
    )
  }

  /** Tells the owner that nothing is read here any more. One that is gone knows. */
  async #sayGoodbye(): Promise<void> {
    try {
      await this.#line.call((control) => control.detach())
    } catch {
      // The owner's side is gone, and with it what it kept for this thread.
    }
    this.#line.close()
  }
}
