/**
 * The `seqno_bounds` block of a table (format-table.md 15.1): which seqnos each data block holds, so that a scan for
 * changes passes over blocks with none that are new.
 *
 *   count u32 | { block offset u64, min seqno u64, max seqno u64 } x count
 *
 * Offsets ascend; seqnos are as stored: a table's global seqno is not added. Pure; any thread.
 */
import { VarveError } from '../base/errors.js'

/** One data block. */
export interface BlockSeqnos {
  readonly offset: number
  readonly min: number
  readonly max: number
}

const RECORD_BYTES = 24

export function encodeSeqnoBounds(blocks: readonly BlockSeqnos[]): Uint8Array {
  const out = new Uint8Array(4 + RECORD_BYTES * blocks.length)
  const view = new DataView(out.buffer)
  view.setUint32(0, blocks.length, true)
  blocks.forEach(({ offset, min, max }, i) => {
    const at = 4 + RECORD_BYTES * i
    view.setBigUint64(at, BigInt(offset), true)
    view.setBigUint64(at + 8, BigInt(min), true)
    view.setBigUint64(at + 16, BigInt(max), true)
  })
  return out
}

/**
 * The highest stored seqno of each data block, by the block's offset.
 * @param dataBytes length of the data section: blocks lie inside it
 * @throws VARVE_INVALID_BLOCK
 */
export function decodeSeqnoBounds(
  payload: Uint8Array,
  place: { readonly file: string; readonly offset: number; readonly dataBytes: number },
): Map<number, BlockSeqnos> {
  const { file, offset: sectionOffset, dataBytes } = place
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const fail = (what: string, position: number): VarveError =>
    new VarveError(
      'VARVE_INVALID_BLOCK',
      `${file}: seqno bounds at ${sectionOffset}: ${what} at ${position}; scan with fullScan to do without them`,
      { details: { file, offset: sectionOffset, kind: 'seqno bounds', position } },
    )
  if (payload.length < 4) throw fail('no count', 0)
  const count = view.getUint32(0, true)
  if (payload.length !== 4 + RECORD_BYTES * count) throw fail(`a count of ${count}`, 0)
  const blocks = new Map<number, BlockSeqnos>()
  let last = -1
  for (let at = 4; at < payload.length; at += RECORD_BYTES) {
    const [offset, min, max] = [0, 8, 16].map((field) =>
      Number(view.getBigUint64(at + field, true)),
    )
    if (offset === undefined || min === undefined || max === undefined) throw fail('no record', at)
    if (offset <= last || offset >= dataBytes) throw fail(`the block offset ${offset}`, at)
    if (min > max || max > Number.MAX_SAFE_INTEGER) throw fail(`the seqnos ${min} to ${max}`, at)
    blocks.set(offset, { offset, min, max })
    last = offset
  }
  return blocks
}
