/**
 * The records of tables and blob files, as the manifest's sections and the edit log both hold them
 * (format-manifest-blob.md 6.1, 6.2). Every thread; no I/O.
 *
 *     table record, 33 bytes                blob file record, 25 bytes
 *     0   8   table id                      0   8   blob file id
 *     8   1   checksum type (0)             8   1   checksum type (0)
 *     9   16  XXH3-128 of the file          9   16  XXH3-128 of the file
 *     25  8   global seqno
 */
import { CHECKSUM_TYPE_XXH3 } from '../base/checksum.js'
import type { ErrorCode } from '../base/errors.js'
import { type ByteReader, formatError } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'
import type { BlobFileRecord, TableRecord } from './version-model.js'

export const TABLE_RECORD_BYTES = 33
export const BLOB_FILE_RECORD_BYTES = 25

export function writeTableRecord(writer: ByteWriter, table: TableRecord): void {
  writer.u64(table.id).u8(CHECKSUM_TYPE_XXH3).bytes(table.checksum).u64(table.globalSeqno)
}

/** Reads a table record; `code` is thrown for an unknown checksum type. */
export function readTableRecord(reader: ByteReader, code: ErrorCode): TableRecord {
  const { id, checksum } = readBlobFileRecord(reader, code)
  return { id, checksum, globalSeqno: reader.u64('the global seqno') }
}

export function writeBlobFileRecord(writer: ByteWriter, file: BlobFileRecord): void {
  writer.u64(file.id).u8(CHECKSUM_TYPE_XXH3).bytes(file.checksum)
}

/** Reads a blob file record; `code` is thrown for an unknown checksum type. */
export function readBlobFileRecord(reader: ByteReader, code: ErrorCode): BlobFileRecord {
  const id = reader.u64('the file id')
  const { origin } = reader
  const type = reader.u8('the checksum type')
  if (type !== CHECKSUM_TYPE_XXH3) {
    throw formatError(code, origin, `file ${id}: invalid checksum type ${type}`, {
      what: 'ChecksumType',
      found: type,
    })
  }
  return { id, checksum: reader.digest('the file checksum') }
}
