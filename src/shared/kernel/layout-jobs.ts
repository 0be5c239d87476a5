/**
 * Offsets of the words by which main steers jobs while they run, and by which jobs tell how far they are: part of the
 * layout, so it imports nothing and holds nothing but numeric constants.
 */

// Control words of a job, zero at its start.
/** u32; main: 1 = stop, remove what was written, fail with VARVE_ABORTED. The actor looks at it between blocks. */
export const JOB_CANCEL = 0
/** f64; the actor, between blocks: bytes of input blocks that it has read. */
export const JOB_BYTES_READ = 8
/** f64; the same: entries that it has taken in. */
export const JOB_ENTRIES = 16
/** f64; the same: bytes of keys and values that it has written. */
export const JOB_BYTES_WRITTEN = 24
export const JOB_CONTROL_BYTES = 64

// The pace of a tree's merges. Main writes it; all running merges look at it between blocks.
/** u32, counts up with every change that a waiting merge should see at once: they wait on this word. */
export const PACE_WAKE = 0
/** u32; 1 = merges stand still. */
export const PACE_PAUSED = 4
/** f64; bytes of keys and values a second that all merges together may write; 0 = as fast as they can. */
export const PACE_RATE = 8
/** i64, nanoseconds of the monotonic clock: when the token bucket will be full again. Actors move it on. */
export const PACE_FULL_AT = 16
export const PACE_BYTES = 64
