/** Sorting an ingest buffer: the kernel, and JavaScript's own sort over Buffers. Entries are counted, not their bytes. */
import { RESIDENT_SLOTS } from '../../../src/shared/kernel/layout.js'
import {
  INGEST_BLOCK_COUNT,
  INGEST_HEADER_BYTES,
  SORT_BYTES_AN_ENTRY,
} from '../../../src/shared/kernel/layout-ingest.js'
import { testWorkspace } from '../../../test/support/workspace.js'
import { KEY_BYTES, keyOf, VALUE_BYTES } from '../entries.js'
import { digestOf, type Effort, mix, operationsFor, type Row, race } from '../race.js'

/** In front of a key: kind, seqno, and the two lengths, a byte each. */
const BEFORE_KEY = 4

export function ingest(effort: Effort): Row[] {
  const { scale, rounds } = effort
  const rows: Row[] = []
  for (const most of [10_000, 300_000]) {
    const count = Math.max(300, Math.ceil(most * scale))
    const bytes = count * (KEY_BYTES + VALUE_BYTES + 40)
    const workspace = testWorkspace(2 + Math.ceil((bytes + count * 48) / (1 << 20)))
    const { shared, heap } = workspace
    const { kernel } = shared
    const buffer = heap.allocate(bytes)
    const value = new Uint8Array(VALUE_BYTES).fill(0x76)
    const keys = Array.from({ length: count }, (_, i) => keyOf(i))
    const fill = () => {
      kernel.ingest_init(buffer, bytes, 0, 0, 0)
      for (const key of keys) {
        const at = kernel.ingest_reserve(buffer, KEY_BYTES, VALUE_BYTES)
        if (at === 0) throw new Error('the buffer is too small')
        shared.bytes.set(key, at)
        shared.bytes.set(value, at + KEY_BYTES)
        kernel.ingest_commit(buffer, KEY_BYTES, VALUE_BYTES, 0, 0)
      }
      return count
    }
    fill()
    const target = heap.allocate(RESIDENT_SLOTS + 8 * count)
    const records = heap.allocate(SORT_BYTES_AN_ENTRY * count + 64)
    const first = (buffer + INGEST_HEADER_BYTES + 7) & ~7
    const blocks = shared.getU32(buffer + INGEST_BLOCK_COUNT)
    const sort = () => {
      kernel.ingest_sort(first, blocks, count, target, records)
      return count
    }
    const operations = operationsFor(150 * count, effort)
    const slow = operationsFor(800 * count, effort)
    const subject = { family: 'ingest', name: `sort, ${count} entries`, items: count }
    const contenders = [
      {
        ...{ name: 'kernel', operations, operation: sort },
        result: () => {
          sort()
          let digest = 0
          for (let i = 0; i < count; i++) {
            const entry = (target + shared.getU32(target + RESIDENT_SLOTS + 8 * i + 4)) >>> 0
            const key = shared.view(entry + BEFORE_KEY, KEY_BYTES)
            digest = mix(digest, digestOf(key))
          }
          return digest
        },
      },
      {
        ...{ name: 'twin', operations: slow },
        operation: () => keys.toSorted(Buffer.compare).length,
        result: () => keys.toSorted(Buffer.compare).map(digestOf).reduce(mix, 0),
      },
    ]
    rows.push(...race(subject, contenders, rounds))
    const added = { ...subject, name: `add, ${count} entries`, bytes: KEY_BYTES + VALUE_BYTES }
    rows.push(...race(added, [{ name: 'kernel', operations, operation: fill }], rounds))
  }
  return rows
}
