/**
 * A manifest snapshot, the file `v{N}`: one complete version (format-manifest-blob.md 4). Every
 * thread; bytes come through an open file, a few at a time.
 *
 *     0       head region, 4096 bytes: a copy of the footer block and zeros, or zeros only
 *     4096    section blocks, back to back
 *             footer block, F bytes
 *     EOF-4   F, u32
 *
 * I1: the footer is found from the tail; only if that fails, from the head. Both broken:
 *     VARVE_MANIFEST_INVALID.
 * I2: a section is returned only if its block fills its place exactly and matches the footer's
 *     checksum of it.
 * I3: what is read at once is bounded: 4096 bytes of footer, 16 MiB of section, a small file whole,
 *     never more than the file has.
 */
import { describeDigest, sameBytes } from '../base/checksum.js'
import { assert, VarveError } from '../base/errors.js'
import { MANIFEST_FOOTER_BYTES_MAX, MANIFEST_SECTION_BYTES_MAX } from '../base/limits.js'
import type { ReadableFile } from '../fs/file-system.js'
import { BlockType, blockTypeName, readBlockHeader } from './block-header.js'
import { formatError, type Origin } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import {
  decodeManifestBlock,
  encodeManifestBlock,
  type ManifestCodec,
  manifestBlockBytes,
} from './manifest-block.js'
import {
  decodeFooter,
  encodeFooter,
  type ManifestFooter,
  makeFooter,
  type SectionEntry,
} from './manifest-footer.js'

/** The reserved head region. */
export const HEAD_BYTES = 4096

/** A snapshot of this size is read in one piece: its sections are few bytes each. */
const WHOLE_BYTES_MAX = 64 * 1024

/** Head region and footer size: what every snapshot has. */
const SNAPSHOT_BYTES_MIN = HEAD_BYTES + 4

/**
 * A snapshot ready to be written: first zeros for the head, the body, then the head over the zeros.
 */
export interface SnapshotImage {
  readonly head: Uint8Array
  /** Everything from offset 4096 on. */
  readonly body: Uint8Array
  readonly footer: ManifestFooter
}

/**
 * Lays out sections, in the order given. Too large a section is VARVE_UNSUPPORTED, before anything
 * is written.
 */
export function encodeSnapshotImage(
  sections: readonly { readonly name: string; readonly payload: Uint8Array }[],
  codec: ManifestCodec,
  hasMirror = true,
): SnapshotImage {
  const writer = new ByteWriter(4096)
  const entries = sections.map(({ name, payload }): SectionEntry => {
    const block = encodeManifestBlock(BlockType.Manifest, payload, codec)
    if (block.length > MANIFEST_SECTION_BYTES_MAX) {
      throw new VarveError(
        'VARVE_UNSUPPORTED',
        `the manifest section ${name} needs ${block.length} bytes, the format allows ` +
          `${MANIFEST_SECTION_BYTES_MAX}`,
        { details: { section: name, limit: MANIFEST_SECTION_BYTES_MAX } },
      )
    }
    const offset = HEAD_BYTES + writer.length
    const header = readBlockHeader(block, { file: name, offset }, codec.hasher)
    writer.bytes(block)
    return { name, offset, size: block.length, checksum: header.checksum }
  })
  const footer = makeFooter(entries, hasMirror)
  const block = encodeManifestBlock(BlockType.ManifestFooter, encodeFooter(footer), codec)
  assert(block.length <= MANIFEST_FOOTER_BYTES_MAX, 'ten sections fit the footer')
  const head = new Uint8Array(HEAD_BYTES)
  if (hasMirror) head.set(block)
  return { head, body: writer.bytes(block).u32(block.length).finish(), footer }
}

/** An open snapshot: its footer, and its sections on demand. The file stays the caller's. */
export class SnapshotReader {
  readonly footer: ManifestFooter
  readonly #file: ReadableFile
  readonly #size: number
  readonly #codec: ManifestCodec
  /** A small file's bytes, as far as they came. */
  readonly #whole: Uint8Array | undefined

  /** Loads and checks the footer (I1). */
  constructor(file: ReadableFile, codec: ManifestCodec) {
    this.#file = file
    this.#size = file.size()
    this.#codec = codec
    if (this.#size < HEAD_BYTES) {
      throw formatError(
        'VARVE_UNRECOVERABLE',
        { file: file.path, offset: 0 },
        `the manifest has ${this.#size} bytes, fewer than any`,
        { expected: HEAD_BYTES, found: this.#size },
      )
    }
    if (this.#size <= WHOLE_BYTES_MAX) {
      const bytes = new Uint8Array(this.#size)
      this.#whole = bytes.subarray(0, file.read(bytes, 0))
    }
    this.footer = this.#loadFooter()
  }

  get path(): string {
    return this.#file.path
  }

  has(name: string): boolean {
    return this.footer.sections.some((section) => section.name === name)
  }

  /** The payload of a section (I2, I3); VARVE_MANIFEST_INVALID where there is none. */
  section(name: string): Uint8Array {
    const entry = this.footer.sections.find((section) => section.name === name)
    const origin = { file: this.path, offset: entry?.offset ?? 0 }
    const invalid = (message: string) =>
      formatError('VARVE_MANIFEST_INVALID', origin, `manifest section ${name}: ${message}`, {
        reason: 'section-invalid',
        section: name,
      })
    if (entry === undefined) throw invalid('missing')
    if (entry.size > MANIFEST_SECTION_BYTES_MAX || entry.offset + entry.size > this.#size) {
      throw formatError(
        'VARVE_MANIFEST_INVALID',
        origin,
        `manifest footer: section ${name} of ${entry.size} bytes is outside the file or its limit`,
        { reason: 'footer-invalid', section: name },
      )
    }
    const bytes = this.#read(entry.offset, entry.size)
    const header = readBlockHeader(bytes, origin, this.#codec.hasher)
    if (manifestBlockBytes(header) !== entry.size)
      throw invalid('the block does not fill its place')
    const { payload } = decodeManifestBlock(bytes, origin, this.#codec, header)
    if (header.type !== BlockType.Manifest) {
      throw invalid(`a ${blockTypeName(header.type)} block instead of a section`)
    }
    if (!sameBytes(header.checksum, entry.checksum)) {
      throw invalid(
        `checksum ${describeDigest(header.checksum)}, ` +
          `the footer says ${describeDigest(entry.checksum)}`,
      )
    }
    return payload
  }

  #loadFooter(): ManifestFooter {
    let tailError: unknown
    try {
      return this.#loadTail()
    } catch (error) {
      tailError = error
    }
    try {
      return this.#loadHead()
    } catch (headError) {
      // What is not damage keeps its own name: a failing disk, a missing key, a number too large
      // for us.
      for (const error of [tailError, headError]) {
        for (const code of ['VARVE_IO', 'VARVE_DECRYPT', 'VARVE_UNSUPPORTED'] as const) {
          if (VarveError.is(error, code)) throw error
        }
      }
      const reasons = [tailError, headError].map((error) => (error as Error).message)
      throw formatError(
        'VARVE_MANIFEST_INVALID',
        { file: this.path, offset: 0 },
        `neither the manifest's footer nor its mirror is usable: ${reasons.join('; ')}`,
        { reason: 'footer-invalid' },
        tailError,
      )
    }
  }

  #loadTail(): ManifestFooter {
    const origin = { file: this.path, offset: this.#size - 4 }
    if (this.#size < SNAPSHOT_BYTES_MIN) throw footerError(origin, 'no room for a footer size')
    const hint = this.#read(origin.offset, 4)
    const size = new DataView(hint.buffer, hint.byteOffset).getUint32(0, true)
    if (size === 0 || size > MANIFEST_FOOTER_BYTES_MAX || size > this.#size - SNAPSHOT_BYTES_MIN) {
      throw footerError(origin, `impossible footer size ${size}`)
    }
    const offset = origin.offset - size
    return this.#decodeFooterBlock(this.#read(offset, size), offset, true)
  }

  #loadHead(): ManifestFooter {
    const head = this.#read(0, HEAD_BYTES)
    if (head.every((byte) => byte === 0)) {
      throw footerError({ file: this.path, offset: 0 }, 'there is no mirror')
    }
    return this.#decodeFooterBlock(head, 0, false)
  }

  /** A footer block at the start of `bytes`, filling them or followed by zeros. */
  #decodeFooterBlock(bytes: Uint8Array, offset: number, mustFill: boolean): ManifestFooter {
    const origin = { file: this.path, offset }
    const header = readBlockHeader(bytes, origin, this.#codec.hasher)
    const size = manifestBlockBytes(header)
    const isPadded = !mustFill && bytes.subarray(size).every((byte) => byte === 0)
    if (size > bytes.length || (size !== bytes.length && !isPadded)) {
      throw footerError(origin, 'the footer block does not fill its place')
    }
    const { payload } = decodeManifestBlock(bytes, origin, this.#codec, header)
    if (header.type !== BlockType.ManifestFooter) {
      throw footerError(origin, `a ${blockTypeName(header.type)} block instead of a footer`)
    }
    return decodeFooter(payload, origin)
  }

  #read(offset: number, length: number): Uint8Array {
    const bytes = this.#readUpTo(offset, length)
    if (bytes.length === length) return bytes
    throw formatError(
      'VARVE_IO',
      { file: this.path, offset },
      `the manifest ended early: ${length} bytes needed, ${bytes.length} found`,
      { reason: 'truncated' },
    )
  }

  #readUpTo(offset: number, length: number): Uint8Array {
    if (this.#whole !== undefined) return this.#whole.subarray(offset, offset + length)
    const bytes = new Uint8Array(length)
    return bytes.subarray(0, this.#file.read(bytes, offset))
  }
}

function footerError(origin: Origin, message: string): VarveError {
  return formatError('VARVE_MANIFEST_INVALID', origin, message, { reason: 'footer-invalid' })
}
