/**
 * Bodies from disk into resident blocks and indexes: the bytes the twin makes, the searches of the
 * twin, and hostile bodies, which are refused with the twin's code or read as the twin reads them.
 */
import t from 'tap'
import {
  BLOCK_ERROR_SEQNO,
  BLOCK_NO_SPACE,
  BLOCK_SCRATCH_BYTES,
  KIND_VALUE,
  SOURCE_ROW_BYTES,
} from '../../src/shared/kernel/layout.js'
import {
  encodeDataBody,
  encodeIndexBody,
  type IndexedBlock,
} from '../../src/shared/kernel/reference/block-writer.js'
import {
  encodeResidentBlock,
  encodeResidentIndex,
  searchEntries,
  searchIndex,
} from '../../src/shared/kernel/reference/resident-block.js'
import { decodeDataBody, decodeIndexBody } from '../../src/shared/kernel/reference/restart-block.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'
import { decodeRows } from '../support/rows.js'
import { difference, randomKeys, randomVersions } from '../support/versions.js'

const PIECE_BYTES = 4 << 20
const GUARD_BYTES = 64
const GUARD = 0xa5
const ROWS_SEQNO = 7

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const memory = new TestMemory(24)
const { kernel } = memory
const source = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const target = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const scratch = memory.allocate(BLOCK_SCRATCH_BYTES)
const keyPlace = memory.allocate(65_600)

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Runs a conversion into `capacity` bytes between guards; the bytes it made, or its code. */
function guarded(capacity: number, convert: () => number): Uint8Array | number {
  memory.bytes.fill(GUARD, target - GUARD_BYTES, target)
  memory.bytes.fill(GUARD, target + capacity, target + capacity + GUARD_BYTES)
  const result = convert()
  for (let i = 0; i < GUARD_BYTES; i++) {
    if (memory.bytes[target - 1 - i] !== GUARD) throw new Error('wrote before the target')
    if (memory.bytes[target + capacity + i] !== GUARD) throw new Error('wrote behind the target')
  }
  if (result >= 0) return memory.copy(target, result)
  if (result < BLOCK_ERROR_SEQNO && result !== BLOCK_NO_SPACE) throw new Error(`code ${result}`)
  return result
}

/** The body lies before bytes that would continue it, so that a read behind its end shows. */
function convertBlock(body: Uint8Array, capacity: number): Uint8Array | number {
  memory.bytes.set(body, source)
  memory.bytes.fill(random.u32() & 255, source + body.length, source + body.length + GUARD_BYTES)
  return guarded(capacity, () =>
    kernel.resident_block_convert(source, body.length, target, capacity),
  )
}

/** The entries of the rows, whose seqnos are raised meanwhile. */
function convertToRows(body: Uint8Array, capacity: number): Version[] | number {
  memory.bytes.set(body, source)
  memory.bytes.fill(random.u32() & 255, source + body.length, source + body.length + GUARD_BYTES)
  let count = 0
  const found = guarded(capacity, () => {
    count = kernel.block_rows_convert_at(
      ...([source, body.length, target, capacity, ROWS_SEQNO] as const),
    )
    return count
  })
  if (typeof found === 'number') return found
  const end = target + count * SOURCE_ROW_BYTES
  return decodeRows(memory.bytes, target, end).map((version) => {
    return { ...version, seqno: version.seqno - ROWS_SEQNO }
  })
}

function convertIndex(
  body: Uint8Array,
  capacity: number,
  handles: readonly [number, number],
): Uint8Array | number {
  memory.bytes.set(body, source)
  memory.bytes.fill(random.u32() & 255, source + body.length, source + body.length + GUARD_BYTES)
  return guarded(capacity, () =>
    kernel.resident_index_convert(source, body.length, target, capacity, scratch, ...handles),
  )
}

function someEntries(keysMax: number, seqnoMax: number): Version[] {
  for (;;) {
    const keys = randomKeys(random, 1 + random.below(keysMax))
    const entries = randomVersions(random, keys, { seqnoMin: 0, seqnoMax, versionsMax: 4 })
    if (entries.length > 0) return entries
  }
}

function someBlocks(count: number): IndexedBlock[] {
  let end = random.below(1000)
  const keys = randomKeys(random, count)
  return keys.flatMap((endKey) => {
    // Blocks that end in versions of one key.
    const seqnos = random.chance(0.2) ? [9, 5, 5, 0] : [random.below(2 ** 50)]
    return seqnos.map((seqno): IndexedBlock => {
      const offset = end + (random.chance(0.1) ? random.below(100) : 0)
      const size = 1 + random.below(10_000)
      end = offset + size
      return { endKey, seqno, offset, size }
    })
  })
}

/** Keys worth looking for: each one, the ones right before and behind it, and others. */
function neighbours(keys: readonly Uint8Array[]): Uint8Array[] {
  const found = keys.flatMap((key) => {
    const last = key[key.length - 1]!
    const changed = (byte: number): Uint8Array => Uint8Array.from([...key.slice(0, -1), byte])
    return [
      key,
      Uint8Array.from([...key, 0]),
      Uint8Array.from([...key, 255]),
      ...(key.length > 1 ? [key.slice(0, -1)] : []),
      ...(last > 0 ? [changed(last - 1)] : []),
      ...(last < 255 ? [changed(last + 1)] : []),
    ]
  })
  const others = [Uint8Array.of(0), new Uint8Array(9).fill(255), random.bytes(1 + random.below(50))]
  return [...found, ...others]
}

const ANY_SEQNO = -1

t.test('data bodies become the resident blocks of the twin', async (t) => {
  for (const interval of [1, 2, 16, 255]) {
    let wrong = 0
    for (let round = 0; round < 100; round++) {
      const entries = someEntries(random.pick([1, 5, 60]), random.pick([5, 2 ** 53 - 1]))
      const body = encodeDataBody(entries, interval, random.pick([0, 0.5, 1.33]))
      const resident = encodeResidentBlock(entries)
      const found = convertBlock(body, PIECE_BYTES / 2)
      if (typeof found === 'number' || !equal(found, resident)) wrong++
      const exact = convertBlock(body, resident.length)
      if (typeof exact === 'number' || !equal(exact, resident)) wrong++
      for (const missing of [1, 2, 9, resident.length - 17, resident.length]) {
        const capacity = Math.max(0, resident.length - missing)
        if (convertBlock(body, capacity) !== BLOCK_NO_SPACE) wrong++
      }
    }
    t.equal(wrong, 0, `restart interval ${interval}`)
  }
})

t.test('data bodies become rows, in any room that holds them', async (t) => {
  for (const interval of [1, 2, 16, 255]) {
    let wrong = 0
    let cut = 0
    for (let round = 0; round < 100; round++) {
      const entries = someEntries(random.pick([1, 5, 60]), random.pick([5, 2 ** 53 - 8]))
      const body = encodeDataBody(entries, interval, random.pick([0, 0.5, 1.33]))
      const keyBytes = entries.reduce((sum, { key }) => sum + key.length + 16, 0)
      const room = entries.length * SOURCE_ROW_BYTES + keyBytes
      for (const capacity of [PIECE_BYTES / 2, room, random.below(room), random.below(room)]) {
        const found = convertToRows(body, capacity)
        if (found === BLOCK_NO_SPACE && capacity < room) cut++
        else if (typeof found === 'number' || difference(found, entries) !== undefined) wrong++
      }
    }
    t.equal(wrong, 0, `restart interval ${interval}`)
    t.ok(cut > 0, `${cut} without room`)
  }
})

t.test('long keys, and heads behind the first 64 KiB', async (t) => {
  const keys = [65_535, 65_534, 65_535].map((length, i) => new Uint8Array(length).fill(i))
  const entries = keys.map((key): Version => {
    return { key, seqno: 3, kind: KIND_VALUE, value: new Uint8Array(0) }
  })
  for (const interval of [1, 2]) {
    const found = convertBlock(encodeDataBody(entries, interval), PIECE_BYTES / 2)
    t.ok(typeof found !== 'number' && equal(found, encodeResidentBlock(entries)))
  }
})

t.test('searches of a resident block find what the twin finds', async (t) => {
  const wrong: string[] = []
  for (let round = 0; round < 60; round++) {
    const entries = someEntries(random.pick([1, 3, 40]), random.pick([4, 20]))
    memory.bytes.set(encodeResidentBlock(entries), target)
    const seqnos = [...new Set(entries.flatMap(({ seqno }) => [seqno, seqno + 1])), 0]
    for (const key of neighbours(entries.map((entry) => entry.key))) {
      memory.bytes.set(key, keyPlace)
      const search = (seqno: number): number =>
        kernel.resident_search_at(target, keyPlace, key.length, seqno)
      if (search(ANY_SEQNO) !== searchEntries(entries, key)) wrong.push('any seqno')
      for (const seqno of seqnos) {
        if (search(seqno) !== searchEntries(entries, key, seqno)) wrong.push(`seqno ${seqno}`)
      }
    }
  }
  t.strictSame(wrong, [])
})

t.test('long runs of equal heads', async (t) => {
  // 4 key bytes behind the common prefix are all alike, so that only whole keys tell them apart.
  const wrong: number[] = []
  for (const count of [2, 3, 7, 64, 500]) {
    const keys = Array.from({ length: count }, (_, i) => Uint8Array.of(7, 7, 7, 7, 7, i >> 8, i))
    const all = [Uint8Array.of(1), ...keys, Uint8Array.of(9)]
    const entries = all.map((key): Version => {
      return { key, seqno: 1, kind: KIND_VALUE, value: key }
    })
    memory.bytes.set(encodeResidentBlock(entries), target)
    for (const key of neighbours(all)) {
      memory.bytes.set(key, keyPlace)
      const found = kernel.resident_search_at(target, keyPlace, key.length, ANY_SEQNO)
      if (found !== searchEntries(entries, key)) wrong.push(count)
    }
  }
  t.strictSame(wrong, [])
})

t.test(
  'blocks and indexes of every length up to where heads are counted, and of lengths beyond',
  async (t) => {
    const wrong: string[] = []
    const lengths = [...Array.from({ length: 140 }, (_, i) => i + 1), 255, 256, 257, 600, 2000]
    for (const count of lengths) {
      // Heads that differ in their upper half, in their lower half, and some that are alike.
      const numbers = new Set<number>()
      while (numbers.size < count) numbers.add(random.below(random.pick([2 ** 16, 2 ** 32])))
      const keys = [...numbers]
        .sort((a, b) => a - b)
        .map((number) => {
          const key = Buffer.alloc(9, 5)
          key.writeUInt32BE(number, 4)
          key.writeUInt32BE(number >>> 8, 0)
          return key as Uint8Array
        })
      const entries = keys.map((key): Version => ({ key, seqno: 1, kind: KIND_VALUE, value: key }))
      const blocks = keys.map(
        (endKey, i): IndexedBlock => ({ endKey, seqno: 1, offset: i, size: 1 }),
      )
      const sought = neighbours(random.chance(0.5) ? keys : keys.slice(-40))
      memory.bytes.set(encodeResidentBlock(entries), target)
      for (const key of sought) {
        memory.bytes.set(key, keyPlace)
        const found = kernel.resident_search_at(target, keyPlace, key.length, ANY_SEQNO)
        if (found !== searchEntries(entries, key)) wrong.push(`block of ${count}`)
      }
      memory.bytes.set(encodeResidentIndex(blocks), target)
      for (const key of sought) {
        memory.bytes.set(key, keyPlace)
        const found = kernel.index_search_at(target, keyPlace, key.length, ANY_SEQNO)
        if (found !== searchIndex(blocks, key)) wrong.push(`index of ${count}`)
      }
    }
    t.strictSame(wrong, [])
  },
)

t.test(
  'index bodies become the resident indexes of the twin, and are searched alike',
  async (t) => {
    let wrong = 0
    for (let round = 0; round < 150; round++) {
      const blocks = someBlocks(1 + random.below(random.pick([1, 5, 60])))
      const handles = [blocks[0]!.offset, blocks.at(-1)!.offset + blocks.at(-1)!.size] as const
      const body = encodeIndexBody(blocks, random.pick([1, 2, 16, 255]))
      const resident = encodeResidentIndex(blocks)
      const found = convertIndex(body, resident.length, handles)
      if (typeof found === 'number' || !equal(found, resident)) wrong++
      if (convertIndex(body, resident.length - 1, handles) !== BLOCK_NO_SPACE) wrong++
      memory.bytes.set(resident, target)
      for (const key of neighbours(blocks.map(({ endKey }) => endKey))) {
        memory.bytes.set(key, keyPlace)
        const search = (seqno: number): number =>
          kernel.index_search_at(target, keyPlace, key.length, seqno)
        if (search(ANY_SEQNO) !== searchIndex(blocks, key)) wrong++
        for (const seqno of [0, 1, 5, 6, 9, 10, 2 ** 50]) {
          if (search(seqno) !== searchIndex(blocks, key, seqno)) wrong++
        }
      }
      // Handles outside their section are refused.
      for (const narrow of [
        [handles[0] + 1, handles[1]] as const,
        [handles[0], handles[1] - 1] as const,
      ]) {
        const expected = decodeIndexBody(body, ...narrow)
        if (convertIndex(body, PIECE_BYTES / 2, narrow) !== expected) wrong++
      }
    }
    t.equal(wrong, 0)
  },
)

let refused = 0
let accepted = 0

/** True where kernel and twin agree on a body, in its code or in what it holds, as a resident block and as rows. */
function agreesOnBlock(body: Uint8Array): boolean {
  const expected = decodeDataBody(body)
  const found = convertBlock(body, PIECE_BYTES / 2)
  const rows = convertToRows(body, PIECE_BYTES / 2)
  if (typeof expected === 'number') {
    refused++
    return found === expected && rows === expected
  }
  accepted++
  if (typeof found === 'number' || typeof rows === 'number') return false
  return equal(found, encodeResidentBlock(expected)) && difference(rows, expected) === undefined
}

function agreesOnIndex(body: Uint8Array): boolean {
  const handles = [0, 1 << 20] as const
  const expected = decodeIndexBody(body, ...handles)
  const found = convertIndex(body, PIECE_BYTES / 2, handles)
  if (typeof expected === 'number') {
    refused++
    return found === expected
  }
  accepted++
  return typeof found !== 'number' && equal(found, encodeResidentIndex(expected))
}

/** Every truncation of a body and every byte of it changed, each way alone. */
function* damages(body: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at++) {
    yield body.subarray(0, at)
    yield body.subarray(at)
    for (const flip of [1, 2, 0x80, 0xff, random.below(256)]) {
      const damaged = Uint8Array.from(body)
      damaged[at]! ^= flip
      yield damaged
    }
    const raised = Uint8Array.from(body)
    raised[at]!++
    yield raised
  }
}

t.test('hostile data bodies', async (t) => {
  refused = 0
  accepted = 0
  let wrong = 0
  for (let round = 0; round < 12; round++) {
    const seqnoMax = random.pick([3, 100_000])
    const entries = someEntries(8, seqnoMax)
    const body = encodeDataBody(entries, random.pick([1, 2, 3, 16]), random.pick([0, 0, 1.33]))
    for (const damaged of damages(body)) if (!agreesOnBlock(damaged)) wrong++
  }
  for (let round = 0; round < 20_000; round++) {
    if (!agreesOnBlock(random.bytes(random.below(120)))) wrong++
  }
  t.equal(wrong, 0)
  t.ok(refused > 10_000, `${refused} refused, ${accepted} read`)
})

t.test('hostile entries behind a sound trailer', async (t) => {
  refused = 0
  accepted = 0
  let wrong = 0
  const soundBody = (count: number, interval: number): Uint8Array => {
    const entry = (i: number): Version => {
      return { key: Uint8Array.of(1, i), seqno: 0, kind: 1, value: new Uint8Array(0) }
    }
    const body = encodeDataBody(
      Array.from({ length: count }, (_, i) => entry(i)),
      interval,
    )
    return body
  }
  for (let round = 0; round < 30_000; round++) {
    const body = soundBody(1 + random.below(4), random.pick([1, 2, 16]))
    const end = body.indexOf(0xff)
    for (let hits = 1 + random.below(4); hits > 0; hits--) {
      body[random.below(end)] = random.pick([0, 1, 2, 3, 4, 127, 128, 255, random.below(256)])
    }
    if (!agreesOnBlock(body)) wrong++
    if (!agreesOnIndex(body)) wrong++
  }
  t.equal(wrong, 0)
  t.ok(refused > 10_000 && accepted > 1000, `${refused} refused, ${accepted} read`)
})

t.test('hostile index bodies', async (t) => {
  refused = 0
  accepted = 0
  let wrong = 0
  for (let round = 0; round < 30; round++) {
    const body = encodeIndexBody(someBlocks(1 + random.below(6)), random.pick([1, 2, 3, 16]))
    for (const damaged of damages(body)) if (!agreesOnIndex(damaged)) wrong++
  }
  for (let round = 0; round < 20_000; round++) {
    if (!agreesOnIndex(random.bytes(random.below(120)))) wrong++
  }
  t.equal(wrong, 0)
  t.ok(refused > 10_000, `${refused} refused, ${accepted} read`)
})

t.test(
  'usual index bodies, sound and hostile: every entry a head, keys of 8 bytes and more',
  async (t) => {
    refused = 0
    accepted = 0
    let wrong = 0
    for (let round = 0; round < 20; round++) {
      const prefix = random.bytes(random.pick([0, 0, 3, 8, 9, 30]))
      const keys = randomKeys(random, 2 + random.below(5)).map((key) => {
        return Uint8Array.from([...prefix, ...key, ...new Uint8Array(8)])
      })
      let end = 0
      const blocks = keys.flatMap((endKey) => {
        const seqnos = random.pick([[3], [2 ** 48], [2 ** 52], [9, 5, 5, 0]])
        return seqnos.map((seqno): IndexedBlock => {
          const offset = end + random.pick([0, 0, 90])
          const size = 1 + random.below(random.pick([100, 20_000, 60_000]))
          end = offset + size
          return { endKey, seqno, offset, size }
        })
      })
      const body = encodeIndexBody(blocks, 1)
      if (!agreesOnIndex(body)) wrong++
      for (const damaged of damages(body)) if (!agreesOnIndex(damaged)) wrong++
      // Two entries change places: each is sound, their order is not.
      const [i, j] = [random.below(blocks.length), random.below(blocks.length)]
      const swapped = blocks.map(({ endKey }, k) =>
        k === i ? blocks[j] : k === j ? blocks[i] : { endKey },
      )
      const turned = blocks.map((block, k) => ({ ...block, endKey: swapped[k]!.endKey }))
      if (!agreesOnIndex(encodeIndexBody(turned, 1))) wrong++
    }
    t.equal(wrong, 0)
    t.ok(refused > 10_000 && accepted > 1000, `${refused} refused, ${accepted} read`)
  },
)

t.test('seqnos that no JavaScript number holds are refused as such', async (t) => {
  const entry = (seqno: number): Version[] => {
    return [{ key: Uint8Array.of(1), seqno, kind: KIND_VALUE, value: new Uint8Array(0) }]
  }
  const most = encodeDataBody(entry(Number.MAX_SAFE_INTEGER), 1)
  t.not(typeof convertBlock(most, 1000), 'number')
  t.equal(convertBlock(encodeDataBody(entry(2 ** 53), 1), 1000), BLOCK_ERROR_SEQNO)
  const index = encodeIndexBody(
    [{ endKey: Uint8Array.of(1), seqno: 2 ** 53, offset: 0, size: 1 }],
    1,
  )
  t.equal(convertIndex(index, 1000, [0, 100]), BLOCK_ERROR_SEQNO)
})
