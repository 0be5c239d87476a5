/**
 * Keeps the mark of how far seqnos have come, on disk and in memory (format/seqno-mark.ts). Main thread.
 *
 * I1: the mark is durable before the manifest forgets what it stands for, and it never sinks.
 */
import type { Hasher } from '../../shared/base/checksum.js'
import {
  decodeSeqnoMark,
  encodeSeqnoMark,
  SEQNO_MARK_BYTES,
} from '../../shared/format/seqno-mark.js'
import { type FileSystem, isMissing, type SyncMode } from '../../shared/fs/file-system.js'
import { seqnoMarkPath } from './directory-layout.js'
import { replaceFile } from './replace-file.js'

export class SeqnoMarkFile {
  readonly #fs: FileSystem
  readonly #hasher: Hasher
  readonly #syncMode: SyncMode
  readonly #root: string
  /** What the file holds; -1 where there is none. */
  #written: number

  /** Reads the mark of the tree in `root`. @throws VARVE_CHECKSUM_MISMATCH, VARVE_INVALID_HEADER */
  constructor(
    fs: FileSystem,
    root: string,
    options: { readonly hasher: Hasher; readonly syncMode: SyncMode },
  ) {
    this.#fs = fs
    this.#root = root
    this.#hasher = options.hasher
    this.#syncMode = options.syncMode
    this.#written = readMark(fs, seqnoMarkPath(root), options.hasher)
  }

  /** The highest seqno that the tree is known to have held; -1 for none. */
  get seqno(): number {
    return this.#written
  }

  /** Sees to it that the mark is at least `seqno` on disk. */
  raise(seqno: number): void {
    if (seqno <= this.#written) return
    this.#write(this.#root, seqno)
    this.#written = seqno
  }

  /** Writes the mark into another folder, where there is one. */
  copyTo(folder: string): void {
    if (this.#written >= 0) this.#write(folder, this.#written)
  }

  #write(folder: string, seqno: number): void {
    const file = { path: seqnoMarkPath(folder), bytes: encodeSeqnoMark(seqno, this.#hasher) }
    replaceFile(this.#fs, folder, file, this.#syncMode)
  }
}

function readMark(fs: FileSystem, path: string, hasher: Hasher): number {
  // Most trees have none, and an error takes much longer to make than this.
  if (!fs.exists(path)) return -1
  try {
    const file = fs.openRead(path)
    try {
      const bytes = new Uint8Array(SEQNO_MARK_BYTES + 1)
      return decodeSeqnoMark(bytes.subarray(0, file.read(bytes, 0)), path, hasher)
    } finally {
      file.close()
    }
  } catch (error) {
    if (isMissing(error)) return -1
    throw error
  }
}
