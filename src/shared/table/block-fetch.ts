/**
 * Reads of many blocks at once: which bytes of which files to read so that blocks that lie close to each other come in one
 * read, and the reading itself, at once or later. The thread that reads.
 *
 * I1: every wanted block lies in exactly one range, whole.
 * I2: what was read stays the caller's alone: memory of its own, whatever happens to the tree meanwhile.
 */
import type { ReadableFile, ReadRequest } from '../fs/file-system.js'
import { canReadMany, readMany } from '../fs/read-many.js'
import type { WantedKind } from './block-provider.js'
import type { ViewTable } from './view-table.js'

/** A block by its handle. */
export interface WantedBlock {
  readonly table: ViewTable
  readonly kind: WantedKind
  readonly offset: number
  readonly size: number
}

/** Bytes of one file that hold wanted blocks. */
export interface BlockRange<T extends WantedBlock> {
  readonly file: ReadableFile
  readonly offset: number
  readonly length: number
  /** Ascending by offset. */
  readonly blocks: readonly T[]
}

/** A gap this large between two blocks is read over: it takes as long as a call of its own. */
const GAP_BYTES_MAX = 8 * 1024

/** A range is closed at this length: its bytes wait in memory until all of it has come. */
const RANGE_BYTES_MAX = 256 * 1024

/** The ranges that hold `blocks`, no two of which may be the same one. */
export function coalesce<T extends WantedBlock>(blocks: readonly T[]): BlockRange<T>[] {
  const ordered = [...blocks].sort((a, b) => a.table.owner - b.table.owner || a.offset - b.offset)
  const ranges: BlockRange<T>[] = []
  let members: T[] = []
  let start = 0
  let end = 0
  const close = (): void => {
    const [first] = members
    if (first === undefined) return
    const { file } = first.table.table
    ranges.push({ file, offset: start, length: end - start, blocks: members })
  }
  for (const block of ordered) {
    const isNear =
      members[0]?.table === block.table &&
      block.offset - end <= GAP_BYTES_MAX &&
      block.offset + block.size - start <= RANGE_BYTES_MAX
    if (isNear) {
      members.push(block)
      end = Math.max(end, block.offset + block.size)
      continue
    }
    close()
    members = [block]
    start = block.offset
    end = block.offset + block.size
  }
  close()
  return ranges
}

/** The bytes of a block in those of its range; shorter where the file is. */
export function blockBytes(
  range: BlockRange<WantedBlock>,
  bytes: Uint8Array,
  block: WantedBlock,
): Uint8Array {
  const start = block.offset - range.offset
  return bytes.subarray(start, start + block.size)
}

/**
 * Reads ranges, in one call where their file system can. The bytes of each, as far as its file goes; undefined for a
 * block that gains nothing by being read here: whoever loads it reads it where it needs it.
 */
export function readRanges(ranges: readonly BlockRange<WantedBlock>[]): (Uint8Array | undefined)[] {
  const gains = ranges.map(({ file, blocks }) => blocks.length > 1 || canReadMany(file))
  let bytes = 0
  ranges.forEach(({ length }, i) => {
    if (gains[i]) bytes += length
  })
  // One piece for all of them: an allocation costs as much as a read.
  const whole = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  const requests: ReadRequest[] = []
  ranges.forEach(({ file, offset, length }, i) => {
    if (!gains[i]) return
    requests.push({ file, offset, target: whole.subarray(at, at + length) })
    at += length
  })
  const lengths = readMany(requests)
  let next = 0
  return gains.map((isRead) => {
    if (!isRead) return undefined
    const number = next++
    return requests[number]?.target.subarray(0, lengths[number])
  })
}

/**
 * Reads a range off the calling thread where its file can, else at once. The bytes are as many as the file has.
 */
export async function readRangeLater(
  file: ReadableFile,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const target = Buffer.allocUnsafeSlow(length)
  const count =
    file.readLater === undefined ? file.read(target, offset) : await file.readLater(target, offset)
  return target.subarray(0, count)
}
