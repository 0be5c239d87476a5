/**
 * Bodies of restart blocks in plain TypeScript (format-table.md 7, 8, 9, 11): the oracle of the
 * block writer kernels. Any thread; tests and benches only.
 *
 * I1: equal entries and settings give the kernel's bytes exactly.
 */
import { KIND_TOMBSTONE, KIND_WEAK_TOMBSTONE } from '../layout.js'
import { pushBytes, pushFixed, pushVarint, sharedPrefix, type Version } from './version.js'
import { xxh3Bits64 } from './xxh3.js'

/** What an index block says of one block. */
export interface IndexedBlock {
  readonly endKey: Uint8Array
  readonly seqno: number
  readonly offset: number
  readonly size: number
}

/** One entry on its way into a body: what stands before and behind its key. */
interface Piece {
  readonly key: Uint8Array
  readonly before: (out: number[], isHead: boolean) => void
  readonly behind: (out: number[]) => void
}

const FREE = 254
const CONFLICT = 255

/** The body of a data block. */
export function encodeDataBody(
  entries: readonly Version[],
  restartInterval: number,
  hashRatio = 0,
): Uint8Array {
  const pieces = entries.map(({ key, seqno, kind, value }): Piece => {
    const hasValue = kind !== KIND_TOMBSTONE && kind !== KIND_WEAK_TOMBSTONE
    return {
      key,
      before: (out) => {
        out.push(kind)
        pushVarint(out, seqno)
      },
      behind: (out) => {
        if (!hasValue) return
        pushVarint(out, value.length)
        pushBytes(out, value)
      },
    }
  })
  const keys = entries.map(({ key }) => key)
  return encodeBody(pieces, restartInterval, hashIndex(keys, restartInterval, hashRatio))
}

/** The body of an index block. */
export function encodeIndexBody(
  blocks: readonly IndexedBlock[],
  restartInterval: number,
): Uint8Array {
  const pieces = blocks.map(({ endKey, seqno, offset, size }): Piece => {
    const before = (out: number[], isHead: boolean): void => {
      out.push(isHead ? 0 : 1)
      pushVarint(out, offset)
      pushVarint(out, size)
      pushVarint(out, seqno)
    }
    return { key: endKey, before, behind: () => undefined }
  })
  return encodeBody(pieces, restartInterval, undefined)
}

/** The in-block hash index; undefined where the block carries none. */
function hashIndex(
  keys: readonly Uint8Array[],
  restartInterval: number,
  ratio: number,
): Uint8Array | undefined {
  const heads = Math.ceil(keys.length / restartInterval)
  if (ratio === 0 || heads > FREE) return undefined
  const product = Math.fround(Math.fround(keys.length) * Math.fround(ratio))
  const buckets = new Uint8Array(Math.max(1, Math.trunc(product))).fill(FREE)
  keys.forEach((key, number) => {
    const head = Math.floor(number / restartInterval)
    const bucket = Number(xxh3Bits64(key) % BigInt(buckets.length))
    if (buckets[bucket] === FREE) buckets[bucket] = head
    else if (buckets[bucket] !== head) buckets[bucket] = CONFLICT
  })
  return buckets
}

function encodeBody(
  pieces: readonly Piece[],
  restartInterval: number,
  hash: Uint8Array | undefined,
): Uint8Array {
  const out: number[] = []
  const heads: number[] = []
  let headKey: Uint8Array = new Uint8Array(0)
  pieces.forEach(({ key, before, behind }, number) => {
    const isHead = number % restartInterval === 0
    if (isHead) heads.push(out.length)
    before(out, isHead)
    if (isHead) {
      headKey = key
      pushVarint(out, key.length)
      pushBytes(out, key)
    } else {
      const shared = sharedPrefix(headKey, key)
      pushVarint(out, shared)
      pushVarint(out, key.length - shared)
      pushBytes(out, key.subarray(shared))
    }
    behind(out)
  })
  out.push(0xff)
  const binaryOffset = out.length
  const step = heads[heads.length - 1]! > 65535 ? 4 : 2
  for (const head of heads) pushFixed(out, head, step)
  const hashOffset = out.length
  if (hash !== undefined) pushBytes(out, hash)
  out.push(restartInterval, step)
  pushFixed(out, heads.length, 4)
  pushFixed(out, binaryOffset, 4)
  pushFixed(out, hash?.length ?? 0, 4)
  pushFixed(out, hash === undefined ? 0 : hashOffset, 4)
  out.push(1)
  pushFixed(out, 0, 8)
  pushFixed(out, pieces.length, 4)
  return Uint8Array.from(out)
}
