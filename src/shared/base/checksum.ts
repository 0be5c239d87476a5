/**
 * The one hash family of the files, as a dependency: XXH3 with seed 0 and the default secret
 * (format-table.md 2). Pure, every thread. Encoders and decoders take a {@link Hasher}; the
 * kernel-backed one is plugged in by their caller.
 *
 * A 128-bit digest is 16 bytes exactly as stored: the low 64 bits little-endian, then the high 64
 * bits. It is compared as bytes and never becomes a number.
 *
 * I1: two truncations to 32 bits exist and are not the same. Block headers keep the low 32 bits of
 *     the 128-bit digest; blob frame headers keep the low 32 bits of the 64-bit digest.
 */

/** Bytes of a stored 128-bit digest. */
export const DIGEST_BYTES = 16

/** The only checksum type byte that any file may hold: XXH3. */
export const CHECKSUM_TYPE_XXH3 = 0

/** XXH3 over bytes, written into the caller's array: no digest object, no bigint. */
export interface Hasher {
  /** Writes XXH3-64 of `bytes`, 8 bytes little-endian, at `target[offset]`. */
  hash64Into(bytes: Uint8Array, target: Uint8Array, offset: number): void
  /** Writes XXH3-128 of `bytes`, 16 bytes little-endian (low half first), at `target[offset]`. */
  hash128Into(bytes: Uint8Array, target: Uint8Array, offset: number): void
}

/** XXH3-128 of `bytes` in its stored form. */
export function digestOf(hasher: Hasher, bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(DIGEST_BYTES)
  hasher.hash128Into(bytes, digest, 0)
  return digest
}

/** The low 32 bits of XXH3-128 of `bytes`: the check of a block header (I1). */
export function headerCheckOf(hasher: Hasher, bytes: Uint8Array): number {
  const digest = digestOf(hasher, bytes)
  return new DataView(digest.buffer).getUint32(0, true)
}

/** True where both arrays hold the same bytes. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false
  return true
}

/**
 * A stored digest as the hexadecimal integer that XXH3 tools print: the stored bytes, last one
 * first.
 */
export function describeDigest(digest: Uint8Array): string {
  return Buffer.from(digest).reverse().toString('hex')
}
