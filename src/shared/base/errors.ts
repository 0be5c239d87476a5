/**
 * The one error class of the engine, its codes, and the codec that carries errors between threads.
 *
 * Every thread imports this file. `structuredClone` and the worker pool drop an error's class, `code` and fields, so
 * whatever crosses a thread goes through {@link encodeError} on one side and {@link decodeError} on the other.
 *
 * I1: a code, once published, keeps its meaning; messages may change.
 */

/** What the caller can do about an error. */
export type ErrorKind =
  | 'invalid'
  | 'closed'
  | 'conflict'
  | 'unavailable'
  | 'corruption'
  | 'internal'

const KIND_BY_CODE = {
  VARVE_IO: 'unavailable',
  VARVE_LOCKED: 'conflict',
  VARVE_CLOSED: 'closed',
  VARVE_READ_ONLY: 'invalid',
  VARVE_INVALID_ARGUMENT: 'invalid',
  VARVE_NOT_FOUND: 'invalid',
  VARVE_EXISTS: 'invalid',
  VARVE_INVALID_VERSION: 'invalid',
  VARVE_UNRECOVERABLE: 'corruption',
  VARVE_CHECKSUM_MISMATCH: 'corruption',
  VARVE_MEMTABLE_CHECKSUM_MISMATCH: 'corruption',
  VARVE_INVALID_HEADER: 'corruption',
  VARVE_INVALID_TRAILER: 'corruption',
  VARVE_INVALID_TAG: 'corruption',
  VARVE_INVALID_BLOCK: 'corruption',
  VARVE_DECOMPRESS: 'corruption',
  VARVE_DECOMPRESSED_SIZE: 'corruption',
  VARVE_ENCRYPT: 'unavailable',
  VARVE_DECRYPT: 'corruption',
  VARVE_MERGE_OPERATOR: 'invalid',
  VARVE_COMPARATOR: 'invalid',
  VARVE_COMPARATOR_MISMATCH: 'invalid',
  VARVE_ZSTD_DICT_MISMATCH: 'invalid',
  VARVE_MANIFEST_INVALID: 'corruption',
  VARVE_MANIFEST_TORN: 'corruption',
  VARVE_RANGE_TOMBSTONE: 'corruption',
  VARVE_MIXED_BATCH: 'invalid',
  VARVE_ECC_UNRECOVERABLE: 'corruption',
  VARVE_ROUTE_MISMATCH: 'invalid',
  VARVE_UNSUPPORTED: 'invalid',
  VARVE_STORAGE_FULL: 'unavailable',
  VARVE_STALLED: 'conflict',
  VARVE_ABORTED: 'conflict',
  VARVE_INGEST_ORDER: 'invalid',
  VARVE_SEQNO_COLLECTED: 'invalid',
  VARVE_OUT_OF_MEMORY: 'unavailable',
  VARVE_ASSERTION: 'internal',
} as const satisfies Record<string, ErrorKind>

/** The stable name of a failure; match on this, never on the message. */
export type ErrorCode = keyof typeof KIND_BY_CODE

/** Machine-readable facts of one failure: file, offset, block kind, expected and found. Plain data only. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>

const BRAND = Symbol.for('varve.error')

/**
 * Every failure of the engine that is not a wrong argument (those are `TypeError` and `RangeError` with a `code`).
 *
 * @example
 * ```ts
 * try { await open('db') } catch (error) {
 *   if (VarveError.is(error, 'VARVE_LOCKED')) console.error('another process has it open')
 * }
 * ```
 */
export class VarveError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'VarveError'
    this.code = code
    this.details = options.details ?? {}
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** What the caller can do about it: fix the call, retry, repair, report. */
  get kind(): ErrorKind {
    return KIND_BY_CODE[this.code]
  }

  /** True for a VarveError of any copy of this package, and, where `code` is given, of that code. */
  static is(error: unknown, code?: ErrorCode): error is VarveError {
    if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
    return code === undefined || (error as unknown as VarveError).code === code
  }
}

/** A wrong argument, in Node's own manner: a `TypeError` with a `code`. */
export function typeError(message: string): TypeError & { code: ErrorCode } {
  return Object.assign(new TypeError(message), { code: 'VARVE_INVALID_ARGUMENT' as const })
}

/** An argument of the right type outside its limits, in Node's own manner: a `RangeError` with a `code`. */
export function rangeError(message: string): RangeError & { code: ErrorCode } {
  return Object.assign(new RangeError(message), { code: 'VARVE_INVALID_ARGUMENT' as const })
}

/** Our own bug, detected: throws VARVE_ASSERTION. Cheap, always on; never used for what disk or a caller says. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) {
    throw new VarveError('VARVE_ASSERTION', `internal invariant broken: ${what}; please report it`)
  }
}

/** An error as plain data that survives `structuredClone`. */
export interface EncodedError {
  readonly name: string
  readonly code: string | undefined
  readonly message: string
  readonly details: ErrorDetails
  readonly stack: string | undefined
  readonly cause: EncodedError | undefined
}

/** How deep a chain of causes is carried across threads; a longer one is cut. */
const CAUSE_DEPTH_MAX = 8

/** Turns any thrown value into plain data. */
export function encodeError(error: unknown, depth = 0): EncodedError {
  if (!(error instanceof Error)) {
    return {
      name: 'Error',
      code: undefined,
      message: String(error),
      details: {},
      stack: undefined,
      cause: undefined,
    }
  }
  const code = (error as { code?: unknown }).code
  const hasCause = error.cause !== undefined && depth < CAUSE_DEPTH_MAX
  return {
    name: error.name,
    code: typeof code === 'string' ? code : undefined,
    message: error.message,
    details: VarveError.is(error) ? error.details : {},
    stack: error.stack,
    cause: hasCause ? encodeError(error.cause, depth + 1) : undefined,
  }
}

/** Rebuilds on this side what {@link encodeError} took apart on the other. */
export function decodeError(encoded: EncodedError): Error {
  const cause = encoded.cause === undefined ? undefined : decodeError(encoded.cause)
  let error: Error
  if (encoded.code === 'VARVE_INVALID_ARGUMENT' && encoded.name === 'TypeError') {
    error = typeError(encoded.message)
  } else if (encoded.code === 'VARVE_INVALID_ARGUMENT' && encoded.name === 'RangeError') {
    error = rangeError(encoded.message)
  } else if (encoded.code !== undefined && Object.hasOwn(KIND_BY_CODE, encoded.code)) {
    error = new VarveError(encoded.code as ErrorCode, encoded.message, {
      details: encoded.details,
      cause,
    })
  } else {
    error = new Error(encoded.message, cause === undefined ? undefined : { cause })
    error.name = encoded.name
    if (encoded.code !== undefined) Object.assign(error, { code: encoded.code })
  }
  if (encoded.stack !== undefined) error.stack = encoded.stack
  return error
}

/** Wraps what a file operation threw: VARVE_IO naming the file, or VARVE_STORAGE_FULL where the disk is full. */
export function ioError(
  operation: string,
  path: string,
  cause: unknown,
  details: ErrorDetails = {},
): VarveError {
  if (VarveError.is(cause)) return cause
  const errno = (cause as { code?: unknown } | null)?.code
  const reason = cause instanceof Error ? cause.message : String(cause)
  const full = errno === 'ENOSPC' || errno === 'EDQUOT'
  return new VarveError(
    full ? 'VARVE_STORAGE_FULL' : 'VARVE_IO',
    `${operation} failed on ${path}: ${reason}`,
    {
      details: {
        ...details,
        file: path,
        operation,
        errno: typeof errno === 'string' ? errno : null,
      },
      cause,
    },
  )
}
