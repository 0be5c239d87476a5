/**
 * zstd, where this Node can do it: the optional native package, which works on views of the shared memory, or Node's
 * own `node:zlib` from 22.15 on. Where there is neither, asking for it is VARVE_UNSUPPORTED; nothing else suffers.
 *
 * One codec per thread: the native contexts are not shared.
 */
import { createRequire } from 'node:module'
import zlib from 'node:zlib'
import { VarveError } from '../base/errors.js'
import type { Compression, CompressionDescriptor } from '../format/compression.js'
import {
  DICTIONARY_ID_BYTES,
  dictionaryIdOf,
  insertDictionaryId,
  withoutDictionaryId,
} from '../format/zstd-frame.js'

/** First bytes of a trained dictionary, which brings an id of its own; any other one is raw content. */
const TRAINED_MAGIC = 0xec30a437

/** A dictionary and the id that files name it by: the low 32 bits of XXH3-64 of its bytes. */
export interface ZstdDictionary {
  readonly bytes: Uint8Array
  readonly id: number
}

/** What the codec stands on. All lengths are in bytes; both throw on failure. */
interface ZstdBackend {
  compress(target: Uint8Array, source: Uint8Array, level: number, dictionary?: Uint8Array): number
  decompress(target: Uint8Array, source: Uint8Array, dictionary?: Uint8Array): number
}

/** The part of `zstd-napi/binding` in use. */
interface NativeBinding {
  CCtx: new () => {
    compress(target: Uint8Array, source: Uint8Array, level: number): number
    compressUsingDict(t: Uint8Array, s: Uint8Array, dictionary: Uint8Array, level: number): number
  }
  DCtx: new () => {
    decompress(target: Uint8Array, source: Uint8Array): number
    decompressUsingDict(t: Uint8Array, s: Uint8Array, dictionary: Uint8Array): number
  }
}

function nativeBackend(): ZstdBackend | undefined {
  let binding: NativeBinding
  try {
    binding = createRequire(import.meta.url)('zstd-napi/binding') as NativeBinding
  } catch {
    // Not installed or not built: an optional dependency, and the caller looks further.
    return undefined
  }
  const compressor = new binding.CCtx()
  const decompressor = new binding.DCtx()
  return {
    compress: (target, source, level, dictionary) =>
      dictionary === undefined
        ? compressor.compress(target, source, level)
        : compressor.compressUsingDict(target, source, dictionary, level),
    decompress: (target, source, dictionary) =>
      dictionary === undefined
        ? decompressor.decompress(target, source)
        : decompressor.decompressUsingDict(target, source, dictionary),
  }
}

/** The part of newer Nodes' `node:zlib` in use; our oldest Node's types do not know it. */
interface ZlibWithZstd {
  zstdCompressSync?(source: Uint8Array, options: object): Uint8Array
  zstdDecompressSync?(source: Uint8Array, options: object): Uint8Array
  constants: Record<string, number>
}

function nodeBackend(): ZstdBackend | undefined {
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as ZlibWithZstd
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return undefined
  const copy = (target: Uint8Array, result: Uint8Array): number => {
    if (result.length > target.length) throw new RangeError('the target is too small')
    target.set(result)
    return result.length
  }
  const levelParameter = constants['ZSTD_c_compressionLevel'] as number
  return {
    compress: (target, source, level, dictionary) =>
      copy(target, zstdCompressSync(source, { params: { [levelParameter]: level }, dictionary })),
    decompress: (target, source, dictionary) =>
      copy(target, zstdDecompressSync(source, { dictionary, maxOutputLength: target.length })),
  }
}

export class Zstd {
  readonly #backend: ZstdBackend | undefined

  constructor() {
    this.#backend = nativeBackend() ?? nodeBackend()
  }

  get isAvailable(): boolean {
    return this.#backend !== undefined
  }

  /** Largest frame that `length` bytes can become, its dictionary id included. */
  static bound(length: number): number {
    return length + (length >>> 8) + 1024 + DICTIONARY_ID_BYTES
  }

  /** Compresses `source` into one frame in `target`; its length. */
  compress(
    target: Uint8Array,
    source: Uint8Array,
    level: number,
    dictionary?: ZstdDictionary,
  ): number {
    const length = this.#require().compress(target, source, level, dictionary?.bytes)
    if (dictionary === undefined) return length
    return insertDictionaryId(target, length, Math.max(1, dictionary.id))
  }

  /**
   * Decompresses the one frame in `source` into all of `target`; false where it is not such a frame.
   * REQUIRES: the source's checksum was verified.
   */
  decompress(target: Uint8Array, source: Uint8Array, dictionary?: ZstdDictionary): boolean {
    const backend = this.#require()
    let frame = source
    if (dictionary !== undefined && !isTrained(dictionary.bytes)) {
      const id = dictionaryIdOf(source)
      if (id !== 0 && id !== Math.max(1, dictionary.id)) return false
      frame = withoutDictionaryId(source)
    }
    try {
      return backend.decompress(target, frame, dictionary?.bytes) === target.length
    } catch {
      // The library's own words add nothing: the caller reports file and offset as VARVE_DECOMPRESS.
      return false
    }
  }

  #require(): ZstdBackend {
    if (this.#backend !== undefined) return this.#backend
    throw new VarveError(
      'VARVE_UNSUPPORTED',
      'zstd needs the optional package zstd-napi (npm install zstd-napi) or Node 22.15 and up',
    )
  }
}

/**
 * The dictionary that the data blocks of a table need, undefined where they need none.
 * @throws VARVE_ZSTD_DICT_MISMATCH where it is not the one given
 */
export function requireDictionary(
  file: string,
  wanted: CompressionDescriptor,
  given: Extract<Compression, { kind: 'zstdDict' }> | undefined,
): ZstdDictionary | undefined {
  if (wanted.kind !== 'zstdDict') return undefined
  if (given?.dictionaryId === wanted.dictionaryId) {
    return { bytes: given.dictionary, id: given.dictionaryId }
  }
  const found = given?.dictionaryId
  throw new VarveError(
    'VARVE_ZSTD_DICT_MISMATCH',
    `${file} was compressed with dictionary ${wanted.dictionaryId}, but ` +
      `${found === undefined ? 'none was' : `${found} was`} given; open with { zstdDict: … }`,
    { details: { file, expected: wanted.dictionaryId, found: found ?? null } },
  )
}

function isTrained(dictionary: Uint8Array): boolean {
  if (dictionary.length < 4) return false
  const view = new DataView(dictionary.buffer, dictionary.byteOffset, 4)
  return view.getUint32(0, true) === TRAINED_MAGIC
}
