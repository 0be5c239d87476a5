/**
 * Blocks for one scan that must not wait for the disk: what memory holds at once, anything else later, read ahead off the
 * main thread. Main thread.
 *
 * Data blocks of a table come in windows of its file, each twice the one before; from the second on, the one behind is
 * being read while the scan uses the one at hand.
 *
 *              │ window at hand │ next, being read │
 *     ─────────┴───── the data section ────────────┴──→
 *
 * I1: bytes lie in memory of their own, so a read that is still under way when the scan ends harms nobody.
 */
import type { BlockGiver, GivenBlock } from '../../shared/iterator/run-cursor.js'
import { WANTED_DATA } from '../../shared/kernel/layout.js'
import type { ThreadEpoch } from '../../shared/memory/epochs.js'
import { readRangeLater, type WantedBlock } from '../../shared/table/block-fetch.js'
import type { BlockProvider } from '../../shared/table/block-provider.js'
import type { ViewTable } from '../../shared/table/view-table.js'

/** The largest window: what a disk reads in little more time than a block. Two of them for each run. */
const WINDOW_BYTES_MAX = 256 * 1024

/** Bytes of a file from `start` on. */
interface Piece {
  readonly start: number
  readonly bytes: Uint8Array
}

/** How far one table is read. */
interface Window {
  piece: Piece
  /** The piece behind it in the direction of the scan; undefined where nothing is being read. */
  next: { readonly start: number; readonly end: number; readonly piece: Promise<Piece> } | undefined
  /** Bytes of the last read; 0 before the first. */
  span: number
}

const NO_PIECE: Piece = { start: 0, bytes: new Uint8Array(0) }

const endOf = ({ start, bytes }: Piece): number => start + bytes.length

/** A block's bytes in a piece; undefined where not all of them are in it. */
function cut(piece: Piece, offset: number, size: number): Uint8Array | undefined {
  const at = offset - piece.start
  if (at < 0 || at + size > piece.bytes.length) return undefined
  return piece.bytes.subarray(at, at + size)
}

/** Two pieces that touch, as one. */
function join(a: Piece, b: Piece): Piece {
  const [low, high] = a.start < b.start ? [a, b] : [b, a]
  return { start: low.start, bytes: Buffer.concat([low.bytes, high.bytes]) }
}

async function readPiece(table: ViewTable, start: number, end: number): Promise<Piece> {
  return { start, bytes: await readRangeLater(table.table.file, start, end - start) }
}

export class LaterBlocks implements BlockGiver {
  readonly #provider: BlockProvider
  readonly #isReverse: boolean
  /** One for each table that is being read, by its owner number. */
  readonly #windows = new Map<number, Window>()
  #wanted: WantedBlock | undefined
  /** A block that was read by itself. */
  #single: { readonly block: WantedBlock; readonly bytes: Uint8Array } | undefined

  constructor(provider: BlockProvider, isReverse: boolean) {
    this.#provider = provider
    this.#isReverse = isReverse
  }

  get cacheAddress(): number {
    return this.#provider.cacheAddress
  }

  get countersAddress(): number {
    return this.#provider.countersAddress
  }

  get epoch(): ThreadEpoch | undefined {
    return this.#provider.epoch
  }

  /** A block that is in memory; what is not is noted for {@link load}. */
  get(table: ViewTable, kind: number, offset: number, size: number): GivenBlock | undefined {
    const found = this.#provider.find(table, kind, offset)
    if (found !== undefined) return found
    const bytes = this.#bytesOf(table, kind, offset, size)
    if (bytes !== undefined) return this.#provider.put(table, kind, offset, size, bytes)
    this.#wanted = { table, kind, offset, size }
    return undefined
  }

  /** Reads what {@link get} missed last. REQUIRES: the tables stay. @throws VARVE_IO */
  async load(): Promise<void> {
    const block = this.#wanted
    if (block === undefined) return
    this.#wanted = undefined
    if (block.kind === WANTED_DATA) {
      await this.#loadWindow(block)
      return
    }
    const { table, offset, size } = block
    this.#single = { block, bytes: await readRangeLater(table.table.file, offset, size) }
  }

  #bytesOf(table: ViewTable, kind: number, offset: number, size: number): Uint8Array | undefined {
    const single = this.#single
    if (single?.block.table === table && single.block.offset === offset) {
      this.#single = undefined
      return single.bytes
    }
    if (kind !== WANTED_DATA) return undefined
    const window = this.#windows.get(table.owner)
    return window === undefined ? undefined : cut(window.piece, offset, size)
  }

  async #loadWindow(block: WantedBlock): Promise<void> {
    const { table, offset, size } = block
    const window = this.#windowOf(table)
    const isFirst = window.span === 0
    window.span = Math.max(size, isFirst ? 2 * size : Math.min(WINDOW_BYTES_MAX, 2 * window.span))
    let piece = await this.#nextPiece(window, offset, size)
    if (piece === undefined || cut(piece, offset, size) === undefined) {
      const [start, end] = this.#span(table, this.#isReverse ? offset + size : offset, window.span)
      piece = await readPiece(table, start, end)
    }
    window.piece = piece
    window.next = undefined
    const isWhole = cut(piece, offset, size) !== undefined
    // The file is shorter than it should be: the loader says so.
    if (!isWhole) this.#single = { block, bytes: NO_PIECE.bytes }
    else if (!isFirst) this.#readAhead(window, table)
  }

  /** The piece that is being read, where the block begins or ends in it, with what of it lies in the one at hand. */
  async #nextPiece(window: Window, offset: number, size: number): Promise<Piece | undefined> {
    const { piece, next } = window
    if (next === undefined || offset + size <= next.start || offset >= next.end) return undefined
    const read = await next.piece
    const touches = endOf(read) === piece.start || endOf(piece) === read.start
    return cut(read, offset, size) === undefined && touches ? join(piece, read) : read
  }

  #readAhead(window: Window, table: ViewTable): void {
    const { piece } = window
    const from = this.#isReverse ? piece.start : endOf(piece)
    const [start, end] = this.#span(table, from, window.span)
    if (start >= end) return
    const read = readPiece(table, start, end)
    // Whoever waits for it hears of its failure; perhaps nobody does.
    read.catch(() => undefined)
    window.next = { start, end, piece: read }
  }

  /** `bytes` of the data section from a place on, in the direction of the scan. */
  #span(table: ViewTable, from: number, bytes: number): [start: number, end: number] {
    if (this.#isReverse) return [Math.max(0, from - bytes), from]
    return [from, Math.min(from + bytes, table.table.meta.dataBytes)]
  }

  #windowOf(table: ViewTable): Window {
    let window = this.#windows.get(table.owner)
    if (window === undefined) {
      window = { piece: NO_PIECE, next: undefined, span: 0 }
      this.#windows.set(table.owner, window)
    }
    return window
  }
}
