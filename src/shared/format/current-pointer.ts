/**
 * The file `current`: which snapshot is live (format-manifest-blob.md 3). Every thread; no I/O.
 *
 *     0   8   id N of the live snapshot v{N}
 *     8   16  canonical digest of v{N}'s footer (`manifest-footer.ts`)
 *     24  1   checksum type (0)
 *
 *     00 00 00 00 00 00 00 00 | 2d e9 fe a5 56 38 d5 2f 2f 83 6e b6 06 da 50 c5 | 00
 *
 * I1: N is the snapshot's id, not the live version's: the edit log leads on from there.
 */
import { CHECKSUM_TYPE_XXH3 } from '../base/checksum.js'
import { ByteReader, formatError } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'

/** Bytes of the file; readers ignore what follows them. */
export const CURRENT_BYTES = 25

/** A pointer to a snapshot. */
export interface CurrentPointer {
  readonly snapshotId: number
  readonly digest: Uint8Array
}

export function encodeCurrent({ snapshotId, digest }: CurrentPointer): Uint8Array {
  return new ByteWriter(CURRENT_BYTES).u64(snapshotId).bytes(digest).u8(CHECKSUM_TYPE_XXH3).finish()
}

/** Decodes the file's first 25 bytes. Cut short it is VARVE_IO, "unexpected end". */
export function decodeCurrent(bytes: Uint8Array, file: string): CurrentPointer {
  const reader = new ByteReader(bytes, 'pointer to the manifest', { file, offset: 0 }, 'VARVE_IO')
  const snapshotId = reader.u64('the snapshot id')
  const digest = reader.digest('the digest')
  const { origin } = reader
  const type = reader.u8('the checksum type')
  if (type !== CHECKSUM_TYPE_XXH3) {
    throw formatError('VARVE_INVALID_TAG', origin, `invalid checksum type ${type}`, {
      what: 'ChecksumType',
      found: type,
    })
  }
  return { snapshotId, digest }
}
