/** The archive container of table and blob files: named sections, table of contents, trailer (table spec 3, 4). */

import { Cursor, check, checkEqual, Writer } from './bytes.js'
import { xxh3_128 } from './xxh3.js'

export interface Section {
  readonly name: string
  readonly offset: number
  readonly length: number
}

export interface Archive {
  /** In the order of the table of contents, which is the order in the file. */
  readonly sections: readonly Section[]
  readonly tocOffset: number
  readonly tocLength: number
}

const TRAILER_SIZE = 38
const TOC_MAGIC = '544f4321'
const TRAILER_MAGIC = '53464121'
const SECTION_LIMIT = 2 ** 32

/**
 * Verifies the trailer and the table of contents, and that the sections fill the file from offset 0 to the table of
 * contents back to back, each name once.
 */
export function decodeArchive(bytes: Uint8Array, where: string): Archive {
  check(bytes.length >= TRAILER_SIZE, where, `${bytes.length} bytes cannot hold an archive trailer`)
  const trailerOffset = bytes.length - TRAILER_SIZE
  const trailer = new Cursor(bytes, `${where} trailer`, trailerOffset)
  trailer.expectMagic(TRAILER_MAGIC, 'trailer')
  checkEqual(trailer.u8(), 1, where, 'container version')
  checkEqual(trailer.u8(), 0, where, 'container checksum type')
  const checksum = trailer.u128()
  const tocOffset = trailer.size()
  const tocLength = trailer.size()
  checkEqual(tocOffset + tocLength, trailerOffset, where, 'end of the table of contents')

  const toc = new Cursor(bytes, `${where} TOC`, tocOffset, trailerOffset)
  toc.expectMagic(TOC_MAGIC, 'TOC')
  const digest = xxh3_128(bytes.subarray(tocOffset, trailerOffset))
  checkEqual(digest, checksum, where, 'TOC checksum')
  const count = toc.u32()
  const sections: Section[] = []
  const names = new Set<string>()
  let position = 0
  for (let i = 0; i < count; i++) {
    const offset = toc.size()
    const length = toc.size()
    const name = Buffer.from(toc.take(toc.u16())).toString('utf8')
    check(!names.has(name), where, `section ${name} appears twice`)
    checkEqual(offset, position, where, `offset of section ${name}`)
    check(name === 'data' || length < SECTION_LIMIT, where, `section ${name} reaches 4 GiB`)
    names.add(name)
    sections.push({ name, offset, length })
    position = offset + length
  }
  toc.expectEnd()
  checkEqual(position, tocOffset, where, 'end of the last section')
  return { sections, tocOffset, tocLength }
}

/** Lays out sections back to back and appends the table of contents and the trailer. */
export function encodeArchive(
  sections: readonly { name: string; bytes: Uint8Array }[],
): Uint8Array {
  const file = new Writer()
  const toc = new Writer().bytes(Buffer.from(TOC_MAGIC, 'hex')).u32(sections.length)
  for (const { name, bytes } of sections) {
    const encodedName = Buffer.from(name, 'utf8')
    toc.u64(file.length).u64(bytes.length).u16(encodedName.length).bytes(encodedName)
    file.bytes(bytes)
  }
  const tocOffset = file.length
  const tocBytes = toc.finish()
  file.bytes(tocBytes).bytes(Buffer.from(TRAILER_MAGIC, 'hex')).u8(1).u8(0)
  return file.u128(xxh3_128(tocBytes)).u64(tocOffset).u64(tocBytes.length).finish()
}
