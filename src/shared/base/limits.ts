/**
 * Every bound of the engine that is not a user's setting, with its reason. Pure constants, every thread.
 */

/** Longest user key, in bytes: key lengths are 16-bit on disk (format-table.md 1). */
export const KEY_BYTES_MAX = 65_535

/** Longest value on disk, in bytes: value lengths are 32-bit (format-table.md 1). */
export const VALUE_BYTES_MAX = 4_294_967_295

/** Largest block, compressed or not, that any reader accepts (format-table.md 5.4). */
export const BLOCK_BYTES_MAX = 256 * 1024 * 1024

/** Largest sequence number: what a JavaScript number holds exactly. On disk it is a u64; more is VARVE_UNSUPPORTED. */
export const MAX_SEQNO = Number.MAX_SAFE_INTEGER

/** Levels of a tree; the V5 manifest accepts no other number (format-manifest-blob.md 4.7). */
export const LEVEL_COUNT = 7

/** Largest framed record of a manifest or an edit log (format-manifest-blob.md 5). */
export const FRAME_PAYLOAD_BYTES_MAX = 65_536

/** Runs of one level that a manifest snapshot can hold: their count is one byte (format-manifest-blob.md 6.1). */
export const SNAPSHOT_RUNS_MAX = 255

/** Largest section block of a manifest snapshot (format-manifest-blob.md 4.2). */
export const MANIFEST_SECTION_BYTES_MAX = 16 * 1024 * 1024

/** Largest footer block of a manifest snapshot, and the size of its reserved head region. */
export const MANIFEST_FOOTER_BYTES_MAX = 4096

/** Longest comparator name, in bytes (format-manifest-blob.md 4.7). */
export const COMPARATOR_NAME_BYTES_MAX = 256
