/** What the rows of a source say (`SOURCE_TYPE_ROWS` in kernel/layout.ts). */
import {
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_ROW_BYTES,
  SOURCE_SEQNO,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../../src/shared/kernel/layout.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'

/** The entries of the rows in [first, end) of `memory`; everything is copied. */
export function decodeRows(memory: Uint8Array, first: number, end: number): Version[] {
  const view = new DataView(memory.buffer)
  const versions: Version[] = []
  for (let row = first; row < end; row += SOURCE_ROW_BYTES) {
    const u32 = (field: number): number => view.getUint32(row + field, true)
    const bytes = (address: number, length: number): Uint8Array =>
      memory.slice(u32(address), u32(address) + u32(length))
    versions.push({
      key: bytes(SOURCE_KEY, SOURCE_KEY_LENGTH),
      seqno: Number(view.getBigUint64(row + SOURCE_SEQNO, true)),
      kind: u32(SOURCE_KIND),
      value: bytes(SOURCE_VALUE, SOURCE_VALUE_LENGTH),
    })
  }
  return versions
}
