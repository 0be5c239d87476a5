/**
 * Compression settings and their descriptor on disk (format-table.md 6.1).
 *
 *   00                        none
 *   01                        LZ4, one raw block
 *   03 level i8               zstd, one frame
 *   04 level i8 id u32        zstd with a dictionary
 *
 * Plain data that crosses threads; pure; any thread.
 */
import { VarveError } from '../base/errors.js'

/** How blocks are compressed. A dictionary's bytes travel along; its id is what files name. */
export type Compression =
  | { readonly kind: 'none' }
  | { readonly kind: 'lz4' }
  | { readonly kind: 'zstd'; readonly level: number }
  | {
      readonly kind: 'zstdDict'
      readonly level: number
      readonly dictionaryId: number
      readonly dictionary: Uint8Array
    }

/** What a file says about its compression: a dictionary is only named there. */
export type CompressionDescriptor =
  | Exclude<Compression, { kind: 'zstdDict' }>
  | { readonly kind: 'zstdDict'; readonly level: number; readonly dictionaryId: number }

/** Levels that a descriptor may carry. */
export const ZSTD_LEVEL_MIN = -128
export const ZSTD_LEVEL_MAX = 22

export function encodeCompression(compression: CompressionDescriptor): Uint8Array {
  switch (compression.kind) {
    case 'none':
      return Uint8Array.of(0)
    case 'lz4':
      return Uint8Array.of(1)
    case 'zstd':
      return Uint8Array.of(3, compression.level & 0xff)
    case 'zstdDict': {
      const out = new Uint8Array(6)
      out[0] = 4
      out[1] = compression.level & 0xff
      new DataView(out.buffer).setUint32(2, compression.dictionaryId, true)
      return out
    }
  }
}

/** @throws VARVE_INVALID_TAG */
export function decodeCompression(
  bytes: Uint8Array,
  file: string,
  what: string,
): CompressionDescriptor {
  const tag = bytes[0]
  const level = ((bytes[1] ?? 0) << 24) >> 24
  const lengths: Record<number, number> = { 0: 1, 1: 1, 3: 2, 4: 6 }
  if (tag === undefined || lengths[tag] !== bytes.length || level > ZSTD_LEVEL_MAX) {
    throw new VarveError(
      'VARVE_INVALID_TAG',
      `${file}: ${what} is no compression descriptor: ${Buffer.from(bytes).toString('hex')}`,
      { details: { file, field: what, tag: tag ?? null } },
    )
  }
  if (tag === 0) return { kind: 'none' }
  if (tag === 1) return { kind: 'lz4' }
  if (tag === 3) return { kind: 'zstd', level }
  const dictionaryId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2, true)
  return { kind: 'zstdDict', level, dictionaryId }
}
