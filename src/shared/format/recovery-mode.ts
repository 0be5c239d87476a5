/**
 * How much damage an open tolerates inside the manifest's records (format-manifest-blob.md 9).
 * Every thread.
 *
 * | mode | a record list that ends early | a damaged record | the log's torn tail |
 * | --- | --- | --- | --- |
 * | absolute-consistency | error | error | error |
 * | tolerate-corrupted-tail-records | keep the part before | error | drop |
 * | point-in-time-recovery | keep the part before | keep the part before | drop from there |
 * | skip-any-corrupted-records | keep the part before | drop that record | drop from there |
 *
 * I1: no mode softens a block checksum, a wrong fixed length, the restrictions or an intact record
 *     that cannot be decoded.
 * I2: whatever was dropped is reported, so that nobody deletes a file merely because a shortened
 *     manifest misses it.
 */

export const RECOVERY_MODES = [
  'absolute-consistency',
  'tolerate-corrupted-tail-records',
  'point-in-time-recovery',
  'skip-any-corrupted-records',
] as const

/** One of the four modes; the first is the default. */
export type RecoveryMode = (typeof RECOVERY_MODES)[number]

/** What a mode does about one kind of damage. */
export type RecoveryStep = 'fail' | 'stop' | 'skip'

/** What to do where bytes end before what they announced. */
export function onTruncated(mode: RecoveryMode): RecoveryStep {
  return mode === 'absolute-consistency' ? 'fail' : 'stop'
}

/** What to do where a record's length field is unusable: what follows cannot be found. */
export function onLostBoundary(mode: RecoveryMode): RecoveryStep {
  return mode === 'absolute-consistency' || mode === 'tolerate-corrupted-tail-records'
    ? 'fail'
    : 'stop'
}

/** What to do about a damaged record of a section whose end is known. */
export function onDamaged(mode: RecoveryMode): RecoveryStep {
  return mode === 'skip-any-corrupted-records' ? 'skip' : onLostBoundary(mode)
}

/** What a tolerant mode left out of one section. */
export interface SectionLosses {
  /** Records dropped for sure; those behind a stop are not counted. */
  readonly recordsDropped: number
  /** True where the section was not read to its announced end. */
  readonly isShortened: boolean
}

export const NO_LOSSES: SectionLosses = { recordsDropped: 0, isShortened: false }
