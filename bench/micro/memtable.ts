/**
 * The memtable kernel (B+tree with hash) against a plain skiplist: insert, get, miss, scan, seek,
 * in nanoseconds per operation, loops inside WebAssembly, the two in turns. Run: `node
 * build/bench/micro/memtable.js [rounds]`.
 */
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import {
  MEMTABLE_CURSOR_BYTES,
  MEMTABLE_REUSES_NODES,
  MEMTABLE_USED_BYTES,
  REGIONS_ADDRESS,
} from '../../src/shared/kernel/layout.js'

const KEY_BYTES = 16
const VALUE_BYTES = 100
const SEEKS_MAX = 50_000

interface BenchKernel {
  memtable_init(base: number, bytes: number): void
  memtable_insert_all(...args: number[]): number
  memtable_get_all(...args: number[]): number
  memtable_scan(base: number, cursor: number): number
  memtable_seek_all(...args: number[]): number
  skiplist_init(list: number): void
  skiplist_used(list: number): number
  skiplist_insert_all(...args: number[]): number
  skiplist_get_all(...args: number[]): number
  skiplist_scan(list: number): number
  skiplist_seek_all(...args: number[]): number
}

/** The figures of one structure: nanoseconds per operation, and bytes per entry. */
export interface Figures {
  insert: number
  hit: number
  miss: number
  scan: number
  seek: number
  seek50: number
  bytes: number
  /** What all reads of the last round added up to: equal for both structures. */
  checksum: number
}

export type KeyOrder = 'random' | 'sequential'

/** How the bytes of the memory are divided. */
interface Plan {
  readonly keys: number
  readonly shuffled: number
  readonly absent: number
  readonly value: number
  readonly cursor: number
  readonly region: number
  readonly regionBytes: number
}

function plan(count: number): { plan: Plan; pages: number } {
  let top = REGIONS_ADDRESS
  const take = (bytes: number) => {
    const address = top
    top = (top + bytes + 63) & ~63
    return address
  }
  const regionBytes = Math.max(1 << 20, count * 190)
  const layout: Plan = {
    keys: take(count * KEY_BYTES),
    shuffled: take(count * KEY_BYTES),
    absent: take(count * KEY_BYTES),
    value: take(VALUE_BYTES),
    cursor: take(MEMTABLE_CURSOR_BYTES),
    region: take(regionBytes),
    regionBytes,
  }
  return { plan: layout, pages: Math.ceil(top / 65_536) }
}

/** A one-to-one scrambling of 32-bit numbers (the finalizer of MurmurHash3). */
function scramble(number: number): number {
  let x = number >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35)
  return (x ^ (x >>> 16)) >>> 0
}

/** Key `number`: even ones are inserted, odd ones are absent. */
function writeKey(view: DataView, address: number, number: number, order: KeyOrder): void {
  const [first, last] = order === 'random' ? [scramble(number), scramble(~number)] : [0, number]
  view.setUint32(address, first)
  view.setUint32(address + 4, order === 'random' ? scramble(number + 7) : 0)
  view.setUint32(address + 8, last)
  view.setUint32(address + 12, 0x6b65_7921)
}

/** Times both structures over `count` keys. RETURNS: the median of `rounds` rounds each. */
export function measure(
  count: number,
  order: KeyOrder,
  rounds: number,
): { memtable: Figures; skiplist: Figures } {
  const { plan: at, pages } = plan(count)
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  const wasm = new URL('./bench.wasm', import.meta.url)
  const module = new WebAssembly.Module(readFileSync(wasm))
  const kernel = new WebAssembly.Instance(module, { env: { memory } })
    .exports as unknown as BenchKernel
  const view = new DataView(memory.buffer)
  for (let i = 0; i < count; i++) {
    writeKey(view, at.keys + i * KEY_BYTES, 2 * i, order)
    writeKey(view, at.absent + i * KEY_BYTES, 2 * i + 1, order)
  }
  new Uint8Array(memory.buffer, at.value, VALUE_BYTES).fill(0x76)
  // Reads come in an order of their own: one step of a full cycle at a time.
  let next = 0
  const step = coprimeNear(count, 0.618)
  for (let i = 0; i < count; i++) {
    writeKey(view, at.shuffled + i * KEY_BYTES, 2 * next, order)
    next = (next + step) % count
  }
  const seeks = Math.min(count, SEEKS_MAX)
  const lists: { memtable: Figures[]; skiplist: Figures[] } = { memtable: [], skiplist: [] }
  for (let round = 0; round < rounds; round++) {
    const clock = stopwatch()
    kernel.memtable_init(at.region, at.regionBytes)
    // As the engine has it while no other thread is attached.
    view.setUint32(at.region + MEMTABLE_REUSES_NODES, 1, true)
    clock()
    const put = kernel.memtable_insert_all(
      ...[at.region, at.keys, count, KEY_BYTES, at.value, VALUE_BYTES],
    )
    const insert = clock() / count
    if (put !== count) throw new RangeError(`only ${put} of ${count} entries fit`)
    const hits = kernel.memtable_get_all(at.region, at.shuffled, count, KEY_BYTES)
    const hit = clock() / count
    const misses = kernel.memtable_get_all(at.region, at.absent, count, KEY_BYTES)
    const miss = clock() / count
    const scanned = kernel.memtable_scan(at.region, at.cursor)
    const scan = clock() / count
    const sought = kernel.memtable_seek_all(
      ...[at.region, at.cursor, at.shuffled, seeks, KEY_BYTES, 1],
    )
    const seek = clock() / seeks
    const ranged = kernel.memtable_seek_all(
      ...[at.region, at.cursor, at.shuffled, seeks, KEY_BYTES, 50],
    )
    const seek50 = clock() / seeks
    const bytes = view.getUint32(at.region + MEMTABLE_USED_BYTES, true) / count
    const checksum = combine([hits, misses, scanned, sought, ranged])
    lists.memtable.push({ insert, hit, miss, scan, seek, seek50, bytes, checksum })

    kernel.skiplist_init(at.region)
    clock()
    kernel.skiplist_insert_all(at.region, at.keys, count, KEY_BYTES, at.value, VALUE_BYTES)
    const figures = { insert: clock() / count } as Figures
    const sums = [kernel.skiplist_get_all(at.region, at.shuffled, count, KEY_BYTES)]
    figures.hit = clock() / count
    sums.push(kernel.skiplist_get_all(at.region, at.absent, count, KEY_BYTES))
    figures.miss = clock() / count
    sums.push(kernel.skiplist_scan(at.region))
    figures.scan = clock() / count
    sums.push(kernel.skiplist_seek_all(at.region, at.shuffled, seeks, KEY_BYTES, 1))
    figures.seek = clock() / seeks
    sums.push(kernel.skiplist_seek_all(at.region, at.shuffled, seeks, KEY_BYTES, 50))
    figures.seek50 = clock() / seeks
    figures.bytes = kernel.skiplist_used(at.region) / count
    figures.checksum = combine(sums)
    lists.skiplist.push(figures)
  }
  return { memtable: medians(lists.memtable), skiplist: medians(lists.skiplist) }
}

/** Nanoseconds since the last call. */
function stopwatch(): () => number {
  let last = process.hrtime.bigint()
  return () => {
    const now = process.hrtime.bigint()
    const passed = Number(now - last)
    last = now
    return passed
  }
}

function combine(sums: number[]): number {
  return sums.reduce((all, sum) => (Math.imul(all, 31) + sum) | 0, 0) >>> 0
}

function coprimeNear(count: number, share: number): number {
  const divides = (a: number, b: number): boolean => (b === 0 ? a === 1 : divides(b, a % b))
  let step = Math.max(1, Math.floor(count * share))
  while (!divides(count, step)) step++
  return step
}

function medians(figures: Figures[]): Figures {
  const middle = (name: keyof Figures) =>
    figures.map((each) => each[name]).sort((a, b) => a - b)[figures.length >> 1]!
  return {
    insert: middle('insert'),
    hit: middle('hit'),
    miss: middle('miss'),
    scan: middle('scan'),
    seek: middle('seek'),
    seek50: middle('seek50'),
    bytes: middle('bytes'),
    checksum: figures.at(-1)!.checksum,
  }
}

/** The whole bench in a blink, for tests. RETURNS: the checksums of both structures. */
export function runTiny(): { memtable: number; skiplist: number }[] {
  return (['random', 'sequential'] as const).map((order) => {
    const { memtable, skiplist } = measure(2000, order, 1)
    return { memtable: memtable.checksum, skiplist: skiplist.checksum }
  })
}

/** Prints the table. */
export function run(rounds: number): void {
  console.log(`${cpus()[0]?.model}, node ${process.version}, ${rounds} rounds, ns per operation`)
  console.log(`${KEY_BYTES}-byte keys, ${VALUE_BYTES}-byte values; memtable / skiplist`)
  const columns = ['insert', 'hit', 'miss', 'scan', 'seek', 'seek50', 'bytes'] as const
  console.log(['keys'.padEnd(20), ...columns.map((name) => name.padStart(13))].join(''))
  for (const order of ['random', 'sequential'] as const) {
    for (const count of [100_000, 500_000, 1_000_000]) {
      const { memtable, skiplist } = measure(count, order, rounds)
      const cells = columns.map((name) =>
        `${Math.round(memtable[name])} / ${Math.round(skiplist[name])}`.padStart(13),
      )
      const sums = `  ${memtable.checksum.toString(16)} ${skiplist.checksum.toString(16)}`
      console.log(`${order} ${count}`.padEnd(20) + cells.join('') + sums)
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) run(Number(process.argv[2] ?? 5))
