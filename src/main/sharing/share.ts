/**
 * A tree that other threads may read: what is published to them, who they are, and what waits until they have seen the last
 * of it. Main thread.
 *
 *     shared ── attach ──→ read by n threads ── tree.close() ──→ closed, still read ── the last thread is gone ──→ ended
 *        └── tree.close() ───────────────────────────────────────────────────────────────────────────────────────→ ended
 *
 * I1: a history is published whole, and before the seqno becomes visible from which on it is needed.
 * I2: what a history named is retired only after one that does not name it was published.
 * I3: once closed nothing is published and nobody is attached any more; memory that threads use stays until they are gone.
 * I4: what was published never falls behind: a change for whose history there is no memory closes the share.
 */
import { VarveError } from '../../shared/base/errors.js'
import { SHARE_BYTES } from '../../shared/kernel/layout-sharing.js'
import { type HistoryEntry, writeHistory } from '../../shared/memory/history-words.js'
import { ShareWords } from '../../shared/memory/share-words.js'
import type { SequenceNumberCounter } from '../seqno-counter.js'
import type { TreeCore } from '../tree-core.js'
import type { Audience, AudienceCounts, Retired } from '../version/audience.js'
import { SuperVersion } from '../version/super-version.js'
import type { WriteOperations } from '../writing/write-operations.js'
import { AttachedReader } from './attached-reader.js'
import type { AttachOptions, OwnerNotice } from './protocol.js'
import { Reclaimer } from './reclaimer.js'

/** What threads write to. */
export interface SharedWrites extends WriteOperations {
  drained(): Promise<void>
}

/** A shared tree, as the calls of threads need it. */
export interface SharedTarget {
  readonly core: TreeCore
  readonly tree: SharedWrites
  readonly share: Share
}

/** Whom a reader's notices go to. */
export type Notify = (notice: OwnerNotice) => void

export class Share implements Audience {
  readonly #core: TreeCore
  readonly #words: ShareWords
  readonly #visible: SequenceNumberCounter
  readonly #onClosed: () => void
  readonly #readers = new Map<AttachedReader, Notify>()
  readonly #reclaimer: Reclaimer
  #history = 0
  #isClosed = false
  #isNoticeDue = false

  /**
   * @param visible the tree's counter of visible seqnos
   * @param onClosed the tree has closed: nobody is to be attached any more
   */
  constructor(core: TreeCore, visible: SequenceNumberCounter, onClosed: () => void) {
    this.#core = core
    this.#visible = visible
    this.#onClosed = onClosed
    this.#words = new ShareWords(core.shared, core.workspace.heap.allocate(SHARE_BYTES))
    this.#words.clear()
    visible.mirror(this.#words)
    const readers = this.#readers
    this.#reclaimer = new Reclaimer(core.environment.epochs, {
      get count() {
        return readers.size
      },
      hold: (state) => {
        for (const { words } of readers.keys()) if (words.holds(state)) return true
        return false
      },
    })
  }

  /**
   * A thread begins to read.
   * @throws VARVE_CLOSED, and as {@link AttachedReader}
   */
  attach(options: AttachOptions, notify: Notify): AttachedReader {
    if (this.#isClosed || !this.#core.isOpen) throw closedError(this.#core.root)
    this.#core.latest.active?.keepNodes()
    const reader = new AttachedReader(this.#core, this.#words.address, options)
    this.#readers.set(reader, notify)
    return reader
  }

  /** A thread is gone, or reads nothing any more. A second call does nothing. */
  detach(reader: AttachedReader): void {
    if (!this.#readers.delete(reader)) return
    // What it held first: its slot may hold back what others need.
    this.#core.acquireReading()
    try {
      reader.end()
      this.#reclaimer.sweep()
      if (this.#isClosed && this.#readers.size === 0) this.#end()
    } finally {
      this.#core.releaseReading()
    }
  }

  get hasReaders(): boolean {
    return this.#readers.size > 0
  }

  pinnedSeqnos(): Iterable<number> {
    return [...this.#readers.keys()].flatMap(({ words }) => [...words.pinned()])
  }

  decide<T>(decision: () => T): T {
    return this.#words.decide(decision)
  }

  publish(entries: readonly HistoryEntry[]): void {
    if (this.#isClosed) return
    const { shared, workspace } = this.#core
    let history: number
    try {
      history = writeHistory(shared, workspace.heap, entries)
    } catch {
      // The change is done, and threads must not go on with what was before. With no memory left for a few words the tree
      // itself is at its end as well.
      this.close()
      return
    }
    this.#replace(history)
  }

  retire(piece: Retired): void {
    this.#reclaimer.retire(piece)
    this.#noticeRetired()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#onClosed()
    this.#words.close()
    this.#replace(0)
    this.#visible.unmirror(this.#words)
    for (const notify of this.#readers.values()) notify({ notice: 'closed' })
    if (this.#readers.size === 0) this.#end()
  }

  counts(): AudienceCounts {
    const retired = this.#reclaimer.waiting.filter((piece) => piece instanceof SuperVersion)
    return {
      attachedThreads: this.#readers.size,
      pinnedSeqnos: [...this.pinnedSeqnos()].length,
      retiredVersions: retired.length,
      retiredBytes: bytesOnlyIn(retired, this.#core.history.views),
    }
  }

  /** Publishes another history, or none. */
  #replace(history: number): void {
    const { heap } = this.#core.workspace
    const previous = this.#history
    this.#history = history
    this.#words.publish(history)
    if (previous === 0) return
    this.#reclaimer.retire({ stateAddress: 0, free: () => heap.free(previous) })
  }

  /** Tells threads that read nothing meanwhile, once a turn: files of tables that are gone are open there. */
  #noticeRetired(): void {
    if (this.#isNoticeDue || this.#readers.size === 0) return
    this.#isNoticeDue = true
    setImmediate(() => {
      this.#isNoticeDue = false
      for (const notify of this.#readers.values()) notify({ notice: 'retired' })
    }).unref()
  }

  #end(): void {
    this.#core.workspace.heap.free(this.#words.address)
  }
}

/** Memory of memtables and tables that some of `retired` name and none of `live` does. */
function bytesOnlyIn(retired: readonly SuperVersion[], live: readonly SuperVersion[]): number {
  const partsOf = (views: readonly SuperVersion[]) => {
    const tables = views.flatMap(({ version }) => [...version.tables()].map(({ table }) => table))
    const memtables = views.flatMap(({ active, sealed }) =>
      active === undefined ? sealed : [active, ...sealed],
    )
    return new Set([...tables, ...memtables])
  }
  const alive = partsOf(live)
  let bytes = 0
  for (const part of partsOf(retired)) if (!alive.has(part)) bytes += part.memoryBytes
  return bytes
}

export function closedError(root: string): VarveError {
  return new VarveError('VARVE_CLOSED', `${root} is closed`)
}
