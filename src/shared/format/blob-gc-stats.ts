/**
 * The `blob_gc_stats` section of a manifest snapshot, and the same bytes inside a version edit
 * (format-manifest-blob.md 6.3). Every thread; no I/O. Not framed: the block or frame around it is
 * its check.
 *
 *     count u32, then per blob file 28 bytes; any order, ours ascends; of a repeated id the last wins
 *       0   8   blob file id
 *       8   4   dead values
 *       12  8   their bytes, uncompressed
 *       20  8   their bytes as stored
 */
import { type ByteReader, isTruncation } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { sectionReader } from './framed-list.js'
import { NO_LOSSES, onTruncated, type RecoveryMode, type SectionLosses } from './recovery-mode.js'
import { type BlobGcEntry, type BlobGcStats, byId } from './version-model.js'

const ENTRY_BYTES = 28

export function encodeBlobGcStats(stats: BlobGcStats): Uint8Array {
  const writer = new ByteWriter().u32(stats.size)
  for (const [id, entry] of byId(stats)) {
    writer.u64(id).u32(entry.count).u64(entry.bytes).u64(entry.storedBytes)
  }
  return writer.finish()
}

/** Reads the map at the cursor. */
export function readBlobGcStats(reader: ByteReader): BlobGcStats {
  const count = reader.u32('the count of blob statistics')
  if (count * ENTRY_BYTES > reader.remaining) {
    throw reader.failure(`truncated: ${count} entries of blob statistics announced`, {
      reason: 'truncated',
    })
  }
  const stats = new Map<number, BlobGcEntry>()
  for (let i = 0; i < count; i++) {
    const id = reader.u64('the blob file id')
    stats.set(id, {
      count: reader.u32('the dead values'),
      bytes: reader.u64('the dead bytes'),
      storedBytes: reader.u64('the dead stored bytes'),
    })
  }
  return stats
}

/**
 * Decodes the section: cut, it is an error or, in a tolerant mode, an empty map that a compaction
 * rebuilds.
 */
export function decodeBlobGcStats(
  payload: Uint8Array,
  options: { readonly file: string; readonly mode: RecoveryMode },
): { readonly stats: BlobGcStats; readonly losses: SectionLosses } {
  const reader = sectionReader('blob_gc_stats', payload, options.file)
  try {
    return { stats: readBlobGcStats(reader), losses: NO_LOSSES }
  } catch (error) {
    if (!isTruncation(error) || onTruncated(options.mode) === 'fail') throw error
    return { stats: new Map(), losses: { recordsDropped: 0, isShortened: true } }
  }
}
