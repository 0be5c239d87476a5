/**
 * What reads stand on: an open tree on its own thread, or what a thread that is attached to it has of it. The thread that
 * reads.
 *
 * A read is what happens between `beginRead` and `endRead`: nothing awaits in between. What outlives that is held.
 *
 * I1: what `viewAt` gives, and what is found through it, stays until the read ends; a view that is held stays until it is
 *     released.
 */
import type { KeyOrder } from '../../shared/base/key-order.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import type { JobCode } from '../../shared/jobs/job-code.js'
import type { SharedMemory } from '../../shared/memory/shared-memory.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import type { BlockLoader } from '../../shared/table/block-loader.js'
import type { BlockProvider } from '../../shared/table/block-provider.js'

/** What one moment looks like; it can be held. */
export interface HeldView extends ReadView {
  /** REQUIRES: inside a read, or held by somebody. @throws VARVE_OUT_OF_MEMORY where a thread holds too many already */
  acquire(): this
  release(): void
}

/** What there is to read of changes. */
export interface ChangeHistory {
  readonly view: HeldView
  /** Changes below it may be gone. */
  readonly collectedBelow: number
  /** Above every seqno of the view that is to be given. */
  readonly end: number
}

export interface ReadCore {
  readonly workspace: Workspace
  readonly shared: SharedMemory
  /** The order of the tree's keys. */
  readonly order: KeyOrder
  readonly code: Pick<JobCode, 'order' | 'mergeOperator' | 'prefixes'>
  readonly loader: BlockLoader
  readonly provider: BlockProvider

  /**
   * Begins a read as of `given`, or of what is visible now: the seqno that it is as of.
   * @throws VARVE_CLOSED, and nothing was begun
   */
  beginRead(given: number | undefined): number

  /** Ends what {@link beginRead} began. */
  endRead(): void

  /** What a read at `seqno` looks at. REQUIRES: inside a read. @throws VARVE_SEQNO_COLLECTED */
  viewAt(seqno: number): HeldView

  /** What there is of changes to a read that began at `visible`. REQUIRES: inside that read. */
  changes(visible: number): ChangeHistory

  /** Something begins to read that outlives the call. What it reads through stays until {@link releaseReading}. */
  acquireReading(): void

  releaseReading(): void
}
