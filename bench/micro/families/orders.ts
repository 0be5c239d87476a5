/**
 * What an order of keys costs in a memtable: insert and seek under the order of bytes, and under its reverse by a function
 * of WebAssembly, by JavaScript over the memory, and by JavaScript over views.
 */
import { comparators } from '../../../src/main/index.js'
import { type Comparator, orderOf } from '../../../src/shared/base/comparator.js'
import { BYTE_ORDER, type KeyOrder } from '../../../src/shared/base/key-order.js'
import { MEMTABLE_CURSOR_BYTES, REGIONS_ADDRESS } from '../../../src/shared/kernel/layout.js'
import { SharedMemory } from '../../../src/shared/memory/shared-memory.js'
import { KEY_BYTES, keyOf, VALUE_BYTES } from '../entries.js'
import { type Effort, type Row, race } from '../race.js'

const views: Comparator = {
  name: 'reverse, views',
  compare: (a, b) => Buffer.compare(b, a),
}

const inPlace: Comparator = {
  ...views,
  name: 'reverse, in place',
  compareAt: (bytes, aStart, aLength, bStart, bLength) => {
    const length = Math.min(aLength, bLength)
    for (let i = 0; i < length; i++) {
      const difference = (bytes[bStart + i] as number) - (bytes[aStart + i] as number)
      if (difference !== 0) return difference
    }
    return bLength - aLength
  },
}

const ORDERS: readonly (readonly [string, KeyOrder])[] = [
  ['kernel', BYTE_ORDER],
  ['reverse, WebAssembly', orderOf(comparators.reverse)],
  ['reverse, JavaScript in place', orderOf(inPlace)],
  ['reverse, JavaScript over views', orderOf(views)],
]

export function orders({ scale, rounds }: Effort): Row[] {
  const count = Math.max(300, Math.ceil(50_000 * scale))
  const regionBytes = 64 * 1024 + count * 260
  const memory = SharedMemory.create(regionBytes + (1 << 20) + count * KEY_BYTES)
  const { bytes } = memory
  const cursor = REGIONS_ADDRESS
  const base = (cursor + MEMTABLE_CURSOR_BYTES + 63) & ~63
  const keys = base + regionBytes
  for (let i = 0; i < count; i++) bytes.set(keyOf(i), keys + i * KEY_BYTES)
  const inserts = ORDERS.map(([name, order]) => {
    const { kernel } = memory.inOrder(order)
    const operation = () => {
      kernel.memtable_init(base, regionBytes)
      for (let i = 0; i < count; i++) {
        const at = kernel.memtable_reserve(base, KEY_BYTES, VALUE_BYTES)
        if (at === 0) throw new Error('the memtable is too small')
        bytes.copyWithin(at, keys + i * KEY_BYTES, keys + (i + 1) * KEY_BYTES)
        kernel.memtable_commit(base, KEY_BYTES, VALUE_BYTES, 0, i)
      }
      return count
    }
    return { name, operations: 1, operation, kernel }
  })
  const rows = race(
    { family: 'orders', name: `insert, ${count} keys`, items: count },
    inserts,
    rounds,
  )
  for (const { name, operation, kernel } of inserts) {
    // A memtable is in one order: each has its own filled before it seeks.
    operation()
    kernel.memtable_cursor_init(cursor, base)
    const seek = (i: number) =>
      kernel.memtable_cursor_seek(cursor, keys + (i % count) * KEY_BYTES, KEY_BYTES) === 0 ? 0 : 1
    const seeker = { name, operations: count, operation: seek }
    rows.push(...race({ family: 'orders', name: `seek, ${count} keys` }, [seeker], rounds))
  }
  return rows
}
