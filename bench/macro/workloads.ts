/**
 * The macro workloads, named and shaped after db_bench's: each runs against an open tree and comes back with what it
 * took. What they read must be there: `run.ts` puts them in order.
 */
import type { Tree } from '../../src/main/index.js'
import { type KeyOrder, type KeySpace, Random } from './key-space.js'
import { type Measurement, Meter, mix } from './meter.js'

const SEEK_STEPS = 10
const MULTIGET_KEYS = 100

export interface Bench {
  readonly tree: Tree
  readonly space: KeySpace
  /** Entries of the tree. */
  readonly count: number
  readonly order: KeyOrder
  readonly seed: number
  /** Operations of the read workloads. */
  readonly reads: number
}

/** Something of a value that a wrong result would change. */
function taste(value: Buffer | undefined): number {
  return value === undefined ? -1 : value.length + (value[value.length >> 1] as number)
}

/** Inserts every entry, in the order of their numbers. */
export async function fill(name: string, bench: Bench): Promise<Measurement> {
  const { tree, space, count, order } = bench
  return Meter.eachWrite(
    name,
    count,
    (i) => tree.insert(space.key(i, order), space.value(i)),
    () => tree.drained(),
  )
}

/** Inserts as many entries again, over keys drawn at random. */
export async function overwrite(name: string, bench: Bench): Promise<Measurement> {
  const { tree, space, count, order, seed } = bench
  const random = new Random(seed)
  return Meter.eachWrite(
    name,
    count,
    () => {
      const number = random.below(count)
      return tree.insert(space.key(number, order), space.value(number, 1))
    },
    () => tree.drained(),
  )
}

export function readRandom(name: string, bench: Bench): Measurement {
  const { tree, space, count, order, seed, reads } = bench
  const random = new Random(seed + 1)
  return Meter.each(name, reads, () => taste(tree.get(space.key(random.below(count), order))))
}

/** Gets of keys that lie between those that are there. */
export function readMissing(name: string, bench: Bench): Measurement {
  const { tree, space, count, order, seed, reads } = bench
  const random = new Random(seed + 2)
  return Meter.each(name, reads, () =>
    taste(tree.get(space.key(count + random.below(count), order))),
  )
}

/** All entries in a `for…of`, keys and values as Buffers. */
export async function readAll(
  name: string,
  bench: Bench,
  isReverse: boolean,
): Promise<Measurement> {
  return Meter.whole(name, () => {
    let operations = 0
    let bytes = 0
    let checksum = 0
    for (const [key, value] of bench.tree.range({ reverse: isReverse })) {
      operations++
      bytes += key.length + value.length
      checksum = mix(checksum, taste(value) + (key[1] as number))
    }
    return { operations, bytes, checksum }
  })
}

/** Opens an iterator at a random key and takes a few entries. */
export function seekRandom(name: string, bench: Bench): Measurement {
  const { tree, space, count, order, seed } = bench
  const random = new Random(seed + 3)
  const seeks = Math.max(1, Math.floor(bench.reads / SEEK_STEPS))
  return Meter.each(name, seeks, () => {
    let checksum = 0
    using entries = tree.range({ gte: space.key(random.below(count), order) })
    for (let i = 0; i < SEEK_STEPS; i++) {
      const { done, value } = entries.next()
      if (done === true) break
      checksum = mix(checksum, taste(value[1]))
    }
    return checksum
  })
}

/** Batches of random keys; an operation is one key. */
export async function multiGet(name: string, bench: Bench): Promise<Measurement> {
  const { tree, space, count, order, seed, reads } = bench
  const random = new Random(seed + 4)
  const batches = Array.from({ length: Math.max(1, Math.floor(reads / MULTIGET_KEYS)) }, () =>
    Array.from({ length: MULTIGET_KEYS }, () => space.keyCopy(random.below(count), order)),
  )
  return Meter.whole(name, () => {
    let checksum = 0
    for (const keys of batches) {
      for (const value of tree.multiGet(keys)) checksum = mix(checksum, taste(value))
    }
    return { operations: batches.length * MULTIGET_KEYS, checksum }
  })
}

/** Bytes of keys and values that the tree was given. */
export function givenBytes({ space, count }: Bench): number {
  return count * (space.keyBytes + space.valueBytes)
}

/** Writes the memtables out; an operation is an entry. */
export async function flush(name: string, bench: Bench): Promise<Measurement> {
  return Meter.whole(name, async () => {
    await bench.tree.flush()
    return { operations: bench.count, bytes: givenBytes(bench), checksum: bench.count }
  })
}

/** Merges everything into the last level; bytes are those of the input's tables. */
export async function compact(name: string, bench: Bench): Promise<Measurement> {
  return Meter.whole(name, async () => {
    const bytes = bench.tree.diskSpace()
    await bench.tree.majorCompact()
    return { operations: bench.count, bytes, checksum: bench.count }
  })
}
