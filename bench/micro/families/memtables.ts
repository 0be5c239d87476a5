/**
 * The memtable: loops inside WebAssembly against a skiplist (`../memtable.ts`), and calls from JavaScript against the plain
 * twin, which is a sorted array.
 */
import { MEMTABLE_BYTES_MIN, MEMTABLE_CURSOR_BYTES } from '../../../src/shared/kernel/layout.js'
import { ReferenceMemtable } from '../../../src/shared/kernel/reference/memtable.js'
import { TestMemory } from '../../../test/support/memory.js'
import { KEY_BYTES, keyOf, VALUE_BYTES } from '../entries.js'
import { type Figures, measure } from '../memtable.js'
import { type Effort, operationsFor, type Row, race } from '../race.js'

/** The twin shifts an array with every insert. */
const TWIN_ENTRIES = 2000

const TIMES = ['insert', 'hit', 'miss', 'scan', 'seek', 'seek50'] as const

export function memtables(effort: Effort): Row[] {
  const { scale, rounds } = effort
  const rows = twinRows(effort)
  for (const order of ['random', 'sequential'] as const) {
    for (const most of [100_000, 500_000]) {
      const count = Math.max(1000, Math.ceil(most * scale))
      const { memtable, skiplist } = measure(count, order, rounds)
      if (memtable.checksum !== skiplist.checksum) throw new RangeError('they do not agree')
      const row = (contender: string, figures: Figures, time: (typeof TIMES)[number]): Row => ({
        ...{ family: 'memtables', subject: `${time}, ${count} ${order}`, contender, bytes: 0 },
        ...{ nanoseconds: figures[time], digest: figures.checksum },
      })
      for (const time of TIMES) {
        rows.push(row('kernel', memtable, time), row('skiplist', skiplist, time))
      }
    }
  }
  return rows
}

function twinRows(effort: Effort): Row[] {
  const { rounds } = effort
  const memory = new TestMemory(2)
  const { kernel, bytes } = memory
  const size = Math.max(MEMTABLE_BYTES_MIN, 1 << 20)
  const base = memory.allocate(size)
  const cursor = memory.allocate(MEMTABLE_CURSOR_BYTES)
  const keys = Array.from({ length: 2 * TWIN_ENTRIES }, (_, i) => keyOf(i))
  const places = keys.map((key) => memory.place(key))
  const value = new Uint8Array(VALUE_BYTES).fill(0x76)
  const fill = () => {
    kernel.memtable_init(base, size)
    for (let i = 0; i < TWIN_ENTRIES; i++) {
      const at = kernel.memtable_reserve(base, KEY_BYTES, VALUE_BYTES)
      bytes.set(keys[i] as Uint8Array, at)
      bytes.set(value, at + KEY_BYTES)
      kernel.memtable_commit(base, KEY_BYTES, VALUE_BYTES, 0, i)
    }
    return TWIN_ENTRIES
  }
  let twin = new ReferenceMemtable()
  const fillTwin = () => {
    twin = new ReferenceMemtable()
    for (let i = 0; i < TWIN_ENTRIES; i++) twin.insert(keys[i] as Uint8Array, value, 0, i)
    return twin.entries.length
  }
  const gets = operationsFor(100, effort)
  const scan = () => {
    kernel.memtable_cursor_init(cursor, base)
    let count = 0
    for (let at = kernel.memtable_cursor_first(cursor); at !== 0; count++) {
      at = kernel.memtable_cursor_next(cursor)
    }
    return count
  }
  const scanTwin = () => {
    const walk = twin.cursor()
    let count = 0
    for (let at = walk.first(); at !== undefined; at = walk.next()) count++
    return count
  }
  const at = (i: number, first: number) => first + ((i * 613) % TWIN_ENTRIES)
  const get = (first: number) => [
    {
      ...{ name: 'kernel', operations: gets },
      operation: (i: number) =>
        kernel.memtable_get(base, places[at(i, first)] as number, KEY_BYTES, Infinity) === 0
          ? 0
          : 1,
    },
    {
      ...{ name: 'twin', operations: Math.ceil(gets / 10) },
      operation: (i: number) => (twin.get(keys[at(i, first)] as Uint8Array, Infinity) ? 1 : 0),
    },
  ]
  const name = (what: string) => ({
    family: 'memtables',
    name: `${what}, ${TWIN_ENTRIES} by calls`,
  })
  const pair = (operation: () => number, twinOperation: () => number) => [
    { name: 'kernel', operations: operationsFor(400_000, effort), operation },
    { name: 'twin', operations: operationsFor(2_000_000, effort), operation: twinOperation },
  ]
  return [
    ...race({ ...name('insert'), items: TWIN_ENTRIES }, pair(fill, fillTwin), rounds),
    ...race(name('hit'), get(0), rounds),
    ...race(name('miss'), get(TWIN_ENTRIES), rounds),
    ...race({ ...name('scan'), items: TWIN_ENTRIES }, pair(scan, scanTwin), rounds),
  ]
}
