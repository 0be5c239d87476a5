/** What an ingestion says of a key that does not come behind the one before it. Every thread. */
import { type ErrorDetails, VarveError } from '../base/errors.js'

export function ingestOrderError(key: Buffer, details: ErrorDetails = {}): VarveError {
  const hex = key.toString('hex')
  return new VarveError(
    'VARVE_INGEST_ORDER',
    `keys of an ingestion must ascend: ${hex} does not come behind the key before it; sort them first`,
    { details: { ...details, key: hex } },
  )
}
