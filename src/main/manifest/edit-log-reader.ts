/**
 * Replays the edit log on top of a snapshot (format-manifest-blob.md 7.6). Main thread; reads only.
 *
 * I1: the log is read through one window of bounded size, whatever its length.
 * I2: replay applies a prefix of the records, whole ones only, and reports where and why it ended.
 */
import type { Hasher } from '../../shared/base/checksum.js'
import { VarveError } from '../../shared/base/errors.js'
import { FRAME_PAYLOAD_BYTES_MAX } from '../../shared/base/limits.js'
import { FRAME_HEADER_BYTES, type FrameOutcome, readFrame } from '../../shared/format/frame.js'
import {
  onLostBoundary,
  onTruncated,
  type RecoveryMode,
} from '../../shared/format/recovery-mode.js'
import { applyEdit, decodeVersionEdit } from '../../shared/format/version-edit.js'
import type { ManifestVersion } from '../../shared/format/version-model.js'
import { type FileSystem, isMissing, type ReadableFile } from '../../shared/fs/file-system.js'

/** Why replay stopped before the end of the log. */
export type TornKind = 'truncated' | 'checksum-mismatch' | 'bad-header'

/** What was found of the log. */
export interface EditLogState {
  /** False where there is no such file, which means no edits, or a lost log. */
  readonly isPresent: boolean
  readonly recordCount: number
  /** The end of the last good record. */
  readonly goodBytes: number
  readonly fileBytes: number
  /** Set where a tolerant mode stopped early, at `goodBytes`. */
  readonly torn: TornKind | undefined
}

const FRAME_BYTES_MAX = FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX

/** Bytes read at once: a few of the largest records. */
const WINDOW_BYTES = 4 * FRAME_BYTES_MAX

/** The version after all edits of the log at `path`. */
export function replayEditLog(
  fs: FileSystem,
  path: string,
  version: ManifestVersion,
  options: { readonly mode: RecoveryMode; readonly hasher: Hasher },
): { readonly version: ManifestVersion; readonly log: EditLogState } {
  let file: ReadableFile
  try {
    file = fs.openRead(path)
  } catch (error) {
    if (!isMissing(error)) throw error
    const log = { isPresent: false, recordCount: 0, goodBytes: 0, fileBytes: 0, torn: undefined }
    return { version, log }
  }
  try {
    return replay(new FrameWindow(file, options.hasher), version, options.mode)
  } finally {
    file.close()
  }
}

function replay(
  frames: FrameWindow,
  base: ManifestVersion,
  mode: RecoveryMode,
): { readonly version: ManifestVersion; readonly log: EditLogState } {
  let version = base
  let position = 0
  let recordCount = 0
  let torn: TornKind | undefined
  while (position < frames.fileBytes && torn === undefined) {
    const frame = frames.at(position)
    if (frame.kind === 'ok') {
      const origin = { file: frames.path, offset: position + FRAME_HEADER_BYTES }
      version = applyEdit(version, decodeVersionEdit(frame.payload, origin))
      recordCount += 1
      position = frame.next
    } else {
      torn = frame.kind === 'len-mismatch' ? 'bad-header' : frame.kind
      const step = torn === 'truncated' ? onTruncated(mode) : onLostBoundary(mode)
      if (step === 'fail') throw tornLog(frames.path, position, torn)
    }
  }
  const log = {
    isPresent: true,
    recordCount,
    goodBytes: position,
    fileBytes: frames.fileBytes,
    torn,
  }
  return { version, log }
}

function tornLog(file: string, offset: number, kind: TornKind): VarveError {
  return new VarveError(
    'VARVE_MANIFEST_TORN',
    `the edit log ${file} is torn at offset ${offset} (${kind}): everything before is intact. ` +
      'Open with a more tolerant manifestRecoveryMode, or repair',
    { details: { file, offset, kind } },
  )
}

/** The records of a file, through a window that moves along with them (I1). */
class FrameWindow {
  readonly path: string
  readonly fileBytes: number
  readonly #file: ReadableFile
  readonly #hasher: Hasher
  readonly #buffer: Uint8Array
  #start = 0
  #filled = 0

  constructor(file: ReadableFile, hasher: Hasher) {
    this.path = file.path
    this.fileBytes = file.size()
    this.#file = file
    this.#hasher = hasher
    this.#buffer = new Uint8Array(Math.min(this.fileBytes, WINDOW_BYTES))
  }

  /** What stands at `position`; its payload is valid until the next call. */
  at(position: number): FrameOutcome {
    const end = this.#start + this.#filled
    if (position + FRAME_BYTES_MAX > end && (end < this.fileBytes || this.#filled === 0)) {
      this.#start = position
      this.#filled = this.#file.read(this.#buffer, position)
    }
    const window = this.#buffer.subarray(0, this.#filled)
    const frame = readFrame(window, position - this.#start, this.#hasher)
    return 'next' in frame ? { ...frame, next: frame.next + this.#start } : frame
  }
}
