/**
 * What the reads of an attached thread stand on: what the owner of the tree has published in the shared memory, blocks
 * through the thread's own view of the cache, files that the thread opens itself. The attached thread.
 *
 *     attached ── detach, or the owner has closed ──→ ending ── last iterator and slice let go ──→ detached
 *
 * I1: a read takes HISTORY, then the visible seqno, then HISTORY again: the states that it chooses from know all that is
 *     below its seqno.
 * I2: nothing of the thread's region is touched once `onEnd` was called.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { KeyOrder } from '../../shared/base/key-order.js'
import { DescriptorTable } from '../../shared/fs/descriptor-table.js'
import type { JobCode } from '../../shared/jobs/job-code.js'
import { STATE_NUMBER } from '../../shared/kernel/layout.js'
import { CacheView } from '../../shared/memory/cache-view.js'
import { EpochSlot, ThreadEpoch } from '../../shared/memory/epochs.js'
import { Heap } from '../../shared/memory/heap.js'
import { HistoryWords } from '../../shared/memory/history-words.js'
import { ReaderWords, ShareWords } from '../../shared/memory/share-words.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'
import { Workspace } from '../../shared/memory/workspace.js'
import { BlockLoader } from '../../shared/table/block-loader.js'
import { BlockProvider } from '../../shared/table/block-provider.js'
import type { ChangeHistory, ReadCore } from '../reading/read-core.js'
import type { Grant } from './protocol.js'
import { ReaderTables } from './reader-tables.js'
import { addTableOwners, ReaderView, type StateHolds } from './reader-view.js'
import { SharedFiles } from './shared-files.js'

/** Views that are kept beside the latest: those of snapshots that are read in turns. */
const VIEWS_KEPT = 4

export class ReaderCore implements ReadCore {
  readonly root: string
  readonly workspace: Workspace
  readonly shared: SharedMemory
  readonly order: KeyOrder
  readonly code: JobCode
  readonly loader: BlockLoader
  readonly provider: BlockProvider
  readonly descriptors: DescriptorTable
  readonly #slot: EpochSlot
  readonly #share: ShareWords
  readonly #words: ReaderWords
  readonly #tables: ReaderTables
  readonly #onEnd: () => void
  /** The HISTORY of the read at hand. */
  #history: HistoryWords
  #historyAddress = 0
  /** The view that was used last; and it among others that were, the newest first. */
  #view: ReaderView | undefined
  #views: readonly ReaderView[] = []
  readonly #held = new Set<ReaderView>()
  #readingCount = 0
  #state: 'attached' | 'ending' | 'detached' = 'attached'

  /** @param onEnd called once, when nothing here uses the grant any more */
  constructor(shared: SharedMemory, grant: Grant, code: JobCode, onEnd: () => void) {
    const { start, bytes } = grant.region
    const advice = `attach this thread with a larger memoryBytes, which is ${bytes} now`
    this.root = grant.tree.root
    this.code = code
    this.order = code.order
    this.workspace = new Workspace(
      shared.inOrder(code.order),
      new Heap(start, start + bytes, advice),
    )
    this.shared = this.workspace.shared
    this.#slot = new EpochSlot(shared, grant.epochs, grant.slot)
    this.#share = new ShareWords(shared, grant.share)
    this.#words = new ReaderWords(shared, grant.reader)
    this.#history = new HistoryWords(shared, 0)
    this.#onEnd = onEnd
    this.descriptors = new DescriptorTable(grant.tree.descriptorCapacity)
    this.loader = new BlockLoader(this.workspace)
    this.provider = new BlockProvider(
      this.workspace,
      this.loader,
      new CacheView(this.shared, grant.cacheView),
      { epoch: new ThreadEpoch(this.#slot), counters: grant.counters },
    )
    this.#tables = new ReaderTables({
      workspace: this.workspace,
      loader: this.loader,
      descriptors: this.descriptors,
      fs: new SharedFiles(this.#share, grant.tree.root),
      dictionary: grant.tree.dictionary,
    })
  }

  get isOpen(): boolean {
    return this.#state === 'attached' && !this.#share.isClosed
  }

  /** @throws VARVE_CLOSED */
  requireOpen(): void {
    if (!this.isOpen) throw this.#closedError()
  }

  /** What is visible now. @throws VARVE_CLOSED */
  get visibleSeqno(): number {
    this.requireOpen()
    return this.#share.visible
  }

  beginRead(given: number | undefined): number {
    if (this.#state !== 'attached') throw this.#closedError()
    this.#slot.enter()
    const share = this.#share
    let history = share.history
    for (;;) {
      if (history === 0) {
        this.#slot.leave()
        throw this.#closedError()
      }
      const seqno = given ?? share.visible
      const again = share.history
      if (again === history) {
        if (history !== this.#historyAddress) this.#take(history)
        return seqno
      }
      history = again
    }
  }

  endRead(): void {
    this.#slot.leave()
  }

  viewAt(seqno: number): ReaderView {
    const state = this.#history.stateAt(seqno)
    const view = this.#view
    if (view !== undefined && view.stateAddress === state) {
      // An address is used again once a state is gone.
      if (view.number === this.shared.getU32(state + STATE_NUMBER)) return view
    }
    if (state === 0) throw this.#collectedError(seqno)
    this.#view = this.#viewOf(state)
    return this.#view
  }

  changes(visible: number): ChangeHistory {
    const { collectedBelow, stateAddress } = this.#history.latest
    // What is not visible yet may be half written.
    return { view: this.#viewOf(stateAddress), collectedBelow, end: visible }
  }

  acquireReading(): void {
    this.#readingCount++
  }

  releaseReading(): void {
    this.#readingCount--
    if (this.#state === 'ending' && this.#readingCount === 0) this.#end()
  }

  /**
   * Keeps a seqno readable: what is visible now where none is given. Returns it, and what lets it go.
   * @throws VARVE_SEQNO_COLLECTED, VARVE_OUT_OF_MEMORY, VARVE_CLOSED
   */
  pin(given: number | undefined): { readonly seqno: number; readonly unpin: () => void } {
    for (;;) {
      const seqno = given ?? this.visibleSeqno
      this.requireOpen()
      const pin = this.#words.pin(seqno)
      try {
        // A decision that was being taken may have missed the pin: what it leaves is looked at behind it.
        this.#share.decided()
        this.beginRead(seqno)
        try {
          this.viewAt(seqno)
        } finally {
          this.endRead()
        }
        return { seqno, unpin: () => this.#unpin(pin) }
      } catch (error) {
        this.#unpin(pin)
        if (given !== undefined || !VarveError.is(error, 'VARVE_SEQNO_COLLECTED')) throw error
      }
    }
  }

  /** Closes the files of tables that no read can come by any more. */
  prune(): void {
    if (this.#state === 'detached' || this.#tables.count === 0) return
    const { shared } = this
    const owners = new Set<number>()
    this.#slot.enter()
    try {
      const address = this.#share.history
      if (address !== 0) {
        const history = new HistoryWords(shared, address)
        for (let i = 0; i < history.count; i++) {
          addTableOwners(shared, history.entry(i).stateAddress, owners)
        }
      }
      for (const { stateAddress } of this.#held) addTableOwners(shared, stateAddress, owners)
    } finally {
      this.#slot.leave()
    }
    this.#tables.keepOnly(owners)
  }

  /** Ends reading: at once, but for iterators and pinned slices that are open: those end as they would. */
  detach(): void {
    if (this.#state !== 'attached') return
    this.#state = 'ending'
    if (this.#readingCount === 0) this.#end()
  }

  readonly #holds: StateHolds = {
    hold: (view) => {
      const hold = this.#words.hold(view.stateAddress)
      this.#held.add(view)
      return hold
    },
    release: (view, hold) => {
      this.#held.delete(view)
      this.#words.release(hold)
      if (view !== this.#view) this.prune()
    },
  }

  #end(): void {
    this.#state = 'detached'
    this.descriptors.close()
    this.#onEnd()
  }

  #unpin(pin: number): void {
    if (this.#state !== 'detached') this.#words.unpin(pin)
  }

  #take(history: number): void {
    this.#history = new HistoryWords(this.shared, history)
    this.#historyAddress = history
  }

  #viewOf(state: number): ReaderView {
    const number = this.shared.getU32(state + STATE_NUMBER)
    for (const view of this.#held) if (view.number === number) return view
    const known = this.#views.find((view) => view.number === number)
    if (known !== undefined) return known
    const view = new ReaderView(this.shared, this.#tables, this.#holds, state)
    this.#views = [view, ...this.#views.slice(0, VIEWS_KEPT)]
    // A state that is new here: others went.
    this.prune()
    return view
  }

  #closedError(): VarveError {
    const what = this.#share.isClosed ? 'is closed' : 'is not attached to this thread any more'
    return new VarveError('VARVE_CLOSED', `${this.root} ${what}`)
  }

  #collectedError(seqno: number): VarveError {
    const { exactFrom } = this.#history.latest
    return new VarveError(
      'VARVE_SEQNO_COLLECTED',
      `versions below seqno ${exactFrom} were collected, so a read at ${seqno} could miss data; ` +
        'hold a snapshot, or set RuntimeConfig.retainFrom before the versions go',
      { details: { seqno, collectedBelow: exactFrom } },
    )
  }
}
