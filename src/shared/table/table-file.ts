/**
 * An open table file: its sections and properties, verified (format-table.md 20.1). Plain reading; what point reads
 * need in shared memory is made by `resident-table.ts`. Any thread.
 */
import { VarveError } from '../base/errors.js'
import type { KeyOrder } from '../base/key-order.js'
import {
  ARCHIVE_TRAILER_BYTES,
  decodeArchiveTrailer,
  decodeToc,
  type Section,
} from '../format/archive.js'
import type { Compression } from '../format/compression.js'
import { decodeRangeTombstones, type RangeTombstone } from '../format/range-tombstone.js'
import { type BlockSeqnos, decodeSeqnoBounds } from '../format/seqno-bounds.js'
import { decodeTableMeta, type TableMeta } from '../format/table-meta.js'
import { type BlockZone, decodeZoneMap } from '../format/zone-map.js'
import type { ReadableFile } from '../fs/file-system.js'
import {
  BLOCK_TYPE_META,
  BLOCK_TYPE_RANGE_TOMBSTONE,
  BLOCK_TYPE_SEQNO_BOUNDS,
  BLOCK_TYPE_ZONE_MAP,
  RESIDENT_COUNT,
  RESIDENT_SLOT_BYTES,
  RESIDENT_SLOTS,
} from '../kernel/layout.js'
import type { SharedMemory } from '../memory/shared-memory.js'
import type { Workspace } from '../memory/workspace.js'
import type { BlockLoader, BlockSource } from './block-loader.js'
import { requireDictionary } from './zstd.js'

/** Largest section that is read in one piece (format-table.md 3). */
const SECTION_BYTES_MAX = 0xffff_ffff

export interface TableFileOptions {
  readonly id: number
  readonly dictionary?: Extract<Compression, { kind: 'zstdDict' }> | undefined
}

/** The end of a table's file, where trailer, table of contents and properties nearly always lie: one read for all. */
const TAIL_BYTES = 4096

interface Tail {
  readonly file: ReadableFile
  /** The bytes there, where they were read; undefined where they were not, or not all of them. */
  has(offset: number, length: number): Uint8Array | undefined
  /** The bytes there, as many as the file has. */
  at(offset: number, length: number): Uint8Array
}

function readTail(file: ReadableFile, fileBytes: number): Tail {
  const readAt = (offset: number, length: number): Uint8Array => {
    const out = new Uint8Array(length)
    return out.subarray(0, file.read(out, offset))
  }
  const length = Math.min(fileBytes, TAIL_BYTES)
  const start = fileBytes - length
  const bytes = readAt(start, length)
  const has = (offset: number, length: number): Uint8Array | undefined => {
    if (offset < start || offset + length > start + bytes.length) return undefined
    return bytes.subarray(offset - start, offset - start + length)
  }
  return { file, has, at: (offset, length) => has(offset, length) ?? readAt(offset, length) }
}

/** The entries of a resident block whose keys are names: name to value, both copied. */
function readProperties(shared: SharedMemory, block: number): Map<string, Uint8Array> {
  const { bytes } = shared
  const count = shared.getU32(block + RESIDENT_COUNT)
  const found = new Map<string, Uint8Array>()
  for (let i = 0; i < count; i++) {
    let at = block + shared.getU32(block + RESIDENT_SLOTS + i * RESIDENT_SLOT_BYTES + 4) + 1
    const varint = (): number => {
      let value = 0
      let scale = 1
      for (;;) {
        const byte = bytes[at++] as number
        value += (byte & 127) * scale
        if (byte < 128) return value
        scale *= 128
      }
    }
    varint()
    const keyLength = varint()
    const valueLength = varint()
    const name = shared.buffer.latin1Slice(at, at + keyLength)
    found.set(name, bytes.slice(at + keyLength, at + keyLength + valueLength))
  }
  return found
}

export class TableFile implements BlockSource {
  readonly file: ReadableFile
  readonly sections: readonly Section[]
  readonly meta: TableMeta
  readonly fileBytes: number
  readonly dictionary: Extract<Compression, { kind: 'zstdDict' }> | undefined

  private constructor(
    file: ReadableFile,
    sections: readonly Section[],
    meta: TableMeta,
    fileBytes: number,
    dictionary: Extract<Compression, { kind: 'zstdDict' }> | undefined,
  ) {
    this.file = file
    this.sections = sections
    this.meta = meta
    this.fileBytes = fileBytes
    this.dictionary = dictionary
  }

  get dataCompression(): TableMeta['dataCompression'] {
    return this.meta.dataCompression
  }

  get indexCompression(): TableMeta['indexCompression'] {
    return this.meta.indexCompression
  }

  get hasKvFooter(): boolean {
    return this.meta.kvChecksum !== 0
  }

  /**
   * Opens a table.
   * @throws VARVE_ZSTD_DICT_MISMATCH; VARVE_INVALID_TRAILER, VARVE_CHECKSUM_MISMATCH, VARVE_INVALID_HEADER,
   *   VARVE_UNSUPPORTED and other codes of damage, each naming the file
   */
  static open(
    workspace: Workspace,
    loader: BlockLoader,
    file: ReadableFile,
    options: TableFileOptions,
  ): TableFile {
    const fileBytes = file.size()
    const tail = readTail(file, fileBytes)
    const end = tail.at(Math.max(0, fileBytes - ARCHIVE_TRAILER_BYTES), ARCHIVE_TRAILER_BYTES)
    const trailer = decodeArchiveTrailer(end, fileBytes, file.path)
    const toc = tail.at(trailer.tocOffset, trailer.tocLength)
    const sections = decodeToc(toc, trailer, file.path, workspace.hasher)
    const meta = TableFile.#readMeta(workspace, loader, tail, sections)
    if (meta.tableId !== options.id) {
      throw new VarveError(
        'VARVE_INVALID_HEADER',
        `${file.path} says it is table ${meta.tableId}, but the manifest names it ${options.id}`,
        { details: { file: file.path, expected: options.id, found: meta.tableId } },
      )
    }
    if (meta.isColumnar) {
      throw new VarveError(
        'VARVE_UNSUPPORTED',
        `${file.path} holds columnar blocks, which varve does not read`,
        { details: { file: file.path, feature: 'columnar' } },
      )
    }
    const table = new TableFile(file, sections, meta, fileBytes, options.dictionary)
    table.#checkShape(workspace.order)
    // Now, not when the first block is read: a tree opens whole or not at all.
    requireDictionary(file.path, meta.dataCompression, options.dictionary)
    return table
  }

  static #readMeta(
    workspace: Workspace,
    loader: BlockLoader,
    tail: Tail,
    sections: readonly Section[],
  ): TableMeta {
    const { file } = tail
    const none = { kind: 'none' } as const
    const source: BlockSource = {
      file,
      dataCompression: none,
      indexCompression: none,
      hasKvFooter: false,
      dictionary: undefined,
    }
    const read = (name: string): TableMeta => {
      const section = requireSection(sections, name, file.path)
      const block = loader.loadEntries(
        source,
        section.offset,
        section.length,
        BLOCK_TYPE_META,
        'meta',
        tail.has(section.offset, section.length),
      )
      return decodeTableMeta(readProperties(workspace.shared, block.address), file.path)
    }
    try {
      return read('meta')
    } catch (error) {
      // The copy in the middle of the file stands in for a damaged last one; a sound one that says no is final.
      if (!VarveError.is(error) || error.kind !== 'corruption') throw error
      if (!sections.some((section) => section.name === 'meta_mid')) throw error
      try {
        return read('meta_mid')
      } catch {
        // Both are damaged: the authoritative one is reported.
        throw error
      }
    }
  }

  section(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name)
  }

  requireSection(name: string): Section {
    return requireSection(this.sections, name, this.file.path)
  }

  /** True where the index has two levels. */
  get isTwoLevel(): boolean {
    return this.section('index') !== undefined
  }

  /** The table's range tombstones, with their own absolute seqnos. */
  readRangeTombstones(workspace: Workspace, loader: BlockLoader): RangeTombstone[] {
    const section = this.section('range_tombstones')
    if (section === undefined) return []
    const type = BLOCK_TYPE_RANGE_TOMBSTONE
    const block = loader.loadPayload(this, section.offset, section.length, type, 'range tombstones')
    const payload = workspace.shared.copy(block.address, block.length)
    return decodeRangeTombstones(payload, this.file.path, section.offset, workspace.order.compare)
  }

  /** The seqnos of the data blocks, by their offsets, as stored; undefined where the table does not tell. */
  readSeqnoBounds(
    workspace: Workspace,
    loader: BlockLoader,
  ): ReadonlyMap<number, BlockSeqnos> | undefined {
    const section = this.section('seqno_bounds')
    if (section === undefined) return undefined
    const { offset, length } = section
    const type = BLOCK_TYPE_SEQNO_BOUNDS
    const block = loader.loadPayload(this, offset, length, type, 'seqno bounds')
    const payload = workspace.shared.copy(block.address, block.length)
    const { dataBytes } = this.meta
    return decodeSeqnoBounds(payload, { file: this.file.path, offset, dataBytes })
  }

  /** The keys and sizes of the data blocks, in order; undefined where the table does not tell. @throws codes of damage */
  readZoneMap(workspace: Workspace, loader: BlockLoader): readonly BlockZone[] | undefined {
    const section = this.section('zone_map')
    if (section === undefined) return undefined
    const { offset, length } = section
    const block = loader.loadPayload(this, offset, length, BLOCK_TYPE_ZONE_MAP, 'zone map')
    const payload = workspace.shared.copy(block.address, block.length)
    const { dataBytes, itemCount } = this.meta
    const { compare } = workspace.order
    return decodeZoneMap(payload, { file: this.file.path, offset, dataBytes, itemCount, compare })
  }

  #checkShape({ compare }: KeyOrder): void {
    const { meta, file } = this
    const data = this.section('data')
    const fail = (what: string): VarveError =>
      new VarveError('VARVE_INVALID_HEADER', `${file.path}: ${what}`, {
        details: { file: file.path },
      })
    if (data !== undefined && (data.offset !== 0 || data.length !== meta.dataBytes)) {
      throw fail(
        `the data section has ${data.length} bytes at ${data.offset}, not ${meta.dataBytes} at 0`,
      )
    }
    if (meta.dataBytes > this.fileBytes)
      throw fail(`${meta.dataBytes} bytes of data do not fit the file`)
    if (meta.itemCount === 0 || meta.dataBlockCount === 0) throw fail('a table without entries')
    if (meta.keyMin.length === 0 || compare(meta.keyMin, meta.keyMax) > 0)
      throw fail('an empty key range')
    this.requireSection('tli')
  }
}

function requireSection(sections: readonly Section[], name: string, file: string): Section {
  const section = sections.find((one) => one.name === name)
  if (section === undefined || section.length > SECTION_BYTES_MAX) {
    throw new VarveError('VARVE_UNRECOVERABLE', `${file} has no usable section ${name}`, {
      details: { file, section: name },
    })
  }
  return section
}
