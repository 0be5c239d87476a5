/**
 * The container of tables and blob files (format-table.md 3, 4): named sections, a table of contents, a trailer.
 *
 *   trailer, the last 38 bytes
 *   OFFSET SIZE FIELD
 *        0    4 magic "SFA!"
 *        4    1 container version, 1
 *        5    1 checksum type, 0 (XXH3)
 *        6   16 XXH3-128 of the table of contents
 *       22    8 its offset
 *       30    8 its length
 *
 *   table of contents: magic "TOC!", entry count u32, then for each section
 *        0    8 offset
 *        8    8 length
 *       16    2 name length n
 *       18    n name
 *
 * Pure; any thread.
 */
import type { Hasher } from '../base/checksum.js'
import { VarveError } from '../base/errors.js'

export const ARCHIVE_TRAILER_BYTES = 38

/** Largest table of contents that is read: a table has 17 section names at most, so this is generous. */
export const TOC_BYTES_MAX = 64 * 1024

const TRAILER_MAGIC = 0x21414653
const TOC_MAGIC = 0x21434f54
const CONTAINER_VERSION = 1
const ENTRY_FIXED_BYTES = 18

/** One named piece of a file. */
export interface Section {
  readonly name: string
  readonly offset: number
  readonly length: number
}

/** What the trailer says about the table of contents. */
export interface ArchiveTrailer {
  readonly tocOffset: number
  readonly tocLength: number
  readonly tocChecksum: Uint8Array
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function safeU64(view: DataView, at: number, file: string, what: string): number {
  const value = view.getUint32(at + 4, true) * 4_294_967_296 + view.getUint32(at, true)
  if (Number.isSafeInteger(value)) return value
  throw new VarveError('VARVE_UNRECOVERABLE', `${file}: ${what} is beyond 2^53`, {
    details: { file },
  })
}

/** Encodes table of contents and trailer for sections that end at `tocOffset`. */
export function encodeArchiveEnd(
  sections: readonly Section[],
  tocOffset: number,
  hasher: Hasher,
): Uint8Array {
  const names = sections.map((section) => Buffer.from(section.name, 'utf8'))
  const tocLength = names.reduce((sum, name) => sum + ENTRY_FIXED_BYTES + name.length, 8)
  const out = new Uint8Array(tocLength + ARCHIVE_TRAILER_BYTES)
  const view = viewOf(out)
  view.setUint32(0, TOC_MAGIC, true)
  view.setUint32(4, sections.length, true)
  let at = 8
  sections.forEach((section, index) => {
    const name = names[index] as Buffer
    view.setBigUint64(at, BigInt(section.offset), true)
    view.setBigUint64(at + 8, BigInt(section.length), true)
    view.setUint16(at + 16, name.length, true)
    out.set(name, at + ENTRY_FIXED_BYTES)
    at += ENTRY_FIXED_BYTES + name.length
  })
  view.setUint32(at, TRAILER_MAGIC, true)
  out[at + 4] = CONTAINER_VERSION
  hasher.hash128Into(out.subarray(0, tocLength), out, at + 6)
  view.setBigUint64(at + 22, BigInt(tocOffset), true)
  view.setBigUint64(at + 30, BigInt(tocLength), true)
  return out
}

/**
 * Decodes the last bytes of a file of `fileSize` bytes.
 * @throws VARVE_INVALID_TRAILER, VARVE_UNRECOVERABLE
 */
export function decodeArchiveTrailer(
  bytes: Uint8Array,
  fileSize: number,
  file: string,
): ArchiveTrailer {
  const fail = (what: string): VarveError =>
    new VarveError('VARVE_INVALID_TRAILER', `${file}: ${what}; the file is damaged or no table`, {
      details: { file, offset: Math.max(0, fileSize - ARCHIVE_TRAILER_BYTES) },
    })
  if (bytes.length < ARCHIVE_TRAILER_BYTES) throw fail(`${bytes.length} bytes hold no trailer`)
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== TRAILER_MAGIC) throw fail('the trailer has no "SFA!"')
  if (bytes[4] !== CONTAINER_VERSION) throw fail(`container version ${bytes[4]}`)
  if (bytes[5] !== 0) throw fail(`checksum type ${bytes[5]}`)
  const tocOffset = safeU64(view, 22, file, 'the offset of the table of contents')
  const tocLength = safeU64(view, 30, file, 'the length of the table of contents')
  if (tocOffset + tocLength !== fileSize - ARCHIVE_TRAILER_BYTES || tocLength < 8) {
    throw fail(`a table of contents of ${tocLength} bytes at ${tocOffset} does not fit the file`)
  }
  if (tocLength > TOC_BYTES_MAX) throw fail(`a table of contents of ${tocLength} bytes`)
  return { tocOffset, tocLength, tocChecksum: bytes.slice(6, 22) }
}

/**
 * Decodes the table of contents. Sections lie inside the file and in front of the table of contents.
 * @throws VARVE_CHECKSUM_MISMATCH, VARVE_INVALID_TRAILER
 */
export function decodeToc(
  bytes: Uint8Array,
  trailer: ArchiveTrailer,
  file: string,
  hasher: Hasher,
): Section[] {
  const details = { file, offset: trailer.tocOffset }
  const found = new Uint8Array(16)
  hasher.hash128Into(bytes, found, 0)
  if (Buffer.compare(found, trailer.tocChecksum) !== 0) {
    throw new VarveError(
      'VARVE_CHECKSUM_MISMATCH',
      `${file}: the table of contents at ${trailer.tocOffset} does not match its checksum`,
      {
        details: {
          ...details,
          expected: Buffer.from(trailer.tocChecksum).toString('hex'),
          found: Buffer.from(found).toString('hex'),
        },
      },
    )
  }
  const fail = (what: string): VarveError =>
    new VarveError('VARVE_INVALID_TRAILER', `${file}: table of contents: ${what}`, { details })
  const view = viewOf(bytes)
  if (view.getUint32(0, true) !== TOC_MAGIC) throw fail('no "TOC!"')
  const count = view.getUint32(4, true)
  const sections: Section[] = []
  let at = 8
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_FIXED_BYTES > bytes.length) throw fail(`entry ${i} is cut`)
    const offset = safeU64(view, at, file, `the offset of section ${i}`)
    const length = safeU64(view, at + 8, file, `the length of section ${i}`)
    const nameLength = view.getUint16(at + 16, true)
    at += ENTRY_FIXED_BYTES
    if (at + nameLength > bytes.length) throw fail(`the name of entry ${i} is cut`)
    const name = Buffer.from(bytes.subarray(at, at + nameLength)).toString('utf8')
    at += nameLength
    if (offset + length > trailer.tocOffset) throw fail(`section ${name} runs past the end`)
    if (!sections.some((section) => section.name === name)) sections.push({ name, offset, length })
  }
  if (at !== bytes.length) throw fail('bytes behind the last entry')
  return sections
}
