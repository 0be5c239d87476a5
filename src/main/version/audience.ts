/**
 * Other threads that read a tree, as the parts that change it see them: whom they tell of changes, and who keeps what those
 * threads may still see. Main thread; sharing/share.ts is the one there is.
 */
import type { HistoryEntry } from '../../shared/memory/history-words.js'

/** Something that was taken out of what threads find, and is freed once none sees or holds it. */
export interface Retired {
  /** The STATE by which a thread holds it; 0 where it is held by epochs alone. */
  readonly stateAddress: number
  free(): void
}

/** What metrics tell of other threads. */
export interface AudienceCounts {
  /** Threads that are attached. */
  readonly attachedThreads: number
  /** Seqnos that their snapshots pin. */
  readonly pinnedSeqnos: number
  /** Super versions that are freed once no thread reads them any more. */
  readonly retiredVersions: number
  /** Memory of write buffers and tables that goes with them. */
  readonly retiredBytes: number
}

export interface Audience {
  /** Threads are attached: they read what is published. */
  readonly hasReaders: boolean
  /** Seqnos that other threads pin: they count like the tree's own. */
  pinnedSeqnos(): Iterable<number>
  /** Runs a decision on what of the history goes, from which what other threads pinned before is not to be missed. */
  decide<T>(decision: () => T): T
  /** Tells what there is to read from now on, oldest first. What is not named any more may be retired afterwards. */
  publish(entries: readonly HistoryEntry[]): void
  /** Frees `piece` at once where no other thread can see it, later otherwise. REQUIRES: no thread finds it any more. */
  retire(piece: Retired): void
  /** The tree has closed: nothing is to be read any more. */
  close(): void
  counts(): AudienceCounts
}
