/**
 * What maintenance of a tree has done since it was opened: plain counts, raised where the work is done. Main thread.
 */

/** {@link MaintenanceCounts} with what stalled writers, as `metrics()` gives them. All since the tree was opened. */
export interface MaintenanceMetrics extends Readonly<MaintenanceCounts> {
  /** How often writers were asked to slow down, or to stop; a change from one to the other counts. */
  readonly slowdowns: number
  readonly stops: number
  /** Milliseconds under either, without the one that lasts. */
  readonly stalledMs: number
  /** Writes refused with VARVE_STALLED. */
  readonly refusedWrites: number
}

export class MaintenanceCounts {
  flushes = 0
  /** Running now. */
  flushesRunning = 0
  flushFailures = 0
  memtablesFlushed = 0
  flushBytesWritten = 0
  merges = 0
  moves = 0
  drops = 0
  /** Decisions that are being carried out now. */
  compactionsRunning = 0
  compactionFailures = 0
  compactionBytesRead = 0
  compactionBytesWritten = 0
  /**
   * Jobs that ran on the main thread instead of in the pool: all of a tree whose files cannot be reached from there, or
   * whose comparator, operators or filters are plain objects instead of references to modules.
   */
  localJobs = 0
}
