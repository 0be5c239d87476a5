/**
 * Compression of blocks: the LZ4 kernels, their twins and the package `lz4-napi`; zstd as the engine calls it, by the package
 * `zstd-napi` from outside and by `node:zlib`, where there are such.
 */
import zlib from 'node:zlib'
import { LZ4_TABLE_BYTES } from '../../../src/shared/kernel/layout.js'
import { lz4Decode, lz4Encode } from '../../../src/shared/kernel/reference/lz4.js'
import { Zstd } from '../../../src/shared/table/zstd.js'
import { TestMemory } from '../../../test/support/memory.js'
import { type Lz4Package, native, type ZlibWithZstd, type ZstdPackage } from '../natives.js'
import { type Contender, digestOf, type Effort, operationsFor, type Row, race } from '../race.js'
import { rowsOfText } from '../texts.js'

const LENGTHS = [4096, 16_384, 65_536]
const ZSTD_LEVEL = 3
/** In front of each block of `lz4-napi`. */
const LENGTH_BYTES = 4

/** Compressed bytes may differ between contenders; what they stand for may not. */
const plainDigest = (bytes: Uint8Array | undefined): number => digestOf(bytes ?? Buffer.alloc(0))

export function lz4(effort: Effort): Row[] {
  const { rounds } = effort
  const memory = new TestMemory(4)
  const { kernel } = memory
  const total = 1 << 20
  const text = rowsOfText(total)
  const source = memory.place(text)
  const table = memory.allocate(LZ4_TABLE_BYTES)
  const capacity = kernel.lz4_compress_bound(65_536)
  const block = memory.allocate(capacity)
  const packaged = native<Lz4Package>('lz4-napi')
  const rows: Row[] = []
  for (const length of LENGTHS) {
    const count = total / length
    const piece = (i: number) => text.subarray((i % count) * length, ((i % count) + 1) * length)
    const compress = (i: number) =>
      kernel.lz4_compress(source + length * (i % count), length, block, capacity, table)
    const fast = operationsFor(length * 1.5, effort)
    const slow = operationsFor(length * 100, effort)
    const decode = (bytes: Uint8Array) => plainDigest(lz4Decode(bytes, length))
    const encoders: Contender[] = [
      {
        ...{ name: 'kernel', operations: fast, operation: compress },
        result: (i) => decode(memory.copy(block, compress(i))),
      },
      {
        ...{ name: 'twin', operations: slow, operation: (i) => lz4Encode(piece(i)).length },
        result: (i) => decode(lz4Encode(piece(i))),
      },
    ]
    const blocks = Array.from({ length: count }, (_, i) => lz4Encode(piece(i)))
    const placed = blocks.map((bytes) => memory.place(bytes))
    const target = memory.allocate(length)
    const decompress = (i: number) =>
      kernel.lz4_decompress(
        ...([placed[i % count]!, blocks[i % count]!.length, target, length] as const),
      )
    const decoders: Contender[] = [
      {
        ...{ name: 'kernel', operations: fast, operation: decompress },
        result: (i) => digestOf(memory.copy(target, decompress(i))),
      },
      {
        ...{ name: 'twin', operations: slow },
        operation: (i) => lz4Decode(blocks[i % count]!, length)!.length,
        result: (i) => plainDigest(lz4Decode(blocks[i % count]!, length)),
      },
    ]
    if (packaged !== undefined) {
      const name = 'lz4-napi'
      const framed = Array.from({ length: count }, (_, i) => packaged.compressSync(piece(i)))
      encoders.push({
        ...{ name, operations: fast },
        operation: (i) => packaged.compressSync(piece(i)).length,
        result: (i) => decode(packaged.compressSync(piece(i)).subarray(LENGTH_BYTES)),
      })
      decoders.push({
        ...{ name, operations: fast },
        operation: (i) => packaged.uncompressSync(framed[i % count]!).length,
        result: (i) => digestOf(packaged.uncompressSync(framed[i % count]!)),
      })
    }
    const subject = (name: string) => ({
      ...{ family: 'lz4', name: `lz4 ${name} ${length} B`, bytes: length },
    })
    rows.push(...race(subject('encode'), encoders, rounds))
    rows.push(...race(subject('decode'), decoders, rounds))
  }
  return rows
}

export function zstd(effort: Effort): Row[] {
  const { rounds } = effort
  const codec = new Zstd()
  if (!codec.isAvailable) return []
  const packaged = native<ZstdPackage>('zstd-napi')
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as ZlibWithZstd
  const text = rowsOfText(1 << 20)
  const rows: Row[] = []
  for (const length of LENGTHS) {
    const count = text.length / length
    const piece = (i: number) => text.subarray((i % count) * length, ((i % count) + 1) * length)
    const operations = operationsFor(length * 5, effort)
    const target = Buffer.alloc(Zstd.bound(length))
    const plain = Buffer.alloc(length)
    const frames = Array.from({ length: count }, (_, i) =>
      Buffer.from(target.subarray(0, codec.compress(target, piece(i), ZSTD_LEVEL))),
    )
    const restored = (frame: Uint8Array) => {
      codec.decompress(plain, frame)
      return digestOf(plain)
    }
    const encoders: Contender[] = [
      {
        ...{ name: 'engine', operations },
        operation: (i) => codec.compress(target, piece(i), ZSTD_LEVEL),
        result: (i) => restored(target.subarray(0, codec.compress(target, piece(i), ZSTD_LEVEL))),
      },
    ]
    const decoders: Contender[] = [
      {
        ...{ name: 'engine', operations },
        operation: (i) => (codec.decompress(plain, frames[i % count]!) ? length : 0),
        result: (i) => restored(frames[i % count]!),
      },
    ]
    const add = (
      name: string,
      encode: (bytes: Uint8Array) => Buffer,
      decode: (bytes: Uint8Array) => Buffer,
    ) => {
      encoders.push({
        ...{ name, operations, operation: (i) => encode(piece(i)).length },
        result: (i) => restored(encode(piece(i))),
      })
      decoders.push({
        ...{ name, operations, operation: (i) => decode(frames[i % count]!).length },
        result: (i) => digestOf(decode(frames[i % count]!)),
      })
    }
    if (packaged !== undefined) {
      const level = { compressionLevel: ZSTD_LEVEL }
      add(
        'zstd-napi',
        (bytes) => packaged.compress(bytes, level),
        (bytes) => packaged.decompress(bytes),
      )
    }
    if (zstdCompressSync !== undefined && zstdDecompressSync !== undefined) {
      const params = { [constants['ZSTD_c_compressionLevel'] as number]: ZSTD_LEVEL }
      add(
        'node:zlib',
        (bytes) => zstdCompressSync(bytes, { params }),
        (bytes) => zstdDecompressSync(bytes),
      )
    }
    const subject = (name: string) => ({
      ...{ family: 'zstd', name: `zstd ${name} ${length} B`, bytes: length },
    })
    rows.push(...race(subject('encode'), encoders, rounds))
    rows.push(...race(subject('decode'), decoders, rounds))
  }
  return rows
}
