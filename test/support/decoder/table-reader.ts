/** What every part of the table decoder stands on: the archive, the meta block, and access to sections. */

import { type Archive, decodeArchive, type Section } from './archive.js'
import {
  type Block,
  type BlockOptions,
  type BlockType,
  decodeBlock,
  decodeBlockChain,
} from './block.js'
import {
  type Comparator,
  check,
  checkEqual,
  compareBytes,
  equalBytes,
  fail,
  isZero,
} from './bytes.js'
import { type CodecOptions, type Compression, dictionaryId } from './compression.js'
import { ECC_META } from './ecc.js'
import { checkFixedMeta, decodeMeta, type TableMeta } from './meta.js'

export interface TableOptions extends CodecOptions {
  /** What errors call the table. */
  readonly where?: string | undefined
  readonly compare?: Comparator | undefined
  readonly decrypt?: BlockOptions['decrypt']
  /** The id the meta block has to name. */
  readonly tableId?: number | undefined
  /** Only keys from here on are valid; data blocks that end below may have been hole-punched. */
  readonly restriction?: Uint8Array | undefined
}

/** Every section this decoder knows, in file order; sections of other names are tolerated between them. */
export const SECTION_ORDER = [
  'data',
  'index',
  'tli',
  'filter',
  'filter_tli',
  'block_layout',
  'seqno_bounds',
  'zone_map',
  'delete_bitmap',
  'locator',
  'range_tombstones',
  'meta_mid',
  'linked_blob_files',
  'table_version',
  'meta_separator',
  'tli_tail',
  'meta',
] as const

export type SectionName = (typeof SECTION_ORDER)[number]

const MANDATORY: readonly SectionName[] = [
  'data',
  'tli',
  'meta_mid',
  'table_version',
  'meta_separator',
  'tli_tail',
  'meta',
]

export const META_SEPARATOR_SIZE = 4096

export class TableReader {
  readonly bytes: Uint8Array
  readonly where: string
  readonly options: TableOptions
  readonly compare: Comparator
  readonly archive: Archive
  readonly meta: TableMeta
  readonly extraMeta: ReadonlyMap<string, Uint8Array>

  constructor(bytes: Uint8Array, options: TableOptions) {
    this.bytes = bytes
    this.options = options
    this.where = options.where ?? 'table'
    this.compare = options.compare ?? compareBytes
    this.archive = decodeArchive(bytes, this.where)
    this.#checkSections()
    const { meta, extra } = this.#readMeta()
    this.meta = meta
    this.extraMeta = extra
  }

  section(name: SectionName): Section | undefined {
    return this.archive.sections.find((section) => section.name === name)
  }

  raw(section: Section): Uint8Array {
    return this.bytes.subarray(section.offset, section.offset + section.length)
  }

  /** How to open blocks of the table other than meta blocks. */
  blockOptions(compression?: Compression): BlockOptions {
    const { zstd, dictionary, decrypt } = this.options
    return { zstd, dictionary, decrypt, compression, ecc: this.meta.ecc }
  }

  /** The one block of a section, or undefined where the section is absent. */
  block(name: SectionName, type: BlockType, compression?: Compression): Block | undefined {
    const section = this.section(name)
    if (section === undefined) return undefined
    const at = { offset: section.offset, size: section.length }
    const where = `${this.where} ${name}`
    return decodeBlock(this.bytes, at, type, this.blockOptions(compression), where)
  }

  /**
   * The blocks of the sections this decoder does not know; they have to be chains of sound blocks, compressed as index
   * blocks are where the name says that it is an index.
   */
  unknownSections(): { readonly name: string; readonly blocks: readonly Block[] }[] {
    const known: readonly string[] = SECTION_ORDER
    const unknown = this.archive.sections.filter(({ name }) => !known.includes(name))
    return unknown.map(({ name, offset, length }) => {
      const where = `${this.where} ${name}`
      const isIndex = name.endsWith('_tli')
      const options = this.blockOptions(isIndex ? this.meta.indexCompression : undefined)
      const end = offset + length
      return { name, blocks: decodeBlockChain(this.bytes, offset, end, undefined, options, where) }
    })
  }

  #checkSections(): void {
    const order: readonly string[] = SECTION_ORDER
    let previous = -1
    for (const { name } of this.archive.sections) {
      const position = order.indexOf(name)
      if (position < 0) continue
      check(position > previous, this.where, `section ${name} is out of order`)
      previous = position
    }
    for (const name of MANDATORY) {
      check(this.section(name) !== undefined, this.where, `section ${name} is missing`)
    }
    checkEqual(this.section('data')!.offset, 0, this.where, 'offset of section data')
    checkEqual(this.archive.sections.at(-1)!.name, 'meta', this.where, 'last section')
    const version = this.raw(this.section('table_version')!)
    check(equalBytes(version, Uint8Array.of(3)), this.where, 'table_version is not one byte 03')
    const separator = this.raw(this.section('meta_separator')!)
    checkEqual(separator.length, META_SEPARATOR_SIZE, this.where, 'length of meta_separator')
    check(isZero(separator), this.where, 'meta_separator is not zero')
  }

  #readMeta() {
    const { decrypt, dictionary, tableId } = this.options
    const read = (name: 'meta' | 'meta_mid'): Block => {
      const { offset, length } = this.section(name)!
      const at = { offset, size: length }
      return decodeBlock(this.bytes, at, 'meta', { decrypt }, `${this.where} ${name}`)
    }
    const block = read('meta')
    const copy = read('meta_mid')
    check(equalBytes(block.plaintext, copy.plaintext), this.where, 'meta_mid differs from meta')
    if (decrypt === undefined) {
      const [meta, mid] = [this.section('meta')!, this.section('meta_mid')!]
      check(equalBytes(this.raw(meta), this.raw(mid)), this.where, 'meta_mid differs from meta')
    }
    const decoded = decodeMeta(block.plaintext, `${this.where} meta`)
    const { meta } = decoded
    checkFixedMeta(meta, `${this.where} meta`)
    if (tableId !== undefined) checkEqual(meta.tableId, tableId, this.where, 'table_id')
    const { dataCompression: data } = meta
    if (data.codec === 'zstd' && data.dictionaryId !== undefined) {
      if (dictionary === undefined) fail(this.where, 'needs a zstd dictionary and none was given')
      const id = dictionaryId(dictionary)
      checkEqual(id, data.dictionaryId, this.where, 'id of the dictionary given')
    }
    const parity = block.flags! & 2 ? ECC_META.kind : 'off'
    if (meta.ecc.kind === 'off') checkEqual(parity, 'off', this.where, 'parity of the meta block')
    return decoded
  }
}
