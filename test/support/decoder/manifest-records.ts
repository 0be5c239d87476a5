/** Section payloads of a snapshot and payloads of the edit log, both ways (manifest spec 5, 6, 7). */

import { Cursor, check, checkEqual, Writer } from './bytes.js'
import { xxh3_64 } from './xxh3.js'

export interface TableRecord {
  readonly id: number
  /** XXH3-128 of the whole file. */
  readonly checksum: bigint
  readonly globalSeqno: bigint
}

export interface BlobRecord {
  readonly id: number
  readonly checksum: bigint
}

export interface GcRecord {
  readonly id: number
  /** Dead blobs, their uncompressed and their stored bytes. */
  readonly count: number
  readonly bytes: number
  readonly onDiskBytes: number
}

export interface Restriction {
  readonly tableId: number
  /** The lowest key of the table that is still valid. */
  readonly key: Uint8Array
}

export type Run = readonly TableRecord[]
export type Level = readonly Run[]

export interface Edit {
  readonly versionId: number
  readonly levels: readonly { readonly level: number; readonly runs: Level }[]
  readonly addedBlobFiles: readonly BlobRecord[]
  readonly removedBlobFiles: readonly number[]
  /** The whole new map; undefined where it did not change. */
  readonly gc: readonly GcRecord[] | undefined
  readonly restrictions: readonly Restriction[]
}

const FRAME_LIMIT = 65536
export const TABLE_RECORD_SIZE = 33
export const BLOB_RECORD_SIZE = 25

/** Reads one framed record, which may run up to but not past the cursor's end. */
export function readFrame(cursor: Cursor, expectedLength?: number): Uint8Array {
  const length = cursor.u32()
  if (length > FRAME_LIMIT) cursor.fail(`frame of ${length} bytes`)
  if (expectedLength !== undefined) {
    checkEqual(length, expectedLength, cursor.where, 'length of a framed record')
  }
  const digest = cursor.u64()
  const payload = cursor.take(length)
  checkEqual(xxh3_64(payload), digest, cursor.where, 'digest of a framed record')
  return payload
}

export function encodeFrame(payload: Uint8Array): Uint8Array {
  check(payload.length <= FRAME_LIMIT, 'frame', `payload of ${payload.length} bytes`)
  return new Writer().u32(payload.length).u64(xxh3_64(payload)).bytes(payload).finish()
}

const times = <T>(count: number, read: () => T): T[] => Array.from({ length: count }, read)

function readTable(cursor: Cursor): TableRecord {
  const id = cursor.size()
  checkEqual(cursor.u8(), 0, cursor.where, `checksum type of table ${id}`)
  return { id, checksum: cursor.u128(), globalSeqno: cursor.u64() }
}

function writeTable({ id, checksum, globalSeqno }: TableRecord): Uint8Array {
  return new Writer().u64(id).u8(0).u128(checksum).u64(globalSeqno).finish()
}

function readBlob(cursor: Cursor): BlobRecord {
  const id = cursor.size()
  checkEqual(cursor.u8(), 0, cursor.where, `checksum type of blob file ${id}`)
  return { id, checksum: cursor.u128() }
}

function writeBlob({ id, checksum }: BlobRecord): Uint8Array {
  return new Writer().u64(id).u8(0).u128(checksum).finish()
}

export function decodeLevels(payload: Uint8Array, where: string): Level[] {
  const cursor = new Cursor(payload, where)
  const levels = times(cursor.u8(), () =>
    times(cursor.u8(), () =>
      times(cursor.u32(), () => readTable(new Cursor(readFrame(cursor, TABLE_RECORD_SIZE), where))),
    ),
  )
  cursor.expectEnd()
  return levels
}

export function encodeLevels(levels: readonly Level[]): Uint8Array {
  const writer = new Writer().u8(levels.length)
  for (const runs of levels) {
    check(runs.length <= 255, 'tables section', `a level has ${runs.length} runs`)
    writer.u8(runs.length)
    for (const run of runs) {
      writer.u32(run.length)
      for (const table of run) writer.bytes(encodeFrame(writeTable(table)))
    }
  }
  return writer.finish()
}

export function decodeBlobFiles(payload: Uint8Array, where: string): BlobRecord[] {
  const cursor = new Cursor(payload, where)
  const files = times(cursor.u32(), () =>
    readBlob(new Cursor(readFrame(cursor, BLOB_RECORD_SIZE), where)),
  )
  cursor.expectEnd()
  return files
}

export function encodeBlobFiles(files: readonly BlobRecord[]): Uint8Array {
  const writer = new Writer().u32(files.length)
  for (const file of files) writer.bytes(encodeFrame(writeBlob(file)))
  return writer.finish()
}

export function decodeGc(payload: Uint8Array, where: string): GcRecord[] {
  const cursor = new Cursor(payload, where)
  const records = times(cursor.u32(), (): GcRecord => {
    const id = cursor.size()
    return { id, count: cursor.u32(), bytes: cursor.size(), onDiskBytes: cursor.size() }
  })
  cursor.expectEnd()
  const ids = new Set(records.map(({ id }) => id))
  checkEqual(ids.size, records.length, where, 'number of distinct blob files')
  return records
}

export function encodeGc(records: readonly GcRecord[]): Uint8Array {
  const writer = new Writer().u32(records.length)
  for (const { id, count, bytes, onDiskBytes } of records) {
    writer.u64(id).u32(count).u64(bytes).u64(onDiskBytes)
  }
  return writer.finish()
}

function readRestrictions(cursor: Cursor): Restriction[] {
  const found = times(cursor.u32(), (): Restriction => {
    const tableId = cursor.size()
    return { tableId, key: cursor.take(cursor.u32()) }
  })
  const ids = new Set(found.map(({ tableId }) => tableId))
  checkEqual(ids.size, found.length, cursor.where, 'number of distinct restricted tables')
  return found
}

export function decodeRestrictions(payload: Uint8Array, where: string): Restriction[] {
  const cursor = new Cursor(payload, where)
  const restrictions = readRestrictions(cursor)
  cursor.expectEnd()
  return restrictions
}

export function encodeRestrictions(restrictions: readonly Restriction[]): Uint8Array {
  const writer = new Writer().u32(restrictions.length)
  for (const { tableId, key } of restrictions) writer.u64(tableId).u32(key.length).bytes(key)
  return writer.finish()
}

export function decodeEdit(payload: Uint8Array, where: string): Edit {
  const cursor = new Cursor(payload, where)
  const versionId = cursor.size()
  const levels = times(cursor.u32(), () => {
    const level = cursor.u8()
    const runs = times(cursor.u32(), () => times(cursor.u32(), () => readTable(cursor)))
    return { level, runs }
  })
  const addedBlobFiles = times(cursor.u32(), () => readBlob(cursor))
  const removedBlobFiles = times(cursor.u32(), () => cursor.size())
  const gcLength = cursor.u32()
  const gc = gcLength === 0 ? undefined : decodeGc(cursor.take(gcLength), `${where} gc`)
  const restrictions = readRestrictions(cursor)
  cursor.expectEnd()
  return { versionId, levels, addedBlobFiles, removedBlobFiles, gc, restrictions }
}

export function encodeEdit(edit: Edit): Uint8Array {
  const writer = new Writer().u64(edit.versionId).u32(edit.levels.length)
  for (const { level, runs } of edit.levels) {
    writer.u8(level).u32(runs.length)
    for (const run of runs) {
      writer.u32(run.length)
      for (const table of run) writer.bytes(writeTable(table))
    }
  }
  writer.u32(edit.addedBlobFiles.length)
  for (const file of edit.addedBlobFiles) writer.bytes(writeBlob(file))
  writer.u32(edit.removedBlobFiles.length)
  for (const id of edit.removedBlobFiles) writer.u64(id)
  const gc = edit.gc === undefined ? new Uint8Array(0) : encodeGc(edit.gc)
  return writer.u32(gc.length).bytes(gc).bytes(encodeRestrictions(edit.restrictions)).finish()
}

/** Decodes a whole log; a torn or damaged record anywhere is an error. */
export function decodeEditLog(bytes: Uint8Array, where: string): Edit[] {
  const cursor = new Cursor(bytes, where)
  const edits: Edit[] = []
  while (cursor.left > 0) edits.push(decodeEdit(readFrame(cursor), `${where} edit ${edits.length}`))
  return edits
}

export function encodeEditLog(edits: readonly Edit[]): Uint8Array {
  const writer = new Writer()
  for (const edit of edits) writer.bytes(encodeFrame(encodeEdit(edit)))
  return writer.finish()
}
