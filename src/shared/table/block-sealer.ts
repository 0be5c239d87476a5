/**
 * Turns finished block bodies and raw payloads into framed blocks in a {@link FileSink}: compress, checksum, append
 * (format-table.md 5, 6). The thread of the actor.
 */
import type { Compression } from '../format/compression.js'
import { BLOCK_HEADER_BYTES, CODEC_LZ4, CODEC_NONE } from '../kernel/layout.js'
import type { Workspace } from '../memory/workspace.js'
import type { BlockBuilder } from './block-builder.js'
import type { FileSink } from './file-sink.js'
import { Zstd } from './zstd.js'

/** Where a block went, and how long it is decompressed. */
export interface SealedBlock {
  readonly offset: number
  readonly size: number
  readonly plainLength: number
}

/** Header bytes of a type that carries a flags byte. */
const FLAGGED_HEADER_BYTES = 34

export class BlockSealer {
  readonly #workspace: Workspace
  readonly #sink: FileSink
  #zstd: Zstd | undefined

  constructor(workspace: Workspace, sink: FileSink) {
    this.#workspace = workspace
    this.#sink = sink
  }

  /** Ends the builder's block, appends it to the file and empties the builder. */
  seal(builder: BlockBuilder, type: number, compression: Compression): SealedBlock {
    const { shared, blockScratch, lz4Table } = this.#workspace
    const { kernel } = shared
    const offset = this.#sink.offset
    const bodyBytes = builder.bodyBytesMax
    let size: number
    let target: number
    if (compression.kind === 'none' || compression.kind === 'lz4') {
      const codec = compression.kind === 'lz4' ? CODEC_LZ4 : CODEC_NONE
      const room = BLOCK_HEADER_BYTES + kernel.lz4_compress_bound(bodyBytes)
      target = this.#sink.reserve(room)
      size = kernel.block_seal(builder.address, type, codec, target, room, lz4Table, blockScratch)
    } else {
      const room = Zstd.bound(bodyBytes)
      target = this.#sink.reserve(BLOCK_HEADER_BYTES + room)
      const plainLength = kernel.block_writer_finish(builder.address)
      this.#zstd ??= new Zstd()
      const payload = this.#zstd.compress(
        shared.view(target + BLOCK_HEADER_BYTES, room),
        shared.view(builder.bodyAddress, plainLength),
        compression.level,
        compression.kind === 'zstdDict'
          ? { bytes: compression.dictionary, id: compression.dictionaryId }
          : undefined,
      )
      size = kernel.block_frame(target, type, 0, payload, plainLength, blockScratch)
    }
    const plainLength = shared.buffer.readUInt32LE(target + 25)
    this.#sink.commit(size)
    builder.reset()
    return { offset, size, plainLength }
  }

  /** Appends a block whose payload is written as it is. Types 3, 5 and 6 get a flags byte of 0. */
  sealPayload(type: number, payload: Uint8Array): SealedBlock {
    const { shared, blockScratch } = this.#workspace
    const isFlagged = type === 3 || type === 5 || type === 6
    const header = isFlagged ? FLAGGED_HEADER_BYTES : BLOCK_HEADER_BYTES
    const offset = this.#sink.offset
    const target = this.#sink.reserve(header + payload.length)
    shared.bytes.set(payload, target + header)
    const { length } = payload
    const size = shared.kernel.block_frame(target, type, 0, length, length, blockScratch)
    this.#sink.commit(size)
    return { offset, size, plainLength: length }
  }
}
