/**
 * Searches of raw blocks: what the twin finds in the same entries, and hostile bodies, of which nothing outside is read.
 * What a conversion takes is searched alike; of anything else a search may find what it walks over, or say that it is
 * malformed.
 */
import t from 'tap'
import {
  BLOCK_ERROR_SEQNO,
  BLOCK_HEADER_BYTES,
  BLOCK_INFO_PLAIN_LENGTH,
  BLOCK_NO_SPACE,
  BLOCK_SCRATCH_BYTES,
  BLOCK_SCRATCH_INFO,
  BLOCK_TYPE_DATA,
  CODEC_LZ4,
  CODEC_NONE,
} from '../../src/shared/kernel/layout.js'
import {
  RAW_BODY,
  RAW_FOUND_BYTES,
  RAW_FOUND_KIND,
  RAW_FOUND_SEQNO,
  RAW_FOUND_VALUE,
  RAW_FOUND_VALUE_LENGTH,
} from '../../src/shared/kernel/layout-raw.js'
import { encodeFrame } from '../../src/shared/kernel/reference/block-frame.js'
import { encodeDataBody } from '../../src/shared/kernel/reference/block-writer.js'
import { lz4Encode } from '../../src/shared/kernel/reference/lz4.js'
import { searchEntries } from '../../src/shared/kernel/reference/resident-block.js'
import { decodeDataBody } from '../../src/shared/kernel/reference/restart-block.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'
import { randomKeys, randomVersions, show } from '../support/versions.js'

const ROOM = 1 << 20
const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const memory = new TestMemory(24)
const { kernel } = memory
const frame = memory.allocate(ROOM)
const plain = memory.allocate(ROOM)
const scratch = memory.allocate(BLOCK_SCRATCH_BYTES)
const keyPlace = memory.allocate(65_600)
const found = memory.allocate(RAW_FOUND_BYTES)

const u32 = (address: number): number => memory.view.getUint32(address, true)

type Outcome = Version | 'none' | 'malformed'

/** The body in a sound frame, opened: the raw block's address, or its code. */
function open(body: Uint8Array, codec = CODEC_NONE): number {
  const payload = codec === CODEC_LZ4 ? lz4Encode(body) : body
  const bytes = encodeFrame(BLOCK_TYPE_DATA, payload, body.length)
  memory.bytes.set(bytes, frame)
  // What lies behind would go on as entries do.
  memory.bytes.fill(random.u32() & 255, frame + bytes.length, frame + bytes.length + 64)
  return kernel.data_block_open(frame, bytes.length, codec, 0, plain, ROOM, scratch)
}

function find(raw: number, key: Uint8Array, seqno: number): Outcome {
  memory.bytes.set(key, keyPlace)
  const result = kernel.raw_block_find_at(raw, keyPlace, key.length, seqno, found)
  if (result < 0) {
    if (result < BLOCK_ERROR_SEQNO) throw new Error(`code ${result}`)
    return 'malformed'
  }
  if (result === 0) return 'none'
  const value = u32(found + RAW_FOUND_VALUE)
  const length = u32(found + RAW_FOUND_VALUE_LENGTH)
  const size = u32(scratch + BLOCK_SCRATCH_INFO + BLOCK_INFO_PLAIN_LENGTH)
  if (value < raw + RAW_BODY || value + length > raw + size) throw new Error('a value outside')
  return {
    key,
    seqno: Number(memory.view.getBigUint64(found + RAW_FOUND_SEQNO, true)),
    kind: u32(found + RAW_FOUND_KIND),
    value: memory.copy(value, length),
  }
}

function expected(entries: readonly Version[], key: Uint8Array, seqno: number): Outcome {
  const entry = entries[searchEntries(entries, key, seqno)]
  return entry === undefined || Buffer.compare(entry.key, key) !== 0 ? 'none' : entry
}

const text = (outcome: Outcome): string => (typeof outcome === 'string' ? outcome : show(outcome))

/** Each key, and some right beside it. */
function neighbours(keys: readonly Uint8Array[]): Uint8Array[] {
  return keys.flatMap((key) => [
    key,
    Uint8Array.from([...key, 0]),
    Uint8Array.from([...key.slice(0, -1), (key.at(-1) as number) ^ 1]),
    ...(key.length > 1 ? [key.slice(0, -1)] : []),
  ])
}

function someEntries(keysMax: number): Version[] {
  for (;;) {
    const keys = randomKeys(random, 1 + random.below(keysMax))
    const entries = randomVersions(random, keys, { seqnoMin: 0, seqnoMax: 20, versionsMax: 4 })
    if (entries.length > 0) return entries
  }
}

t.test('a raw block is searched as its entries are', async (t) => {
  const wrong: string[] = []
  for (let round = 0; round < 120; round++) {
    const entries = someEntries(random.pick([1, 3, 40]))
    const codec = random.pick([CODEC_NONE, CODEC_LZ4])
    const raw = open(
      encodeDataBody(entries, random.pick([1, 2, 16, 255]), random.pick([0, 1.33])),
      codec,
    )
    for (const key of neighbours(entries.map((entry) => entry.key))) {
      for (const seqno of [0, 1, 1 + random.below(20), 21, 2 ** 53 - 1]) {
        const [is, must] = [find(raw, key, seqno), expected(entries, key, seqno)]
        if (text(is) !== text(must)) wrong.push(`${text(is)} instead of ${text(must)}`)
      }
    }
  }
  t.strictSame(wrong.slice(0, 3), [])
})

t.test('a block is opened where it fits', async (t) => {
  const entries = someEntries(40)
  const body = encodeDataBody(entries, 16)
  const bytes = encodeFrame(BLOCK_TYPE_DATA, lz4Encode(body), body.length)
  memory.bytes.set(bytes, frame)
  const into = (capacity: number): number =>
    kernel.data_block_open(frame, bytes.length, CODEC_LZ4, 0, plain, capacity, scratch)
  t.equal(into(RAW_BODY + body.length - 1), BLOCK_NO_SPACE)
  t.equal(into(RAW_BODY - 1), BLOCK_NO_SPACE)
  t.equal(into(RAW_BODY + body.length), plain)
  t.equal(u32(scratch + BLOCK_SCRATCH_INFO + BLOCK_INFO_PLAIN_LENGTH), RAW_BODY + body.length)
  t.equal(
    open(body),
    frame + BLOCK_HEADER_BYTES - RAW_BODY,
    'where nothing is compressed, in its frame',
  )
})

t.test('hostile bodies', async (t) => {
  let refused = 0
  let read = 0
  const wrong: string[] = []
  const check = (body: Uint8Array, keys: readonly Uint8Array[]): void => {
    const sound = decodeDataBody(body)
    const raw = open(body)
    if (raw < 0) {
      refused++
      if (typeof sound !== 'number') wrong.push(`${raw} for a sound body`)
      return
    }
    for (const key of keys) {
      const seqno = random.pick([0, 1, 9, 2 ** 53 - 1])
      const outcome = find(raw, key, seqno)
      if (outcome === 'malformed') refused++
      else read++
      if (typeof sound === 'number') continue
      const must = expected(sound, key, seqno)
      if (text(outcome) !== text(must)) wrong.push(`${text(outcome)} instead of ${text(must)}`)
    }
  }
  for (let round = 0; round < 15; round++) {
    const entries = someEntries(8)
    const body = encodeDataBody(entries, random.pick([1, 2, 3, 16]), random.pick([0, 0, 1.33]))
    const keys = neighbours(entries.map((entry) => entry.key))
    for (let at = 0; at < body.length; at++) {
      for (const flip of [1, 2, 0x80, 0xff, random.below(256)]) {
        const damaged = Uint8Array.from(body)
        damaged[at]! ^= flip
        check(damaged, [random.pick(keys), random.pick(keys)])
      }
      check(body.subarray(at), [random.pick(keys)])
    }
  }
  for (let round = 0; round < 20_000; round++) {
    const entry = (i: number): Version => {
      return { key: Uint8Array.of(1, i), seqno: 0, kind: 1, value: new Uint8Array(0) }
    }
    const entries = Array.from({ length: 1 + random.below(5) }, (_, i) => entry(i))
    const body = encodeDataBody(entries, random.pick([1, 2, 16]))
    const end = body.indexOf(0xff)
    for (let hits = 1 + random.below(4); hits > 0; hits--) {
      body[random.below(end)] = random.pick([0, 1, 2, 3, 4, 127, 128, 255, random.below(256)])
    }
    check(body, [random.pick(entries).key])
  }
  t.strictSame(wrong.slice(0, 3), [])
  t.ok(refused > 5000 && read > 5000, `${refused} refused, ${read} read`)
})
