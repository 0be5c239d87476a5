/**
 * The data blocks of one run for a merge that reads it front to back, past the cache: a window over the table at hand,
 * read in few large pieces, from which the cursor's kernel takes one block after the other by itself
 * (`kernel/assembly/block-window.ts`). The thread of the merge.
 *
 * I1: every block is verified, whoever takes it from the window.
 */
import { CODEC_LZ4, CODEC_NONE } from '../kernel/layout.js'
import {
  BLOCK_WINDOW_BYTES,
  BLOCK_WINDOW_BYTES_AT,
  BLOCK_WINDOW_CODEC,
  BLOCK_WINDOW_HAS_FOOTER,
  BLOCK_WINDOW_LENGTH,
  BLOCK_WINDOW_OFFSET,
  BLOCK_WINDOW_PLAIN,
  BLOCK_WINDOW_PLAIN_CAPACITY,
  BLOCK_WINDOW_SCRATCH,
  BLOCK_WINDOW_TABLE,
  BLOCK_WINDOW_TAKEN,
  BLOCK_WINDOW_TARGET,
  BLOCK_WINDOW_TARGET_CAPACITY,
} from '../kernel/layout-cursor.js'
import type { Workspace } from '../memory/workspace.js'
import { BlockLoader, type LoadedBlock } from '../table/block-loader.js'
import type { TableFile } from '../table/table-file.js'

/** Bytes read at once: enough to hide the call, and those of a few runs fit a second-level cache. */
const WINDOW_BYTES = 128 * 1024

const NO_TABLE = -1

export class BlockWindow {
  /** Address of the BLOCK_WINDOW. */
  readonly address: number
  readonly #workspace: Workspace
  /** Its own: what it has loaded stays until the next block. */
  readonly #loader: BlockLoader
  /** Address of the bytes read, once there are some. */
  #bytes = 0
  #table = NO_TABLE
  #offset = 0
  #length = 0
  #loadedBytes = 0

  constructor(workspace: Workspace) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.#loader = new BlockLoader(workspace)
    this.address = heap.allocate(BLOCK_WINDOW_BYTES)
    shared.bytes.fill(0, this.address, this.address + BLOCK_WINDOW_BYTES)
    shared.setI32(this.address + BLOCK_WINDOW_TABLE, NO_TABLE)
    shared.setU32(this.address + BLOCK_WINDOW_SCRATCH, workspace.blockScratch)
  }

  /** Bytes of the blocks that were taken or loaded. */
  get takenBytes(): number {
    return this.#workspace.shared.getF64(this.address + BLOCK_WINDOW_TAKEN) + this.#loadedBytes
  }

  /**
   * Reads on from a data block of the run's table `number`. False where the block is too large, the file too short, or the
   * block in the window already: then it is not the kernel's to take, or there is something about it.
   */
  moveTo(number: number, table: TableFile, offset: number, size: number): boolean {
    if (size > WINDOW_BYTES || this.#holds(number, offset, size)) return false
    const { shared } = this.#workspace
    const { kind } = table.dataCompression
    const isForKernel = kind === 'none' || kind === 'lz4'
    if (this.#bytes === 0) this.#bytes = this.#workspace.heap.allocate(WINDOW_BYTES)
    const wanted = Math.min(WINDOW_BYTES, Math.max(size, table.meta.dataBytes - offset))
    this.#table = number
    this.#offset = offset
    this.#length = table.file.read(shared.view(this.#bytes, wanted), offset)
    shared.setI32(this.address + BLOCK_WINDOW_TABLE, isForKernel ? number : NO_TABLE)
    shared.setU32(this.address + BLOCK_WINDOW_CODEC, kind === 'lz4' ? CODEC_LZ4 : CODEC_NONE)
    shared.setU32(this.address + BLOCK_WINDOW_HAS_FOOTER, table.hasKvFooter ? 1 : 0)
    shared.setU64(this.address + BLOCK_WINDOW_OFFSET, offset)
    shared.setU32(this.address + BLOCK_WINDOW_BYTES_AT, this.#bytes)
    shared.setU32(this.address + BLOCK_WINDOW_LENGTH, this.#length)
    this.#placeBuffers()
    return isForKernel && size <= this.#length
  }

  /** Loads a block that the kernel does not take, or did not: it stays until the next one. @throws codes of damage */
  load(number: number, table: TableFile, offset: number, size: number): LoadedBlock {
    const bytes = this.#holds(number, offset, size)
      ? this.#workspace.shared.view(this.#bytes + (offset - this.#offset), size)
      : undefined
    const block = this.#loader.loadData(table, offset, size, bytes)
    this.#loadedBytes += size
    // Buffers may have grown for it.
    this.#placeBuffers()
    return block
  }

  dispose(): void {
    const { heap } = this.#workspace
    this.#loader.dispose()
    if (this.#bytes !== 0) heap.free(this.#bytes)
    heap.free(this.address)
  }

  #holds(number: number, offset: number, size: number): boolean {
    if (number !== this.#table || offset < this.#offset) return false
    return offset + size <= this.#offset + this.#length
  }

  #placeBuffers(): void {
    const { shared } = this.#workspace
    const { plain, resident } = this.#loader
    shared.setU32(this.address + BLOCK_WINDOW_PLAIN, plain.address)
    shared.setU32(this.address + BLOCK_WINDOW_PLAIN_CAPACITY, plain.capacity)
    shared.setU32(this.address + BLOCK_WINDOW_TARGET, resident.address)
    shared.setU32(this.address + BLOCK_WINDOW_TARGET_CAPACITY, resident.capacity)
  }
}
