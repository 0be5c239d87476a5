/** What the readers of texts say of a line that gives no entry. Any thread. */
import { VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { BytesLike } from '../bytes-like.js'

/** The number of a line counts from 1. */
export function lineError(line: number, what: string, cause?: unknown): VarveError {
  return new VarveError('VARVE_INVALID_ARGUMENT', `line ${line}: ${what}`, {
    details: { line },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** What a reader's function gave as a key. @throws VARVE_INVALID_ARGUMENT where it is none */
export function requireKeyOf(line: number, key: unknown): BytesLike {
  const bytes = requireBytesOf(line, key, 'key')
  const length = Buffer.byteLength(bytes)
  if (length > 0 && length <= KEY_BYTES_MAX) return bytes
  throw lineError(line, `a key has 1 to ${KEY_BYTES_MAX} bytes, not ${length}`)
}

/** What a reader's function gave as a key or value. @throws VARVE_INVALID_ARGUMENT where it is none */
export function requireBytesOf(line: number, value: unknown, what: 'key' | 'value'): BytesLike {
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  throw lineError(line, `its ${what} is ${describe(value)}, and not a string or bytes`)
}

function describe(value: unknown): string {
  if (value === undefined) return 'missing'
  return value === null ? 'null' : `of type ${typeof value}`
}
