/** What a compaction did, as its caller and listeners hear of it. Main thread. */

/** What one compaction did. */
export interface CompactionResult {
  readonly action: 'nothing' | 'merged' | 'moved' | 'dropped'
  /** Absent for `nothing` and `dropped`. */
  readonly destination?: number
  readonly tablesIn: number
  readonly tablesOut: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

export const NOTHING: CompactionResult = {
  action: 'nothing',
  tablesIn: 0,
  tablesOut: 0,
  bytesRead: 0,
  bytesWritten: 0,
}
