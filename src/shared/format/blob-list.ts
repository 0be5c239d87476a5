/**
 * The `blob_files` section of a manifest snapshot (format-manifest-blob.md 6.2). Every thread; no
 * I/O.
 *
 *     count u32, then per blob file a framed 25-byte record; any order, ours ascends by id
 */
import type { Hasher } from '../base/checksum.js'
import { ByteWriter } from './byte-writer.js'
import { encodeFrame } from './frame.js'
import { readFramedList, sectionReader } from './framed-list.js'
import {
  BLOB_FILE_RECORD_BYTES,
  readBlobFileRecord,
  writeBlobFileRecord,
} from './manifest-record.js'
import { onTruncated, type RecoveryMode, type SectionLosses } from './recovery-mode.js'
import { byId, type ManifestVersion } from './version-model.js'

export function encodeBlobList(files: ManifestVersion['blobFiles'], hasher: Hasher): Uint8Array {
  const writer = new ByteWriter().u32(files.size)
  for (const [id, checksum] of byId(files)) {
    const record = new ByteWriter(BLOB_FILE_RECORD_BYTES)
    writeBlobFileRecord(record, { id, checksum })
    writer.bytes(encodeFrame(record.finish(), hasher))
  }
  return writer.finish()
}

/** Decodes the section under a recovery mode. */
export function decodeBlobList(
  payload: Uint8Array,
  options: { readonly file: string; readonly mode: RecoveryMode; readonly hasher: Hasher },
): { readonly files: ManifestVersion['blobFiles']; readonly losses: SectionLosses } {
  const { file, mode, hasher } = options
  const reader = sectionReader('blob_files', payload, file)
  if (reader.remaining < 4 && onTruncated(mode) === 'stop') {
    return { files: new Map(), losses: { recordsDropped: 0, isShortened: true } }
  }
  const count = reader.u32('the blob file count')
  const { records, dropped, isStopped } = readFramedList(reader, count, {
    section: 'blob_files',
    recordBytes: BLOB_FILE_RECORD_BYTES,
    mode,
    hasher,
    decode: (record) => readBlobFileRecord(record, 'VARVE_INVALID_TAG'),
  })
  return {
    files: new Map(byId(new Map(records.map((record) => [record.id, record.checksum])))),
    losses: { recordsDropped: dropped, isShortened: isStopped },
  }
}
