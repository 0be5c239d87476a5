/**
 * The `tables` section of a manifest snapshot (format-manifest-blob.md 6.1). Every thread; no I/O.
 *
 *     level_count u8, then per level
 *       run_count u8, then per run
 *         table_count u32, then per table a framed 33-byte record
 *
 * I1: a level has at most 255 runs here, as their count is one byte: more is refused, never written
 *     modulo 256.
 */
import type { Hasher } from '../base/checksum.js'
import { assert } from '../base/errors.js'
import { SNAPSHOT_RUNS_MAX } from '../base/limits.js'
import { isTruncation } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { encodeFrame } from './frame.js'
import { readFramedList, sectionReader } from './framed-list.js'
import { readTableRecord, TABLE_RECORD_BYTES, writeTableRecord } from './manifest-record.js'
import { onTruncated, type RecoveryMode, type SectionLosses } from './recovery-mode.js'
import type { LevelRecord, RunRecord } from './version-model.js'

/** True where a snapshot can hold these levels (I1). */
export function fitsTableList(levels: readonly LevelRecord[]): boolean {
  return levels.every((runs) => runs.length <= SNAPSHOT_RUNS_MAX)
}

export function encodeTableList(levels: readonly LevelRecord[], hasher: Hasher): Uint8Array {
  assert(fitsTableList(levels), 'no level of a snapshot has more than 255 runs')
  const writer = new ByteWriter(4096).u8(levels.length)
  for (const runs of levels) {
    writer.u8(runs.length)
    for (const run of runs) {
      writer.u32(run.length)
      for (const table of run) {
        const record = new ByteWriter(TABLE_RECORD_BYTES)
        writeTableRecord(record, table)
        writer.bytes(encodeFrame(record.finish(), hasher))
      }
    }
  }
  return writer.finish()
}

/** Decodes the section under a recovery mode. */
export function decodeTableList(
  payload: Uint8Array,
  options: { readonly file: string; readonly mode: RecoveryMode; readonly hasher: Hasher },
): { readonly levels: LevelRecord[]; readonly losses: SectionLosses } {
  const { file, mode, hasher } = options
  const reader = sectionReader('tables', payload, file)
  const levels: RunRecord[][] = []
  let recordsDropped = 0
  let isShortened = false
  const readLevels = () => {
    const levelCount = reader.u8('the level count')
    for (let i = 0; i < levelCount; i++) levels.push([])
    for (const runs of levels) {
      const runCount = reader.u8('the run count')
      for (let i = 0; i < runCount; i++) {
        const tableCount = reader.u32('the table count')
        const { records, dropped, isStopped } = readFramedList(reader, tableCount, {
          section: 'tables',
          recordBytes: TABLE_RECORD_BYTES,
          mode,
          hasher,
          decode: (record) => readTableRecord(record, 'VARVE_INVALID_TAG'),
        })
        if (records.length > 0) runs.push(records)
        recordsDropped += dropped
        isShortened = isStopped
        if (isStopped) return
      }
    }
  }
  try {
    readLevels()
  } catch (error) {
    // A count byte cut off: only here does the section reader itself run out.
    if (!isTruncation(error) || onTruncated(mode) === 'fail') throw error
    isShortened = true
  }
  return { levels, losses: { recordsDropped, isShortened } }
}
