/**
 * Native packages that do what a kernel does, as far as they are installed: the engine's own, or those of
 * `npm install --prefix bench/peers`. What is missing is left out of the benches.
 */
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** `build/bench/micro` or `bench/micro`, and the repository above either. */
const PLACES = [here, resolve(here, '../../../bench/peers'), resolve(here, '../peers')]

/** A package's exports, undefined where it is not there or cannot be loaded on this machine. */
export function native<Exports>(name: string): Exports | undefined {
  for (const place of PLACES) {
    try {
      return createRequire(resolve(place, 'package.json'))(name) as Exports
    } catch {
      // Not here; the next place, or none.
    }
  }
  return undefined
}

/** The part of `@node-rs/xxhash` in use. */
export interface XxhashPackage {
  readonly xxh3: {
    xxh64(bytes: Uint8Array): bigint
    xxh128(bytes: Uint8Array): bigint
  }
}

/** The part of `lz4-napi` in use; its blocks stand behind their length in four bytes. */
export interface Lz4Package {
  compressSync(bytes: Uint8Array): Buffer
  uncompressSync(bytes: Uint8Array): Buffer
}

/** The part of `zstd-napi` in use. */
export interface ZstdPackage {
  compress(bytes: Uint8Array, parameters: { compressionLevel: number }): Buffer
  decompress(bytes: Uint8Array): Buffer
}

/** The part of `node:zlib` in use, from Node 22.15 on. */
export interface ZlibWithZstd {
  zstdCompressSync?(bytes: Uint8Array, options: object): Buffer
  zstdDecompressSync?(bytes: Uint8Array): Buffer
  readonly constants: Readonly<Record<string, number>>
}
