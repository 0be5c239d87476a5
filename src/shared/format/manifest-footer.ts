/**
 * The footer of a manifest snapshot: where its sections are (format-manifest-blob.md 4.3), and the
 * digest by which `current` names one snapshot and no other (3.1). Every thread; no I/O.
 *
 *     0  1  layout version (1)
 *     1  1  flags: bit 0 = the head mirror is filled; others are kept as read
 *     2  2  section count
 *     4  …  per section: name length u16 | name | block offset u64 | block size u32 | checksum u128
 *
 * I1: names are unique, 1 to 64 bytes of UTF-8.
 */
import { digestOf, type Hasher } from '../base/checksum.js'
import { ByteReader, type Origin } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'

/** The only layout version there is. */
const LAYOUT_VERSION = 1

/** Flag bit 0: the head region holds a copy of the footer. */
export const FOOTER_FLAG_MIRROR = 0x01

/** Longest section name, in bytes. */
const NAME_BYTES_MAX = 64

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Where one section is. */
export interface SectionEntry {
  readonly name: string
  /** File offset of the section's block. */
  readonly offset: number
  /** The whole block on disk: header, payload, parity. */
  readonly size: number
  /** The payload checksum of the block. */
  readonly checksum: Uint8Array
}

/** A footer, decoded. */
export interface ManifestFooter {
  readonly layoutVersion: number
  readonly flags: number
  /** In the order written. */
  readonly sections: readonly SectionEntry[]
}

export function makeFooter(sections: readonly SectionEntry[], hasMirror: boolean): ManifestFooter {
  return { layoutVersion: LAYOUT_VERSION, flags: hasMirror ? FOOTER_FLAG_MIRROR : 0, sections }
}

export function encodeFooter(footer: ManifestFooter): Uint8Array {
  const writer = new ByteWriter(1024)
    .u8(footer.layoutVersion)
    .u8(footer.flags)
    .u16(footer.sections.length)
  for (const section of footer.sections) writeSection(writer, section)
  return writer.finish()
}

/** Decodes a footer payload; unusable, it is VARVE_MANIFEST_INVALID. Surplus bytes are ignored. */
export function decodeFooter(payload: Uint8Array, origin: Origin): ManifestFooter {
  const reader = new ByteReader(payload, 'manifest footer', origin, 'VARVE_MANIFEST_INVALID')
  const layoutVersion = reader.u8('the layout version')
  if (layoutVersion !== LAYOUT_VERSION) {
    throw reader.failure(`unknown layout version ${layoutVersion}`, { found: layoutVersion })
  }
  const flags = reader.u8('the flags')
  const count = reader.u16('the section count')
  const sections = new Map<string, SectionEntry>()
  for (let i = 0; i < count; i++) {
    const name = readName(reader)
    if (sections.has(name)) throw reader.failure(`section ${name} occurs twice`)
    sections.set(name, {
      name,
      offset: reader.u64('the section offset'),
      size: reader.u32('the section size'),
      checksum: reader.digest('the section checksum'),
    })
  }
  return { layoutVersion, flags, sections: [...sections.values()] }
}

/**
 * The digest of snapshot `id` with this footer: XXH3-128 over its canonical form, sections sorted
 * by name.
 */
export function canonicalDigest(id: number, footer: ManifestFooter, hasher: Hasher): Uint8Array {
  const writer = new ByteWriter(1024)
    .u64(id)
    .u8(footer.layoutVersion)
    .u8(footer.flags)
    .u32(footer.sections.length)
  const sorted = footer.sections
    .map((section) => ({ section, name: Buffer.from(section.name) }))
    .sort((left, right) => left.name.compare(right.name))
  for (const { section, name } of sorted) writeSection(writer, section, name)
  return digestOf(hasher, writer.finish())
}

function writeSection(
  writer: ByteWriter,
  section: SectionEntry,
  name = Buffer.from(section.name),
): void {
  writer.u16(name.length).bytes(name).u64(section.offset).u32(section.size).bytes(section.checksum)
}

function readName(reader: ByteReader): string {
  const length = reader.u16('the name length')
  if (length === 0 || length > NAME_BYTES_MAX) {
    throw reader.failure(`section name of ${length} bytes`)
  }
  const bytes = reader.bytes(length, 'the section name')
  try {
    return UTF8.decode(bytes)
  } catch {
    throw reader.failure('section name is not UTF-8')
  }
}
