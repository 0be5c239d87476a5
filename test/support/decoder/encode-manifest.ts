/** The snapshot re-encoder: from the parts of a snapshot to the exact bytes of `v{N}` and `current` (manifest spec 4). */

import { encodeBlock } from './block.js'
import { check, concatBytes, utf8, Writer } from './bytes.js'
import { ECC_META, ECC_OFF } from './ecc.js'
import {
  canonicalDigest,
  encodeCurrent,
  FLAG_MIRROR,
  HEAD_SIZE,
  LEVEL_COUNT,
  type ManifestSection,
  type Snapshot,
} from './manifest.js'
import { encodeBlobFiles, encodeGc, encodeLevels, encodeRestrictions } from './manifest-records.js'
import { xxh3_128 } from './xxh3.js'

export type SnapshotContent = Pick<
  Snapshot,
  | 'id'
  | 'crateVersion'
  | 'treeType'
  | 'comparatorName'
  | 'levels'
  | 'blobFiles'
  | 'gc'
  | 'restrictions'
> & { readonly mirrored?: boolean; readonly ecc?: boolean }

export interface EncodedSnapshot {
  readonly snapshot: Uint8Array
  readonly current: Uint8Array
}

/** All ten sections in the order the format's first writer has them. */
export function encodeSnapshot(content: SnapshotContent): EncodedSnapshot {
  const payloads: readonly (readonly [string, Uint8Array])[] = [
    ['format_version', Uint8Array.of(5)],
    ['crate_version', utf8(content.crateVersion)],
    ['tree_type', Uint8Array.of(content.treeType === 'standard' ? 0 : 1)],
    ['level_count', Uint8Array.of(LEVEL_COUNT)],
    ['filter_hash_type', Uint8Array.of(0)],
    ['comparator_name', utf8(content.comparatorName)],
    ['tables', encodeLevels(content.levels)],
    ['blob_files', encodeBlobFiles(content.blobFiles)],
    ['blob_gc_stats', encodeGc(content.gc)],
    ['restrictions', encodeRestrictions(content.restrictions)],
  ]
  const { id, mirrored = true } = content
  const ecc = content.ecc ? ECC_META : ECC_OFF
  const body = new Writer()
  const flags = mirrored ? FLAG_MIRROR : 0
  const toc = new Writer().u8(1).u8(flags).u16(payloads.length)
  const sections = payloads.map(([name, payload]): ManifestSection => {
    const block = encodeBlock('manifest', payload, { ecc })
    const offset = HEAD_SIZE + body.length
    const checksum = xxh3_128(payload)
    const encodedName = utf8(name)
    toc.u16(encodedName.length).bytes(encodedName).u64(offset).u32(block.length).u128(checksum)
    body.bytes(block)
    return { name, offset, size: block.length, checksum, payload }
  })
  const footer = encodeBlock('manifest-footer', toc.finish(), { ecc })
  check(footer.length <= HEAD_SIZE, `v${id}`, `footer of ${footer.length} bytes`)
  const head = new Uint8Array(HEAD_SIZE)
  if (mirrored) head.set(footer)
  const tail = new Writer().u32(footer.length).finish()
  return {
    snapshot: concatBytes(head, body.finish(), footer, tail),
    current: encodeCurrent({ snapshotId: id, digest: canonicalDigest(id, flags, sections) }),
  }
}
