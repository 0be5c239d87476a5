/**
 * The {@link Hasher} of tests that need no shared memory: XXH3 by the plain-TypeScript twin of the kernel, which is slow,
 * so results are remembered.
 */
import type { Hasher } from '../../src/shared/base/checksum.js'
import { xxh3Bits64, xxh3Bits128 } from '../../src/shared/kernel/reference/xxh3.js'

/** Results kept before all of them are forgotten. */
const KNOWN_MAX = 4096

/** XXH3-64 as an integer. */
export const xxh3 = xxh3Bits64

class SlowHasher implements Hasher {
  readonly #known = new Map<string, bigint>()

  hash64Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
    const hash = this.#remember('64', bytes, xxh3Bits64)
    new DataView(target.buffer, target.byteOffset).setBigUint64(offset, hash, true)
  }

  hash128Into(bytes: Uint8Array, target: Uint8Array, offset: number): void {
    const hash = this.#remember('128', bytes, xxh3Bits128)
    const view = new DataView(target.buffer, target.byteOffset)
    view.setBigUint64(offset, BigInt.asUintN(64, hash), true)
    view.setBigUint64(offset + 8, hash >> 64n, true)
  }

  #remember(width: string, bytes: Uint8Array, compute: (bytes: Uint8Array) => bigint): bigint {
    const name = `${width}:${Buffer.from(bytes).toString('latin1')}`
    let hash = this.#known.get(name)
    if (hash === undefined) {
      hash = compute(bytes)
      if (this.#known.size >= KNOWN_MAX) this.#known.clear()
      this.#known.set(name, hash)
    }
    return hash
  }
}

export const slowHasher: Hasher = new SlowHasher()
