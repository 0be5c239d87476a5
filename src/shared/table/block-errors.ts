/**
 * What the block kernels' negative results mean, as errors that name file, offset and block kind. Any thread.
 */
import { type ErrorCode, VarveError } from '../base/errors.js'
import {
  BLOCK_ERROR_CHECKSUM,
  BLOCK_ERROR_COUNT,
  BLOCK_ERROR_DECOMPRESS,
  BLOCK_ERROR_ENTRY,
  BLOCK_ERROR_FOOTER,
  BLOCK_ERROR_HANDLE,
  BLOCK_ERROR_HEADER_CHECKSUM,
  BLOCK_ERROR_MAGIC,
  BLOCK_ERROR_ORDER,
  BLOCK_ERROR_SEQNO,
  BLOCK_ERROR_SHORT,
  BLOCK_ERROR_SIZE,
  BLOCK_ERROR_TRAILER,
  BLOCK_ERROR_TYPE,
} from '../kernel/layout.js'

const MEANINGS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [BLOCK_ERROR_SHORT]: ['VARVE_INVALID_HEADER', 'too short for a block header'],
  [BLOCK_ERROR_MAGIC]: ['VARVE_INVALID_HEADER', 'no block magic'],
  [BLOCK_ERROR_TYPE]: ['VARVE_INVALID_TAG', 'a block of another type'],
  [BLOCK_ERROR_HEADER_CHECKSUM]: ['VARVE_CHECKSUM_MISMATCH', 'the header checksum does not match'],
  [BLOCK_ERROR_SIZE]: ['VARVE_DECOMPRESSED_SIZE', 'impossible payload lengths'],
  [BLOCK_ERROR_CHECKSUM]: ['VARVE_CHECKSUM_MISMATCH', 'the payload checksum does not match'],
  [BLOCK_ERROR_DECOMPRESS]: ['VARVE_DECOMPRESS', 'the payload does not decompress'],
  [BLOCK_ERROR_FOOTER]: ['VARVE_INVALID_BLOCK', 'a malformed checksum footer'],
  [BLOCK_ERROR_TRAILER]: ['VARVE_INVALID_TRAILER', 'a malformed block trailer'],
  [BLOCK_ERROR_ENTRY]: ['VARVE_INVALID_BLOCK', 'a malformed entry'],
  [BLOCK_ERROR_ORDER]: ['VARVE_INVALID_BLOCK', 'entries out of order'],
  [BLOCK_ERROR_COUNT]: ['VARVE_INVALID_BLOCK', 'an impossible entry count'],
  [BLOCK_ERROR_HANDLE]: ['VARVE_INVALID_BLOCK', 'a block handle outside its section'],
  [BLOCK_ERROR_SEQNO]: ['VARVE_UNSUPPORTED', 'a seqno above 2^53 - 1'],
}

/** Where a block lies. */
export interface BlockPlace {
  readonly file: string
  readonly offset: number
  readonly size: number
  /** What it is, in words: `data`, `index`, `filter`, `meta`, `range tombstones`. */
  readonly kind: string
}

/** The error for a kernel's negative result. `expected` and `found` are checksums, where those were compared. */
export function blockError(
  result: number,
  place: BlockPlace,
  compared: { readonly expected?: string; readonly found?: string } = {},
): VarveError {
  const [code, what] = MEANINGS[result] ?? ['VARVE_INVALID_BLOCK', `damage of kind ${result}`]
  return new VarveError(
    code,
    `${place.file}: ${place.kind} block at offset ${place.offset} (${place.size} bytes): ${what}; ` +
      'run a repair, or restore the file',
    { details: { ...place, ...compared } },
  )
}
