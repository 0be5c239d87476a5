/**
 * The self-contained blocks of a manifest snapshot: one section, or its footer
 * (format-manifest-blob.md 1.1, 21). Never compressed; encrypted where the tree is; possibly
 * followed by parity, which this reader skips.
 *
 *     header (34) | payload (data length n) | parity (flag bit 1: 2 * even(ceil(n / 4)))
 *
 * I1: a payload is returned only after header, size and payload checksum agreed, and, where
 *     encrypted, the seal did.
 * I2: with a sealer, a block that is not encrypted is refused: damage must not switch the
 *     protection off.
 */
import { describeDigest, digestOf, type Hasher, sameBytes } from '../base/checksum.js'
import {
  BLOCK_HEADER_BYTES_MAX,
  BlockFlag,
  type BlockHeader,
  type BlockType,
  blockTypeName,
  readBlockHeader,
  writeBlockHeader,
} from './block-header.js'
import { formatError, type Origin } from './byte-reader.js'

/**
 * Encryption of manifest blocks; the envelope is the provider's business (format-manifest-blob.md
 * 21).
 */
export interface ManifestSealer {
  /** Plaintext to stored payload. */
  seal(type: BlockType, plaintext: Uint8Array): Uint8Array
  /** Stored payload to plaintext; throws VARVE_DECRYPT where the seal is broken. */
  open(type: BlockType, stored: Uint8Array): Uint8Array
}

/** What it takes to encode and decode manifest bytes. */
export interface ManifestCodec {
  readonly hasher: Hasher
  readonly sealer?: ManifestSealer | undefined
}

/** A decoded block. */
export interface ManifestBlock {
  readonly header: BlockHeader
  readonly payload: Uint8Array
}

/** On-disk bytes of a block, as its header tells. */
export function manifestBlockBytes(header: BlockHeader): number {
  const shardBytes = Math.ceil(header.dataLength / 4)
  const hasParity = (header.flags & BlockFlag.Parity) !== 0 && header.dataLength > 0
  const parityBytes = hasParity ? 2 * (shardBytes + (shardBytes % 2)) : 0
  return BLOCK_HEADER_BYTES_MAX + header.dataLength + parityBytes
}

/** The block of `payload`, without parity. */
export function encodeManifestBlock(
  type: BlockType,
  payload: Uint8Array,
  { hasher, sealer }: ManifestCodec,
): Uint8Array {
  const stored = sealer === undefined ? payload : sealer.seal(type, payload)
  const block = new Uint8Array(BLOCK_HEADER_BYTES_MAX + stored.length)
  const header: BlockHeader = {
    type,
    flags: sealer === undefined ? 0 : BlockFlag.Encrypted,
    checksum: digestOf(hasher, stored),
    dataLength: stored.length,
    uncompressedLength: payload.length,
  }
  writeBlockHeader(block, 0, header, hasher)
  block.set(stored, BLOCK_HEADER_BYTES_MAX)
  return block
}

/**
 * Checks and opens the block at the start of `bytes`; whether its size and type are right is the
 * caller's check. `header` is its header, where that was read already.
 */
export function decodeManifestBlock(
  bytes: Uint8Array,
  origin: Origin,
  { hasher, sealer }: ManifestCodec,
  header: BlockHeader = readBlockHeader(bytes, origin, hasher),
): ManifestBlock {
  const name = blockTypeName(header.type)
  const size = manifestBlockBytes(header)
  if (size > bytes.length) {
    throw formatError(
      'VARVE_INVALID_HEADER',
      origin,
      `${name} block: truncated: ${size} bytes needed, ${bytes.length} are left`,
      { what: 'Block' },
    )
  }
  const stored = bytes.subarray(BLOCK_HEADER_BYTES_MAX, BLOCK_HEADER_BYTES_MAX + header.dataLength)
  const found = digestOf(hasher, stored)
  if (!sameBytes(found, header.checksum)) {
    throw formatError('VARVE_CHECKSUM_MISMATCH', origin, `${name} block: checksum mismatch`, {
      blockType: name,
      expected: describeDigest(header.checksum),
      found: describeDigest(found),
    })
  }
  const payload = openPayload(header, stored, origin, sealer)
  if (payload.length !== header.uncompressedLength) {
    throw formatError(
      'VARVE_INVALID_HEADER',
      origin,
      `${name} block: ${header.uncompressedLength} bytes declared, ${payload.length} found`,
      { what: 'Block', expected: header.uncompressedLength, found: payload.length },
    )
  }
  return { header, payload }
}

function openPayload(
  header: BlockHeader,
  stored: Uint8Array,
  origin: Origin,
  sealer: ManifestSealer | undefined,
): Uint8Array {
  const isEncrypted = (header.flags & BlockFlag.Encrypted) !== 0
  if (isEncrypted !== (sealer !== undefined)) {
    throw formatError(
      'VARVE_DECRYPT',
      origin,
      isEncrypted
        ? 'the manifest is encrypted; open it with its encryption provider'
        : 'the manifest is not encrypted, yet an encryption provider is configured',
      { blockType: blockTypeName(header.type) },
    )
  }
  return sealer === undefined ? stored : sealer.open(header.type, stored)
}
