/**
 * The tables that a job writes: starts them on demand, ends them with their share of the range tombstones, and removes
 * them all when the job fails. The thread of the actor.
 *
 * I1: outputs ascend by key and do not overlap, range tombstones included, where they are clipped.
 * I2: no coverage is lost: with clipping, each output answers for everything behind the output before it, the first one
 *     from the beginning and the last one to the end of all keys (semantics.md 21.6, 36.1).
 * I3: a bound is a key that was written, or one with a zero byte behind it in the order of bytes. Where an order has no
 *     such bound, no table ends inside a range tombstone.
 * I4: a table becomes durable while the next one is being written; `finish` gives them when all are, and their names.
 */
import { assert } from '../shared/base/errors.js'
import { type KeyOrder, successor } from '../shared/base/key-order.js'
import { KEY_BYTES_MAX } from '../shared/base/limits.js'
import { normalizeRangeTombstones, type RangeTombstone } from '../shared/format/range-tombstone.js'
import type { OutputPlan } from '../shared/jobs/jobs.js'
import { KIND_WEAK_TOMBSTONE } from '../shared/kernel/layout.js'
import type { TableProposal } from '../shared/table/table-proposal.js'
import { type FinishedTable, type TableEnding, TableWriter } from '../shared/table/table-writer.js'
import type { ActorContext } from './actor-context.js'

/** Index and filter of one table at most, in memory: a table ends early rather than grow past it. */
const AUXILIARY_BYTES_MAX = 16 * 1024 * 1024

/** Largest table, whatever was asked for. */
const TABLE_BYTES_MAX = 1024 * 1024 * 1024

/** How range tombstones meet several outputs: flushed tables overlap and each take all; merged ones share. */
export type TombstoneSharing = 'all in each' | 'clipped'

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export class OutputTables {
  readonly writer: TableWriter
  readonly #context: ActorContext
  readonly #plan: OutputPlan
  readonly #tombstones: readonly RangeTombstone[]
  readonly #sharing: TombstoneSharing
  readonly #done: TableProposal[] = []
  readonly #paths: string[] = []
  /** Tables that were ended, while they become durable; never rejects. */
  #ending: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined
  /** Where the next output's responsibility begins; undefined before the first one. */
  #from: Uint8Array | undefined
  readonly #order: KeyOrder
  /** No table's recorded range goes beyond it. */
  readonly #upTo: Uint8Array | undefined

  /** @param upTo the last key of the job's slice: range tombstones are cut right behind it already */
  constructor(
    context: ActorContext,
    plan: OutputPlan,
    tombstones: readonly RangeTombstone[],
    sharing: TombstoneSharing,
    upTo?: Uint8Array,
  ) {
    this.#upTo = upTo
    this.#context = context
    this.#plan = plan
    this.#order = context.workspace.order
    this.#tombstones = normalizeRangeTombstones(tombstones, context.workspace.order.compare)
    this.#sharing = sharing
    this.writer = new TableWriter(context.workspace, context.fs, plan.shape, context.code.prefixes)
    this.#start()
  }

  /** True where the table at hand should end at the next user key. */
  get isFull(): boolean {
    if (this.#paths.length >= this.#plan.tableIdCount) return false
    const { byteLength, auxiliaryBytes } = this.writer
    const target = Math.min(this.#plan.targetBytes, TABLE_BYTES_MAX)
    return byteLength >= target || auxiliaryBytes >= AUXILIARY_BYTES_MAX
  }

  /**
   * Ends the table at hand and starts the next one; false where nothing can be cut behind its last key: it leaves no room
   * for a bound, or a range tombstone would have to be cut where the order has no bound to give (I3).
   */
  rotate(): boolean {
    this.#requireSound()
    const { lastKey } = this.writer
    if (!this.#canCutBehind(lastKey)) return false
    this.#end(this.#order.isBytes ? successor(lastKey) : lastKey)
    this.#start()
    return true
  }

  /**
   * What is to be waited for before the job goes on: the table before, at the end of the next one, or a turn of the event
   * loop after a buffer was handed over. Undefined where nothing is. Never rejects.
   */
  takeWait(): Promise<void> | undefined {
    if (this.#ending !== undefined && this.isFull) return this.#ending
    return this.writer.takeHandOver() ? nextTurn() : undefined
  }

  /** Ends the last table and makes the folder durable; all tables of the job. What it gives meanwhile never rejects. */
  *finish(): Generator<Promise<void>, readonly TableProposal[], undefined> {
    if (this.writer.itemCount > 0) this.#end(undefined)
    else if (this.#done.length === 0 && this.#tombstones.length > 0) this.#endWithSentinel()
    else this.writer.abandon()
    // Names and bytes at once: nobody knows of either before both are there.
    if (this.#done.length > 0) yield this.#kept(this.#syncFolder())
    yield this.settled()
    this.#requireSound()
    return this.#done
  }

  /** Resolves when nothing is under way off the thread; never rejects. */
  async settled(): Promise<void> {
    await this.#ending
    await this.writer.settled()
  }

  /** Gives the memory back, once all tables are there. */
  dispose(): void {
    this.writer.dispose()
  }

  /**
   * Removes every file of the job. What cannot be removed is an orphan, and goes at the next open. REQUIRES: nothing is
   * under way.
   */
  discard(): void {
    this.writer.dispose()
    for (const path of this.#paths) {
      try {
        this.#context.fs.remove(path)
      } catch {
        // The error that made the job fail is the one to report.
      }
    }
  }

  #start(): void {
    const number = this.#paths.length
    assert(number < this.#plan.tableIdCount, 'a job has an id for each table')
    const id = this.#plan.firstTableId + number
    const path = `${this.#plan.folder}/${id}`
    this.#paths.push(path)
    this.writer.start(id, path)
  }

  #canCutBehind(key: Uint8Array): boolean {
    const { isBytes, compare } = this.#order
    if (isBytes) return key.length < KEY_BYTES_MAX
    return !this.#tombstones.some(
      ({ start, end }) => compare(start, key) <= 0 && compare(end, key) > 0,
    )
  }

  /** Ends the table at hand, which answers for keys below `until`; up to it in an order that is not of bytes. */
  #end(until: Uint8Array | undefined): void {
    const { createdAtNs } = this.#plan
    if (this.#sharing === 'all in each') {
      this.#add(this.writer.finish({ rangeTombstones: this.#tombstones, createdAtNs }))
      return
    }
    const pieces = this.#clip(until)
    this.#add(this.writer.finish(this.#endingOf(pieces)))
    this.#from = until
  }

  #add({ table, ended }: FinishedTable): void {
    this.#done.push(table)
    const both = Promise.all([this.#ending, this.#kept(ended)])
    const ending = both.then(() => {
      if (this.#ending === ending) this.#ending = undefined
    })
    this.#ending = ending
  }

  async #syncFolder(): Promise<void> {
    const { folder, shape } = this.#plan
    const { fs } = this.#context
    if (shape.syncMode === 'none') return
    if (fs.syncDirectoryLater === undefined) fs.syncDirectory(folder)
    else await fs.syncDirectoryLater(folder)
  }

  /** The same, but what it fails with is kept. */
  async #kept(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  #requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Parts of the range tombstones inside the responsibility at hand. */
  #clip(until: Uint8Array | undefined): RangeTombstone[] {
    const from = this.#from
    const { isBytes, compare } = this.#order
    if (!isBytes) {
      return this.#tombstones.filter(
        ({ start }) =>
          (from === undefined || compare(start, from) > 0) &&
          (until === undefined || compare(start, until) <= 0),
      )
    }
    const pieces: RangeTombstone[] = []
    for (const { start, end, seqno } of this.#tombstones) {
      const lower = from !== undefined && compare(start, from) < 0 ? from : start
      const upper = until !== undefined && compare(until, end) < 0 ? until : end
      if (compare(lower, upper) < 0) pieces.push({ start: lower, end: upper, seqno })
    }
    return pieces
  }

  /**
   * The recorded key range takes the pieces in. A piece that was cut right behind the last key ends there: its exclusive
   * end is the next table's first possible key and not this table's.
   */
  #endingOf(pieces: readonly RangeTombstone[]): TableEnding {
    const { createdAtNs } = this.#plan
    if (pieces.length === 0) return { rangeTombstones: [], createdAtNs }
    const { isBytes, compare } = this.#order
    const { firstKey, lastKey } = this.writer
    const behindLast = isBytes ? successor(lastKey) : lastKey
    let min = firstKey
    let max = lastKey
    for (const { start, end } of pieces) {
      if (compare(start, min) < 0) min = start
      if (compare(end, behindLast) > 0 && compare(end, max) > 0) max = end
    }
    return { rangeTombstones: pieces, keyRange: { min, max: this.#limited(max) }, createdAtNs }
  }

  /** A range tombstone that ends right behind the slice records the slice's last key: nothing lies between. */
  #limited(max: Uint8Array): Uint8Array {
    const upTo = this.#upTo
    return upTo !== undefined && this.#order.compare(max, upTo) > 0 ? upTo : max
  }

  /**
   * No entry survived, but range tombstones did: a weak tombstone at the start of the lowest one gives the file a key and
   * hides nothing that the tombstone would not (format-table.md 14).
   */
  #endWithSentinel(): void {
    const lowest = this.#tombstones.reduce((a, b) => (b.seqno < a.seqno ? b : a))
    const { shared, heap } = this.#context.workspace
    const key = heap.allocate(lowest.start.length)
    shared.bytes.set(lowest.start, key)
    // The first block is small, and the key may be as long as they come.
    this.writer.growBlock(lowest.start.length)
    shared.kernel.table_add_at(
      this.writer.writerAddress,
      this.writer.sumsAddress,
      this.#plan.shape.blockSize,
      key,
      lowest.start.length,
      lowest.seqno,
      KIND_WEAK_TOMBSTONE,
      0,
      0,
    )
    heap.free(key)
    const max = this.#tombstones.reduce(
      (most, { end }) => (this.#order.compare(end, most) > 0 ? end : most),
      lowest.end,
    )
    const min = (this.#tombstones[0] as RangeTombstone).start
    this.#add(
      this.writer.finish({
        rangeTombstones: this.#tombstones,
        keyRange: { min, max: this.#limited(max) },
        isSentinelOnly: true,
        createdAtNs: this.#plan.createdAtNs,
      }),
    )
  }
}
