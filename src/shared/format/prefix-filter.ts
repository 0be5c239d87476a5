/**
 * The prefix filter of a table, a section of our own that other readers pass over (`varve_prefix_filter`): one filter
 * block, never compressed. Pure; any thread.
 *
 *   OFFSET  SIZE  FIELD
 *        0     4  magic "VPF1"
 *        4     2  length of the name, u16
 *        6     n  name of the prefix extractor, UTF-8
 *                 zeros to a multiple of 8
 *              …  a compact filter (`kernel/assembly/ribbon.ts`) of the XXH3-64 of every prefix of every key
 *
 * I1: it says something about scans under the extractor of that name only.
 */

export const PREFIX_FILTER_SECTION = 'varve_prefix_filter'

const MAGIC = Buffer.from('VPF1', 'latin1')
const FIXED_BYTES = 6

/** Bytes before the filter. */
function headBytes(nameBytes: number): number {
  return (FIXED_BYTES + nameBytes + 7) & ~7
}

export function encodePrefixFilter(name: string, filter: Uint8Array): Uint8Array {
  const nameBytes = Buffer.from(name)
  const head = headBytes(nameBytes.length)
  const out = Buffer.alloc(head + filter.length)
  MAGIC.copy(out)
  out.writeUInt16LE(nameBytes.length, 4)
  nameBytes.copy(out, FIXED_BYTES)
  out.set(filter, head)
  return out
}

/** The extractor's name, and where the filter begins; undefined where the payload is malformed. */
export function decodePrefixFilter(
  payload: Uint8Array,
): { readonly name: string; readonly offset: number } | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (bytes.length < FIXED_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) return undefined
  const nameBytes = bytes.readUInt16LE(4)
  const offset = headBytes(nameBytes)
  if (offset > bytes.length) return undefined
  return { name: bytes.toString('utf8', FIXED_BYTES, FIXED_BYTES + nameBytes), offset }
}
