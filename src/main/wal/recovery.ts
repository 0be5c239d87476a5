/**
 * Opening a log: reads every segment, finds out where the intact log ends and what of it is in tables already, and only
 * then changes anything. Main thread.
 *
 * What is in tables: writes reach memtables in the order of the log, and a flush takes whole memtables, so tables always
 * hold a beginning of the log. How long it is stands in the log ("persisted"), and where a crash came between a flush and
 * that record, the table tells: its highest seqno is that of a write in the log, which is synced before a flush installs.
 *
 * I1: a log that is refused is left as it was.
 * I2: what is cut off is gone, durably, before the next segment exists: no later open finds it again.
 * I3: intact writes are never cut off without a copy beside the log.
 */
import type { Hasher } from '../../shared/base/checksum.js'
import { VarveError } from '../../shared/base/errors.js'
import { type FileSystem, parentPath, type SyncMode } from '../../shared/fs/file-system.js'
import type { LiveSegment } from './log-writer.js'
import { isWrite, type LogRecord, RecordType } from './record.js'
import { parseSegmentName, SEGMENT_HEADER_BYTES, segmentName } from './segment-header.js'
import { damageError, readSegment, type Segment } from './segment-reader.js'

/** What to make of damage that no crash explains: refuse the log, or go on with what lies before. */
export type LogRecoveryMode = 'refuse' | 'stop-at-damage'

/** What opening a log has found. */
export interface LogRecoveryReport {
  /** Writes that were applied to the tree again. */
  readonly replayed: number
  /** Every write below this seqno was in tables already. */
  readonly persistedBelow: number
  /** Where the log was cut off; undefined where it was whole. */
  readonly cut:
    | {
        readonly file: string
        readonly offset: number
        /** Bytes behind the cut, of this and later segments. */
        readonly bytes: number
        /** Intact writes among them, kept beside the log in files named `*.cut`. */
        readonly writes: number
      }
    | undefined
}

export interface LogRecoveryParts {
  readonly fs: FileSystem
  readonly folder: string
  readonly hasher: Hasher
  readonly syncMode: SyncMode
  readonly mode: LogRecoveryMode
  /** The highest seqno of each table of the tree. */
  readonly tableSeqnos: ReadonlySet<number>
}

export interface RecoveredLog {
  readonly segments: readonly LiveSegment[]
  readonly nextId: number
  /** The highest seqno of any write that the log ever held, as far as it tells; -1 where it held none. */
  readonly highestSeqno: number
  readonly persistedBelow: number
  readonly cut: LogRecoveryReport['cut']
  /** The writes to apply, in order. Each segment is read again when its turn comes. */
  replay(): Generator<LogRecord>
}

/** The largest segment that is read: more than any writer makes. */
const SEGMENT_BYTES_MAX = 4 * 1024 * 1024 * 1024 - 1

interface Found {
  readonly id: number
  readonly path: string
  readonly bytes: number
  readonly segment: Segment
}

/** Where the intact log ends, and what lies behind. */
interface Cut {
  readonly at: Found
  readonly offset: number
  /** Segments behind it, by path. */
  readonly later: readonly string[]
}

/** @throws codes of damage, VARVE_UNRECOVERABLE where a segment is missing; nothing was changed then */
export function recoverLog(parts: LogRecoveryParts): RecoveredLog {
  const { fs, folder } = parts
  const ids = fs.exists(folder)
    ? fs
        .list(folder)
        .map(({ name }) => parseSegmentName(name))
        .filter((id) => id !== undefined)
        .sort((left, right) => left - right)
    : []
  const { found, unborn, cut } = readAll(parts, ids)
  const persistedBelow = persistedBelowOf(parts, found)
  requireGapFree(found, persistedBelow)
  const writesBehind = cut === undefined ? [] : seqnosBehind(parts, cut)
  const report = cut === undefined ? undefined : describe(parts, cut, writesBehind.length)
  if (cut !== undefined) carryOut(parts, cut, writesBehind.length > 0)
  for (const path of unborn) fs.remove(path)
  makeDurable(fs, folder)
  const refused = new Set<number>()
  let highestSeqno = -1
  const segments: LiveSegment[] = found.map(({ id, bytes, segment }) => {
    let highest = segment.header.firstSeqno - 1
    for (const { type, seqno } of segment.records) {
      if (type === RecordType.Refused) refused.add(seqno)
      if (isWrite(type)) highest = seqno
    }
    highestSeqno = Math.max(highestSeqno, highest)
    return { id, highestSeqno: highest, bytes: cut?.at.id === id ? cut.offset : bytes }
  })
  const needed = found.filter((_, i) => (segments[i]?.highestSeqno ?? 0) >= persistedBelow)
  return {
    segments,
    // The id of one that was removed or renamed is taken again: a gap would look like a loss.
    nextId: (found.at(-1)?.id ?? 0) + 1,
    highestSeqno,
    persistedBelow,
    cut: report,
    *replay() {
      for (const { id, path } of needed) {
        const { records } = readSegment(readWhole(fs, path), id, path, parts.hasher)
        for (const record of records) {
          if (!isWrite(record.type) || record.seqno < persistedBelow) continue
          if (!refused.has(record.seqno)) yield record
        }
      }
    },
  }
}

/** Reads the segments in order, as far as the log is intact. */
function readAll(
  parts: LogRecoveryParts,
  ids: readonly number[],
): { found: Found[]; unborn: string[]; cut: Cut | undefined } {
  const { fs, folder, hasher, mode } = parts
  const found: Found[] = []
  const paths = ids.map((id) => `${folder}/${segmentName(id)}`)
  for (const [i, id] of ids.entries()) {
    const path = paths[i] as string
    const isLast = i === ids.length - 1
    const stop = (at: Found, offset: number, later: readonly string[]) => ({
      found,
      unborn: [],
      cut: { at, offset, later },
    })
    const bytes = readWhole(fs, path)
    let segment: Segment
    try {
      segment = readSegment(bytes, id, path, hasher)
      requireSuccessor(found.at(-1), segment)
    } catch (error) {
      // The crash came before its header was durable, so before anything was written behind it.
      if (isLast && bytes.length <= SEGMENT_HEADER_BYTES && isHeaderFailure(error)) {
        return { found, unborn: [path], cut: undefined }
      }
      const previous = found.at(-1)
      if (mode === 'refuse' || previous === undefined) throw error
      return stop(previous, previous.segment.end, paths.slice(i))
    }
    const current = { id, path, bytes: bytes.length, segment }
    found.push(current)
    const { damage } = segment
    if (damage === undefined) continue
    // A segment is synced before the next one is made, so damage in front of another one is real.
    if (mode === 'refuse' && (!isLast || damage.isVouched)) throw damage.error
    return stop(current, damage.offset, paths.slice(i + 1))
  }
  return { found, unborn: [], cut: undefined }
}

function isHeaderFailure(error: unknown): boolean {
  return (
    VarveError.is(error, 'VARVE_INVALID_HEADER') || VarveError.is(error, 'VARVE_CHECKSUM_MISMATCH')
  )
}

/** A segment says how long the one before it was. */
function requireSuccessor(previous: Found | undefined, segment: Segment): void {
  const { header } = segment
  if (previous === undefined || previous.id !== header.id - 1) return
  if (previous.bytes === header.previousBytes) return
  throw damageError(
    { file: previous.path, offset: Math.min(previous.bytes, header.previousBytes) },
    {
      why: 'the length of a log segment is not the one that the next segment tells',
      expected: String(header.previousBytes),
      found: String(previous.bytes),
    },
  )
}

/** Below which seqno every write is in tables. */
function persistedBelowOf({ tableSeqnos }: LogRecoveryParts, found: readonly Found[]): number {
  let below = 0
  let highestTable = -1
  for (const seqno of tableSeqnos) highestTable = Math.max(highestTable, seqno)
  // A log that was just begun: what tables hold is older than it.
  if (found.length === 0) return highestTable + 1
  const note = (seqno: number): void => {
    if (tableSeqnos.has(seqno)) below = Math.max(below, seqno + 1)
  }
  for (const { segment } of found) {
    below = Math.max(below, segment.header.persistedBelow)
    for (const { type, seqno } of segment.records) {
      if (type === RecordType.Persisted) below = Math.max(below, seqno)
      else if (isWrite(type)) note(seqno)
    }
    for (const seqno of segment.damage?.seqnosBehind ?? []) note(seqno)
  }
  return below
}

/** A segment that is missing is no loss where everything in it was persisted. */
function requireGapFree(found: readonly Found[], persistedBelow: number): void {
  found.forEach(({ id, path, segment }, i) => {
    const previous = found[i - 1]
    if (previous !== undefined && previous.id === id - 1) return
    if (segment.header.firstSeqno <= persistedBelow) return
    throw new VarveError(
      'VARVE_UNRECOVERABLE',
      `${path} follows a log segment that is missing: writes from seqno ${persistedBelow} up to ` +
        `${segment.header.firstSeqno} may be lost`,
      { details: { file: path, persistedBelow, firstSeqno: segment.header.firstSeqno } },
    )
  })
}

function seqnosBehind({ fs, hasher }: LogRecoveryParts, { at, later }: Cut): number[] {
  const seqnos = [...(at.segment.damage?.seqnosBehind ?? [])]
  for (const path of later) {
    const id = parseSegmentName(path.slice(parentPath(path).length + 1)) as number
    try {
      const { records, damage } = readSegment(readWhole(fs, path), id, path, hasher)
      for (const { type, seqno } of records) if (isWrite(type)) seqnos.push(seqno)
      seqnos.push(...(damage?.seqnosBehind ?? []))
    } catch {
      // A header beyond reading: what is behind it is kept, but not counted.
    }
  }
  return seqnos
}

function describe({ fs }: LogRecoveryParts, cut: Cut, writes: number): LogRecoveryReport['cut'] {
  const laterBytes = cut.later.reduce((sum, path) => sum + sizeOf(fs, path), 0)
  const bytes = cut.at.bytes - cut.offset + laterBytes
  return { file: cut.at.path, offset: cut.offset, bytes, writes }
}

/** Cuts the log off, durably. */
function carryOut({ fs, syncMode, folder }: LogRecoveryParts, cut: Cut, isKept: boolean): void {
  // The newest first, and the cut itself last: whatever a crash leaves is cut in the same way again.
  for (const path of [...cut.later].reverse()) {
    fs.rename(path, copyPath(fs, path))
    fs.syncDirectory(folder)
  }
  const { path } = cut.at
  if (cut.at.bytes === cut.offset) return
  if (isKept) {
    const file = fs.create(copyPath(fs, path))
    try {
      file.write(readWhole(fs, path).subarray(cut.offset))
      file.sync(syncMode)
    } finally {
      file.close()
    }
  }
  fs.truncate(path, cut.offset)
  const file = fs.openAppend(path)
  try {
    file.sync(syncMode)
  } finally {
    file.close()
  }
}

/** A name for what is kept of a segment: one that no earlier cut has taken. */
function copyPath(fs: FileSystem, path: string): string {
  for (let i = 0; ; i++) {
    const copy = `${path}${i === 0 ? '' : `.${i}`}.cut`
    if (!fs.exists(copy)) return copy
  }
}

function makeDurable(fs: FileSystem, folder: string): void {
  fs.makeDirectory(folder)
  for (const path of [folder, parentPath(folder)]) fs.syncDirectory(path)
}

function sizeOf(fs: FileSystem, path: string): number {
  const file = fs.openRead(path)
  try {
    return file.size()
  } finally {
    file.close()
  }
}

function readWhole(fs: FileSystem, path: string): Buffer {
  const file = fs.openRead(path)
  try {
    const size = file.size()
    if (size > SEGMENT_BYTES_MAX) {
      throw new VarveError(
        'VARVE_UNSUPPORTED',
        `${path} has ${size} bytes; no log segment is that long`,
        {
          details: { file: path, bytes: size },
        },
      )
    }
    const bytes = Buffer.alloc(size)
    const length = file.read(bytes, 0)
    return bytes.subarray(0, length)
  } finally {
    file.close()
  }
}
