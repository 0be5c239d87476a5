/**
 * Reads blocks from table files into the shared memory, verified and decoded: the only way from disk to a resident
 * block. Every thread that reads has one; its buffers serve one block after the other.
 *
 * I1: a block's checksums are verified before anything of it is decoded, on every read.
 * I2: what a load returns stays valid until the next load by the same loader.
 */
import { assert, type VarveError } from '../base/errors.js'
import { BLOCK_BYTES_MAX } from '../base/limits.js'
import type { Compression, CompressionDescriptor } from '../format/compression.js'
import type { ReadableFile } from '../fs/file-system.js'
import {
  BLOCK_ERROR_DECOMPRESS,
  BLOCK_ERROR_SHORT,
  BLOCK_ERROR_SIZE,
  BLOCK_INFO_PAYLOAD,
  BLOCK_INFO_PAYLOAD_LENGTH,
  BLOCK_INFO_PLAIN_LENGTH,
  BLOCK_NO_SPACE,
  BLOCK_SCRATCH_INFO,
  BLOCK_TYPE_DATA,
  BLOCK_TYPE_INDEX,
  CODEC_LZ4,
  CODEC_NONE,
  INDEX_HEADS,
  INDEX_RECORD_BYTES,
  RESTART_TRAILER_BYTES,
} from '../kernel/layout.js'
import { RAW_BODY, RAW_LENGTH } from '../kernel/layout-raw.js'
import { GrowingBuffer, type Workspace } from '../memory/workspace.js'
import { type BlockPlace, blockError } from './block-errors.js'
import { requireDictionary, Zstd } from './zstd.js'

/** First size of each buffer: a few default blocks. */
const BUFFER_BYTES = 16 * 1024

/** Most bytes that a block takes beside its payload: header and encryption envelope; parity comes on top. */
const FRAME_OVERHEAD_BYTES = 34 + 71

/** Parity at most doubles a block, but for tiny ones; more than this is no block. */
const FRAME_BYTES_MAX = 2 * BLOCK_BYTES_MAX + FRAME_OVERHEAD_BYTES

/** Marker, offset, size, seqno, key length and a byte of key. */
const INDEX_ENTRY_BYTES_MIN = 6
const INDEX_HEAD_BYTES = 8

/** What a loader must know of a table to read its blocks. */
export interface BlockSource {
  readonly file: ReadableFile
  readonly dataCompression: CompressionDescriptor
  readonly indexCompression: CompressionDescriptor
  /** True where data blocks end in per-entry digests. */
  readonly hasKvFooter: boolean
  /** The dictionary that was given for this tree, where one was. */
  readonly dictionary: Extract<Compression, { kind: 'zstdDict' }> | undefined
}

/** Bytes in the shared memory. */
export interface LoadedBlock {
  readonly address: number
  readonly length: number
}

/** A buffer, until it grows. */
export type BufferPlace = Pick<GrowingBuffer, 'address' | 'capacity'>

export class BlockLoader {
  readonly #workspace: Workspace
  readonly #frame: GrowingBuffer
  readonly #plain: GrowingBuffer
  readonly #resident: GrowingBuffer
  #zstd: Zstd | undefined

  constructor(workspace: Workspace) {
    this.#workspace = workspace
    this.#frame = new GrowingBuffer(workspace.heap, BUFFER_BYTES)
    this.#plain = new GrowingBuffer(workspace.heap, BUFFER_BYTES)
    this.#resident = new GrowingBuffer(workspace.heap, BUFFER_BYTES)
  }

  /** Where it decompresses blocks: for kernels that load some themselves. */
  get plain(): BufferPlace {
    return this.#plain
  }

  /** Where it makes them resident. */
  get resident(): BufferPlace {
    return this.#resident
  }

  /** Loads a data block: a resident block. From `bytes`, where they were read already. */
  loadData(source: BlockSource, offset: number, size: number, bytes?: Uint8Array): LoadedBlock {
    const place = this.#place(source, offset, size, 'data')
    this.#read(source, offset, size, place.kind, bytes)
    const compression = source.dataCompression
    if (compression.kind === 'none' || compression.kind === 'lz4') {
      return this.#loadDataByKernel(
        source,
        place,
        compression.kind === 'lz4' ? CODEC_LZ4 : CODEC_NONE,
      )
    }
    const plain = this.#plaintext(source, place, BLOCK_TYPE_DATA, compression)
    return this.#convert(place, (target, capacity) =>
      this.#workspace.shared.kernel.data_body_convert(
        plain.address,
        plain.length,
        source.hasKvFooter ? 1 : 0,
        target,
        capacity,
      ),
    )
  }

  /**
   * Loads a data block as a raw block; undefined where its compression is none that kernels undo, or its keys are in an
   * order of their own: such ones are loaded by {@link loadData}. From `bytes`, where they were read already.
   */
  loadRaw(
    source: BlockSource,
    offset: number,
    size: number,
    bytes?: Uint8Array,
  ): LoadedBlock | undefined {
    const { kind } = source.dataCompression
    const { shared, blockScratch, order } = this.#workspace
    if ((kind !== 'none' && kind !== 'lz4') || !order.isBytes) return undefined
    this.#read(source, offset, size, 'data', bytes)
    const info = blockScratch + BLOCK_SCRATCH_INFO
    for (;;) {
      const address = shared.kernel.data_block_open(
        this.#frame.address,
        size,
        kind === 'lz4' ? CODEC_LZ4 : CODEC_NONE,
        source.hasKvFooter ? 1 : 0,
        this.#plain.address,
        this.#plain.capacity,
        blockScratch,
      )
      const length = shared.getU32(info + BLOCK_INFO_PLAIN_LENGTH)
      if (address >= 0) return { address, length }
      if (address !== BLOCK_NO_SPACE) {
        throw this.#error(address, this.#place(source, offset, size, 'data'))
      }
      this.#plain.reserve(length + RAW_BODY)
    }
  }

  /** Makes a resident block of the raw block at `raw`, on an 8-byte boundary, which came from this place. */
  convertRaw(source: BlockSource, offset: number, raw: number): LoadedBlock {
    const { shared } = this.#workspace
    const length = shared.getU32(raw + RAW_LENGTH)
    const place = this.#place(source, offset, length, 'data')
    return this.#convert(
      place,
      (target, capacity) =>
        shared.kernel.resident_block_convert(raw + RAW_BODY, length, target, capacity),
      length,
    )
  }

  /** Loads an index block: a resident index whose handles all lie in [handleMin, handleMax). */
  loadIndex(
    source: BlockSource,
    offset: number,
    size: number,
    handleMin: number,
    handleMax: number,
    bytes?: Uint8Array,
  ): LoadedBlock {
    const place = this.#place(source, offset, size, 'index')
    this.#read(source, offset, size, place.kind, bytes)
    const plain = this.#plaintext(source, place, BLOCK_TYPE_INDEX, source.indexCompression)
    this.#reserveIndex(plain)
    return this.#convert(place, (target, capacity) =>
      this.#workspace.shared.kernel.resident_index_convert(
        plain.address,
        plain.length,
        target,
        capacity,
        this.#workspace.blockScratch,
        handleMin,
        handleMax,
      ),
    )
  }

  /** Loads the payload of a block that is never compressed: filter, range tombstones, meta. */
  loadPayload(
    source: BlockSource,
    offset: number,
    size: number,
    type: number,
    kind: string,
    bytes?: Uint8Array,
  ): LoadedBlock {
    const place = this.#place(source, offset, size, kind)
    this.#read(source, offset, size, place.kind, bytes)
    return this.#plaintext(source, place, type, { kind: 'none' })
  }

  /** Loads a block of restart entries that is never compressed, as the meta block is: a resident block. */
  loadEntries(
    source: BlockSource,
    offset: number,
    size: number,
    type: number,
    kind: string,
    bytes?: Uint8Array,
  ): LoadedBlock {
    const place = this.#place(source, offset, size, kind)
    const plain = this.loadPayload(source, offset, size, type, kind, bytes)
    return this.#convert(place, (target, capacity) =>
      this.#workspace.shared.kernel.resident_block_convert(
        plain.address,
        plain.length,
        target,
        capacity,
      ),
    )
  }

  /**
   * Gives the index that was loaded last away, as a piece of the workspace's heap: a large one is not copied once more.
   * REQUIRES: nothing was loaded since.
   */
  takeIndex({ address, length }: LoadedBlock): number {
    assert(address === this.#resident.address, 'the index lies where it was made')
    const piece = this.#resident.release(length)
    this.#resident.reserve(BUFFER_BYTES)
    return piece
  }

  dispose(): void {
    this.#frame.dispose()
    this.#plain.dispose()
    this.#resident.dispose()
  }

  #place(source: BlockSource, offset: number, size: number, kind: string): BlockPlace {
    const place = { file: source.file.path, offset, size, kind }
    if (size > FRAME_BYTES_MAX) throw blockError(BLOCK_ERROR_SIZE, place)
    return place
  }

  /** Puts a block's bytes into the frame buffer: those that were read, or from the file. */
  #read(
    source: BlockSource,
    offset: number,
    size: number,
    kind: string,
    bytes: Uint8Array | undefined,
  ): void {
    if (size > FRAME_BYTES_MAX)
      throw blockError(BLOCK_ERROR_SIZE, this.#place(source, offset, size, kind))
    this.#frame.reserve(size)
    const { bytes: memory } = this.#workspace.shared
    const { file } = source
    const { address } = this.#frame
    let count: number
    if (bytes !== undefined) count = bytes.length
    else if (file.readInto !== undefined) count = file.readInto(memory, address, size, offset)
    else count = file.read(memory.subarray(address, address + size), offset)
    if (count < size) throw blockError(BLOCK_ERROR_SHORT, this.#place(source, offset, size, kind))
    if (bytes !== undefined) memory.set(bytes, address)
  }

  #loadDataByKernel(source: BlockSource, place: BlockPlace, codec: number): LoadedBlock {
    const { kernel } = this.#workspace.shared
    return this.#convert(place, (target, capacity) =>
      kernel.data_block_load(
        this.#frame.address,
        place.size,
        codec,
        source.hasKvFooter ? 1 : 0,
        this.#plain.address,
        this.#plain.capacity,
        target,
        capacity,
        this.#workspace.blockScratch,
      ),
    )
  }

  /**
   * Makes room for a resident index whose keys share no bytes in the block, as nearly all are: a large one that does not
   * fit would be converted in vain. What the block says of its count is taken only as far as its bytes can hold entries.
   */
  #reserveIndex({ address, length }: LoadedBlock): void {
    if (length < RESTART_TRAILER_BYTES) return
    const said = this.#workspace.shared.buffer.readUInt32LE(address + length - 4)
    const count = Math.min(said, Math.floor(length / INDEX_ENTRY_BYTES_MIN))
    const likely = INDEX_HEADS + count * (INDEX_HEAD_BYTES + INDEX_RECORD_BYTES) + length
    if (likely > this.#resident.capacity && likely <= FRAME_BYTES_MAX)
      this.#resident.reserve(likely)
  }

  /** Runs a conversion into the resident buffer, with more room as long as it asks for it. */
  #convert(
    place: BlockPlace,
    convert: (target: number, capacity: number) => number,
    plainLength?: number,
  ): LoadedBlock {
    for (;;) {
      const length = convert(this.#resident.address, this.#resident.capacity)
      if (length >= 0) return { address: this.#resident.address, length }
      if (length !== BLOCK_NO_SPACE) throw this.#error(length, place)
      this.#growBuffers(place, plainLength)
    }
  }

  /** `given` is the plain length of a block that did not come through the buffers. */
  #growBuffers(place: BlockPlace, given: number | undefined): void {
    const info = this.#workspace.blockScratch + BLOCK_SCRATCH_INFO
    const plainLength = given ?? this.#workspace.shared.getU32(info + BLOCK_INFO_PLAIN_LENGTH)
    if (given === undefined && plainLength > this.#plain.capacity) {
      this.#plain.reserve(plainLength)
      return
    }
    // Keys come out whole, so a block grows a little; one of nothing but long shared prefixes grows a lot.
    const likely = plainLength + (plainLength >>> 2) + BUFFER_BYTES
    const next = likely > this.#resident.capacity ? likely : this.#resident.capacity * 2
    if (next > FRAME_BYTES_MAX * 2) throw blockError(BLOCK_ERROR_SIZE, place)
    this.#resident.reserve(next)
  }

  /** Verifies the frame and undoes compression. */
  #plaintext(
    source: BlockSource,
    place: BlockPlace,
    type: number,
    compression: CompressionDescriptor,
  ): LoadedBlock {
    const { shared, blockScratch } = this.#workspace
    const { kernel } = shared
    const info = blockScratch + BLOCK_SCRATCH_INFO
    const verified = kernel.block_verify(this.#frame.address, place.size, type, info, blockScratch)
    if (verified < 0) throw this.#error(verified, place)
    const length = shared.getU32(info + BLOCK_INFO_PLAIN_LENGTH)
    if (compression.kind === 'zstd' || compression.kind === 'zstdDict') {
      return this.#decompressZstd(source, place, compression, length)
    }
    const codec = compression.kind === 'lz4' ? CODEC_LZ4 : CODEC_NONE
    const decode = (): number =>
      kernel.block_decode(info, codec, this.#plain.address, this.#plain.capacity)
    let address = decode()
    if (address === BLOCK_NO_SPACE) {
      this.#plain.reserve(length)
      address = decode()
    }
    if (address < 0) throw this.#error(address, place)
    return { address, length }
  }

  #decompressZstd(
    source: BlockSource,
    place: BlockPlace,
    compression: CompressionDescriptor,
    length: number,
  ): LoadedBlock {
    const { shared, blockScratch } = this.#workspace
    const info = blockScratch + BLOCK_SCRATCH_INFO
    const payload = shared.view(
      shared.getU32(info + BLOCK_INFO_PAYLOAD),
      shared.getU32(info + BLOCK_INFO_PAYLOAD_LENGTH),
    )
    const dictionary = requireDictionary(source.file.path, compression, source.dictionary)
    this.#zstd ??= new Zstd()
    this.#plain.reserve(length)
    const target = shared.view(this.#plain.address, length)
    if (!this.#zstd.decompress(target, payload, dictionary))
      throw this.#error(BLOCK_ERROR_DECOMPRESS, place)
    return { address: this.#plain.address, length }
  }

  #error(result: number, place: BlockPlace): VarveError {
    const { shared, blockScratch } = this.#workspace
    const error = blockError(result, place)
    if (error.code !== 'VARVE_CHECKSUM_MISMATCH') return error
    const digest = shared.copy(blockScratch, 16).reverse().toString('hex')
    const stored = shared
      .copy(this.#frame.address + 5, 16)
      .reverse()
      .toString('hex')
    return blockError(result, place, { expected: stored, found: digest })
  }
}
