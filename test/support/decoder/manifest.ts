/** `current`, the snapshot `v{N}` with its mirror, and the version they and the edit log describe (manifest spec 3-8). */

import { type BlockOptions, decodeBlock } from './block.js'
import {
  Cursor,
  check,
  checkEqual,
  compareBytes,
  equalBytes,
  fail,
  isZero,
  utf8,
  Writer,
} from './bytes.js'
import {
  type BlobRecord,
  decodeBlobFiles,
  decodeGc,
  decodeLevels,
  decodeRestrictions,
  type Edit,
  type GcRecord,
  type Level,
  type Restriction,
} from './manifest-records.js'
import { xxh3_128 } from './xxh3.js'

export interface Current {
  /** Id of the live snapshot, which edits in the log leave behind. */
  readonly snapshotId: number
  readonly digest: bigint
}

export interface ManifestSection {
  readonly name: string
  readonly offset: number
  readonly size: number
  readonly checksum: bigint
  readonly payload: Uint8Array
}

export interface Snapshot {
  readonly id: number
  readonly flags: number
  readonly mirrored: boolean
  readonly ecc: boolean
  /** In file order, sections of unknown names included. */
  readonly sections: readonly ManifestSection[]
  /** What `current` has to hold beside the id. */
  readonly digest: bigint
  readonly formatVersion: number
  readonly crateVersion: string
  readonly treeType: 'standard' | 'blob'
  readonly levelCount: number
  readonly comparatorName: string
  readonly levels: readonly Level[]
  readonly blobFiles: readonly BlobRecord[]
  readonly gc: readonly GcRecord[]
  readonly restrictions: readonly Restriction[]
}

export interface Version {
  readonly id: number
  readonly levels: readonly Level[]
  /** Ascending by id, as are the two maps below. */
  readonly blobFiles: ReadonlyMap<number, BlobRecord>
  readonly gc: ReadonlyMap<number, GcRecord>
  readonly restrictions: ReadonlyMap<number, Uint8Array>
}

export const HEAD_SIZE = 4096
const FOOTER_LIMIT = 4096
const SECTION_LIMIT = 2 ** 24
const NAME_LIMIT = 64
export const LEVEL_COUNT = 7
export const FLAG_MIRROR = 1

export function decodeCurrent(bytes: Uint8Array, where = 'current'): Current {
  const cursor = new Cursor(bytes, where)
  const snapshotId = cursor.size()
  const digest = cursor.u128()
  checkEqual(cursor.u8(), 0, where, 'checksum type')
  cursor.expectEnd()
  return { snapshotId, digest }
}

export function encodeCurrent({ snapshotId, digest }: Current): Uint8Array {
  return new Writer().u64(snapshotId).u128(digest).u8(0).finish()
}

/** The digest in `current`: of the snapshot's id and its table of contents, sorted by name. */
export function canonicalDigest(
  id: number,
  flags: number,
  sections: readonly Omit<ManifestSection, 'payload'>[],
): bigint {
  const writer = new Writer().u64(id).u8(1).u8(flags).u32(sections.length)
  const sorted = [...sections].sort((a, b) => compareBytes(utf8(a.name), utf8(b.name)))
  for (const { name, offset, size, checksum } of sorted) {
    const encoded = utf8(name)
    writer.u16(encoded.length).bytes(encoded).u64(offset).u32(size).u128(checksum)
  }
  return xxh3_128(writer.finish())
}

/** Decodes a snapshot strictly: sections back to back from 4096, and a mirror equal to the footer or none at all. */
export function decodeSnapshot(
  bytes: Uint8Array,
  id: number,
  options: Pick<BlockOptions, 'decrypt'> = {},
): Snapshot {
  const where = `v${id}`
  check(bytes.length > HEAD_SIZE + 4, where, `file of ${bytes.length} bytes`)
  const sizeHint = new Cursor(bytes, where, bytes.length - 4).u32()
  check(sizeHint > 0 && sizeHint <= FOOTER_LIMIT, where, `footer of ${sizeHint} bytes`)
  const footerOffset = bytes.length - 4 - sizeHint
  check(footerOffset >= HEAD_SIZE, where, 'footer reaches into the head region')
  const end = bytes.length - 4
  const at = { offset: footerOffset, size: sizeHint, end }
  const footer = decodeBlock(bytes, at, 'manifest-footer', options, `${where} footer`)
  const { flags, entries } = decodeFooter(footer.plaintext, `${where} footer`)

  const mirrored = (flags & FLAG_MIRROR) !== 0
  const mirror = bytes.subarray(0, mirrored ? sizeHint : 0)
  const expected = bytes.subarray(footerOffset, footerOffset + mirror.length)
  check(equalBytes(mirror, expected), where, 'mirror differs from the footer')
  check(isZero(bytes.subarray(mirror.length, HEAD_SIZE)), where, 'head region is not zero-padded')

  let position = HEAD_SIZE
  const sections = entries.map((entry): ManifestSection => {
    const name = `${where} section ${entry.name}`
    checkEqual(entry.offset, position, name, 'offset')
    check(entry.size <= SECTION_LIMIT, name, `block of ${entry.size} bytes`)
    position += entry.size
    const place = { offset: entry.offset, size: entry.size, end: footerOffset }
    const block = decodeBlock(bytes, place, 'manifest', options, name)
    checkEqual(entry.checksum, block.checksum, name, 'checksum in the footer')
    return { ...entry, payload: block.plaintext }
  })
  checkEqual(position, footerOffset, where, 'end of the sections')
  const ecc = (footer.flags! & 2) !== 0
  const digest = canonicalDigest(id, flags, entries)
  return { id, flags, mirrored, ecc, sections, digest, ...decodePayloads(sections, where) }
}

function decodeFooter(payload: Uint8Array, where: string) {
  const cursor = new Cursor(payload, where)
  checkEqual(cursor.u8(), 1, where, 'manifest layout version')
  const flags = cursor.u8()
  check((flags & ~FLAG_MIRROR) === 0, where, `flags ${flags} have unknown bits`)
  const names = new Set<string>()
  const entries = Array.from({ length: cursor.u16() }, () => {
    const length = cursor.u16()
    check(length > 0 && length <= NAME_LIMIT, where, `section name of ${length} bytes`)
    const name = new TextDecoder('utf-8', { fatal: true }).decode(cursor.take(length))
    check(!names.has(name), where, `section ${name} appears twice`)
    names.add(name)
    return { name, offset: cursor.size(), size: cursor.u32(), checksum: cursor.u128() }
  })
  cursor.expectEnd()
  return { flags, entries }
}

function decodePayloads(sections: readonly ManifestSection[], where: string) {
  const payload = (name: string): Uint8Array =>
    sections.find((section) => section.name === name)?.payload ??
    fail(where, `section ${name} is missing`)
  const byte = (name: string): number => {
    checkEqual(payload(name).length, 1, where, `length of section ${name}`)
    return payload(name)[0]!
  }
  const text = (name: string): string =>
    new TextDecoder('utf-8', { fatal: true }).decode(payload(name))
  const formatVersion = byte('format_version')
  checkEqual(formatVersion, 5, where, 'format_version')
  const treeType = byte('tree_type')
  check(treeType <= 1, where, `tree_type is ${treeType}`)
  const levelCount = byte('level_count')
  checkEqual(levelCount, LEVEL_COUNT, where, 'level_count')
  checkEqual(byte('filter_hash_type'), 0, where, 'filter_hash_type')
  check(payload('comparator_name').length <= 256, where, 'comparator_name is over 256 bytes')
  const levels = decodeLevels(payload('tables'), `${where} tables`)
  checkEqual(levels.length, levelCount, where, 'levels in section tables')
  checkLevels(levels, where)
  return {
    formatVersion,
    crateVersion: text('crate_version'),
    treeType: treeType === 0 ? ('standard' as const) : ('blob' as const),
    levelCount,
    comparatorName: text('comparator_name'),
    levels,
    blobFiles: decodeBlobFiles(payload('blob_files'), `${where} blob_files`),
    gc: decodeGc(payload('blob_gc_stats'), `${where} blob_gc_stats`),
    restrictions: decodeRestrictions(payload('restrictions'), `${where} restrictions`),
  }
}

/** No empty run, and no table twice. */
function checkLevels(levels: readonly Level[], where: string): void {
  const ids = new Set<number>()
  for (const run of levels.flat()) {
    check(run.length > 0, where, 'a run is empty')
    for (const { id } of run) {
      check(!ids.has(id), where, `table ${id} appears twice`)
      ids.add(id)
    }
  }
}

const byId = <T>(entries: Iterable<readonly [number, T]>): Map<number, T> =>
  new Map([...entries].sort(([a], [b]) => a - b))

export function snapshotVersion(snapshot: Snapshot): Version {
  const { id, levels, blobFiles, gc, restrictions } = snapshot
  const ids = new Set(blobFiles.map((file) => file.id))
  checkEqual(ids.size, blobFiles.length, `v${id}`, 'number of distinct blob files')
  return {
    id,
    levels,
    blobFiles: byId(blobFiles.map((file) => [file.id, file])),
    gc: byId(gc.map((record) => [record.id, record])),
    restrictions: byId(restrictions.map(({ tableId, key }) => [tableId, key])),
  }
}

/** Applies one edit; ids have to rise, changed levels to change, and removed blob files to exist. */
export function applyEdit(version: Version, edit: Edit): Version {
  const where = `edit to version ${edit.versionId}`
  check(edit.versionId > version.id, where, `does not rise above version ${version.id}`)
  const levels = [...version.levels]
  const changed = new Set<number>()
  for (const { level, runs } of edit.levels) {
    check(level < LEVEL_COUNT && !changed.has(level), where, `names level ${level} out of place`)
    changed.add(level)
    levels[level] = runs
  }
  checkLevels(levels, where)
  const blobFiles = new Map(version.blobFiles)
  for (const id of edit.removedBlobFiles) {
    check(blobFiles.delete(id), where, `removes the unknown blob file ${id}`)
  }
  for (const file of edit.addedBlobFiles) blobFiles.set(file.id, file)
  const gc = edit.gc === undefined ? version.gc : byId(edit.gc.map((record) => [record.id, record]))
  const restrictions = new Map(version.restrictions)
  for (const { tableId, key } of edit.restrictions) restrictions.set(tableId, key)
  return {
    id: edit.versionId,
    levels,
    blobFiles: byId(blobFiles),
    gc,
    restrictions: byId(restrictions),
  }
}

/** The live version: the snapshot and every edit on top of it. */
export function replay(snapshot: Snapshot, edits: readonly Edit[]): Version {
  return edits.reduce(applyEdit, snapshotVersion(snapshot))
}
