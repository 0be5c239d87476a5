/**
 * What an order of keys costs in a memtable: insert and seek under the order of bytes, and under its reverse by a function
 * of WebAssembly, by JavaScript over the memory, and by JavaScript over views. Nanoseconds per operation, the best of some
 * rounds, in turns. Run: `node build/bench/micro/comparators.js [keys] [rounds]`.
 */
import { comparators } from '../../src/main/index.js'
import { type Comparator, orderOf } from '../../src/shared/base/comparator.js'
import { BYTE_ORDER, type KeyOrder } from '../../src/shared/base/key-order.js'
import { MEMTABLE_CURSOR_BYTES, REGIONS_ADDRESS } from '../../src/shared/kernel/layout.js'
import { SharedMemory } from '../../src/shared/memory/shared-memory.js'

const KEY_BYTES = 16
const REGION_BYTES = 256 * 1024 * 1024

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
  ['bytes', BYTE_ORDER],
  ['reverse, WebAssembly', orderOf(comparators.reverse)],
  ['reverse, JavaScript in place', orderOf(inPlace)],
  ['reverse, JavaScript over views', orderOf(views)],
]

/** Nanoseconds per insert and per seek of random keys. */
function measure(shared: SharedMemory, keyCount: number): readonly [number, number] {
  const { kernel, bytes } = shared
  const cursor = REGIONS_ADDRESS
  const key = cursor + MEMTABLE_CURSOR_BYTES + 8
  const base = (key + KEY_BYTES + 63) & ~63
  kernel.memtable_init(base, REGION_BYTES)
  kernel.memtable_cursor_init(cursor, base)
  let state = 1
  const fill = (address: number): void => {
    for (let i = 0; i < KEY_BYTES; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      bytes[address + i] = state >>> 24
    }
  }
  const start = process.hrtime.bigint()
  for (let i = 0; i < keyCount; i++) {
    const address = kernel.memtable_reserve(base, KEY_BYTES, 100)
    fill(address)
    kernel.memtable_commit(base, KEY_BYTES, 100, 0, i)
  }
  const inserted = process.hrtime.bigint()
  for (let i = 0; i < keyCount; i++) {
    fill(key)
    kernel.memtable_cursor_seek(cursor, key, KEY_BYTES)
  }
  const sought = process.hrtime.bigint()
  return [Number(inserted - start) / keyCount, Number(sought - inserted) / keyCount]
}

const [keyCount = 200_000, rounds = 5] = process.argv.slice(2).map(Number)
const memory = SharedMemory.create(REGION_BYTES + 4 * 1024 * 1024)
const best = new Map(ORDERS.map(([name]) => [name, [Infinity, Infinity] as [number, number]]))
for (let round = 0; round < rounds; round++) {
  for (const [name, order] of ORDERS) {
    const found = measure(memory.inOrder(order), keyCount)
    const least = best.get(name) as [number, number]
    least[0] = Math.min(least[0], found[0])
    least[1] = Math.min(least[1], found[1])
  }
}
console.log(
  `${keyCount} random keys of ${KEY_BYTES} bytes; nanoseconds, the best of ${rounds} rounds`,
)
for (const [name, [insert, seek]] of best) {
  console.log(
    `${name.padEnd(32)} insert ${insert.toFixed(0).padStart(6)}   seek ${seek.toFixed(0).padStart(6)}`,
  )
}
