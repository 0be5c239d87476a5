/**
 * A counted list of framed records inside a manifest section, read under a recovery mode: the rules
 * that `tables` and `blob_files` share (format-manifest-blob.md 9). Every thread; no I/O.
 *
 * I1: a count is never believed: records are read one by one, and the list ends with its bytes at
 *     the latest.
 */
import type { Hasher } from '../base/checksum.js'
import { VarveError } from '../base/errors.js'
import { ByteReader, formatError } from './byte-reader.js'
import { FRAME_HEADER_BYTES, readFrame } from './frame.js'
import {
  onDamaged,
  onLostBoundary,
  onTruncated,
  type RecoveryMode,
  type RecoveryStep,
} from './recovery-mode.js'

/** How the lists of one section are read. */
export interface FramedListRules<T> {
  readonly section: 'tables' | 'blob_files'
  readonly recordBytes: number
  readonly mode: RecoveryMode
  readonly hasher: Hasher
  readonly decode: (record: ByteReader) => T
}

/** What one list gave. */
export interface FramedList<T> {
  readonly records: T[]
  readonly dropped: number
  /** True where the rest of the section is lost. */
  readonly isStopped: boolean
}

/** A reader over a section's payload: what is cut there is an I/O failure, "unexpected end". */
export function sectionReader(section: string, payload: Uint8Array, file: string): ByteReader {
  return new ByteReader(payload, `manifest section ${section}`, { file, offset: 0 }, 'VARVE_IO')
}

/** Reads `count` framed records from the cursor on. */
export function readFramedList<T>(
  reader: ByteReader,
  count: number,
  rules: FramedListRules<T>,
): FramedList<T> {
  const { section, recordBytes, mode } = rules
  const frameBytes = FRAME_HEADER_BYTES + recordBytes
  if (count * frameBytes > reader.remaining && mode === 'absolute-consistency') {
    throw formatError(
      'VARVE_UNRECOVERABLE',
      reader.origin,
      `manifest section ${section}: ${count} records announced, room for fewer`,
      { section, expected: count, found: Math.floor(reader.remaining / frameBytes) },
    )
  }
  const records: T[] = []
  let dropped = 0
  for (let i = 0; i < count; i++) {
    const result = readRecord(reader, rules)
    if (result.step === 'ok') {
      records.push(result.record)
      continue
    }
    if (result.step === 'fail') throw result.error
    dropped += 1
    if (result.step === 'stop') return { records, dropped, isStopped: true }
  }
  return { records, dropped, isStopped: false }
}

type RecordResult<T> =
  | { readonly step: 'ok'; readonly record: T }
  | { readonly step: RecoveryStep; readonly error: VarveError }

function readRecord<T>(reader: ByteReader, rules: FramedListRules<T>): RecordResult<T> {
  const { section, recordBytes, mode } = rules
  const { origin } = reader
  const outcome = readFrame(reader.rest(), 0, rules.hasher, recordBytes)
  switch (outcome.kind) {
    case 'truncated':
      return {
        step: onTruncated(mode),
        error: reader.failure('truncated in a record', { reason: 'truncated' }),
      }
    case 'bad-header':
      return {
        step: onLostBoundary(mode),
        error: formatError('VARVE_INVALID_HEADER', origin, `manifest ${section} frame header`, {
          section,
          found: outcome.length,
        }),
      }
    case 'len-mismatch':
      throw formatError('VARVE_INVALID_HEADER', origin, `manifest ${section} frame len mismatch`, {
        section,
        expected: recordBytes,
        found: outcome.length,
      })
    case 'checksum-mismatch':
      reader.skip(outcome.next, 'a record')
      return {
        step: onDamaged(mode),
        error: formatError(
          'VARVE_MANIFEST_INVALID',
          origin,
          `manifest section ${section}: frame checksum mismatch`,
          {
            reason: 'frame-checksum-mismatch',
            section,
            expected: Buffer.from(outcome.expected).reverse().toString('hex'),
            found: Buffer.from(outcome.found).reverse().toString('hex'),
          },
        ),
      }
    case 'ok':
      reader.skip(outcome.next, 'a record')
      try {
        const at = { file: origin.file, offset: origin.offset + FRAME_HEADER_BYTES }
        const record = new ByteReader(outcome.payload, `${section} record`, at, 'VARVE_IO')
        return { step: 'ok', record: rules.decode(record) }
      } catch (error) {
        // A tag that no version of the format knows counts as damage; a number too large for us
        // does not.
        if (!VarveError.is(error, 'VARVE_INVALID_TAG')) throw error
        return { step: onDamaged(mode), error }
      }
  }
}
