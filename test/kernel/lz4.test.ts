/**
 * The codec kernels: round trips, the twin, a foreign implementation both ways, and hostile input.
 */
import lz4 from 'lz4-napi'
import t from 'tap'
import { LZ4_DOES_NOT_FIT, LZ4_MALFORMED, LZ4_TABLE_BYTES } from '../../src/shared/kernel/layout.js'
import { lz4Decode, lz4Encode } from '../../src/shared/kernel/reference/lz4.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'

const PIECE_BYTES = 2 << 20
const GUARD_BYTES = 64
const GUARD = 0xa5

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const memory = new TestMemory(24)
const { kernel } = memory
const source = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const block = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const target = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const table = memory.allocate(LZ4_TABLE_BYTES)

/** The kernel's block of `content`. */
function compress(content: Uint8Array): Uint8Array {
  memory.bytes.set(content, source)
  const bound = kernel.lz4_compress_bound(content.length)
  const length = kernel.lz4_compress(source, content.length, block, bound, table)
  if (length < 0) throw new Error('the bound did not hold')
  return memory.copy(block, length)
}

/**
 * What the kernel decodes `bytes` into; undefined where it refuses. Fails the test if a guard byte
 * changes.
 */
function decompress(bytes: Uint8Array, length: number): Uint8Array | undefined {
  memory.bytes.set(bytes, block)
  memory.bytes.fill(GUARD, target - GUARD_BYTES, target)
  memory.bytes.fill(GUARD, target + length, target + length + GUARD_BYTES)
  const result = kernel.lz4_decompress(block, bytes.length, target, length)
  for (let i = 0; i < GUARD_BYTES; i++) {
    if (memory.bytes[target - 1 - i] !== GUARD) throw new Error('wrote before the target')
    if (memory.bytes[target + length + i] !== GUARD) throw new Error('wrote after the target')
  }
  if (result === LZ4_MALFORMED) return undefined
  if (result !== length) throw new Error(`decoded ${result} of ${length} bytes`)
  return memory.copy(target, length)
}

const equal = (a: Uint8Array | undefined, b: Uint8Array) =>
  a !== undefined && Buffer.compare(a, b) === 0

/**
 * Bytes with matches of every offset and length: copies of random earlier pieces between random
 * runs.
 */
function compressible(length: number): Uint8Array {
  const bytes = random.bytes(length)
  for (let at = 1; at < length; ) {
    const distance = 1 + random.below(Math.min(at, random.pick([1, 3, 7, 15, 16, 40, 300, 70_000])))
    const run = Math.min(length - at, 1 + random.below(random.pick([4, 20, 300])))
    for (let i = 0; i < run; i++) bytes[at + i] = bytes[at + i - distance]!
    at += run + random.below(random.pick([1, 10, 40]))
  }
  return bytes
}

const shapes: [string, (length: number) => Uint8Array][] = [
  ['zeros', (length) => new Uint8Array(length)],
  ['random', (length) => random.bytes(length)],
  ['period 3', (length) => Uint8Array.from({ length }, (_, i) => i % 3)],
  ['compressible', compressible],
]
const lengths = [...Array(301).keys(), 4095, 4096, 16384, 65535, 65536, 65600, 200_000]

t.test('round trips, equal to the twin', async (t) => {
  for (const [name, make] of shapes) {
    const wrong: number[] = []
    for (const length of lengths) {
      const content = make(length)
      const bytes = compress(content)
      if (!equal(lz4Encode(content), bytes)) wrong.push(length)
      if (!equal(decompress(bytes, length), content)) wrong.push(length)
      if (!equal(lz4Decode(bytes, length), content)) wrong.push(length)
    }
    t.strictSame(wrong, [], name)
  }
  t.equal(compress(new Uint8Array(1 << 20)).length < 4200, true, 'zeros shrink 250 times')
  t.strictSame([...compress(new Uint8Array(0))], [0], 'nothing is one empty token')
})

t.test('blocks of lz4-napi, both ways', async (t) => {
  const wrong: number[] = []
  for (const [, make] of shapes) {
    for (const length of lengths) {
      if (length === 0) continue
      const content = Buffer.from(make(length))
      const foreign = lz4.compressSync(content)
      if (foreign.readUInt32LE(0) !== length) throw new Error('another framing than expected')
      if (!equal(decompress(foreign.subarray(4), length), content)) wrong.push(length)
      const prefix = Buffer.alloc(4)
      prefix.writeUInt32LE(length)
      const ours = Buffer.concat([prefix, compress(content)])
      if (!equal(lz4.uncompressSync(ours), content)) wrong.push(length)
    }
  }
  t.strictSame(wrong, [])
})

t.test('the encoder stays within its capacity and fills it to the last byte', async (t) => {
  let wrong = 0
  for (let round = 0; round < 60; round++) {
    const content = compressible(random.below(400))
    const whole = compress(content)
    memory.bytes.fill(GUARD, block, block + 600)
    for (let capacity = 0; capacity <= whole.length; capacity++) {
      const length = kernel.lz4_compress(source, content.length, block, capacity, table)
      if (length !== (capacity < whole.length ? LZ4_DOES_NOT_FIT : whole.length)) wrong++
      if (memory.bytes[block + capacity] !== GUARD) wrong++
    }
  }
  t.equal(wrong, 0)
})

t.test('hostile blocks: refused, or decoded as the twin decodes them', async (t) => {
  let wrong = 0
  let refused = 0
  const check = (bytes: Uint8Array, length: number) => {
    const expected = lz4Decode(bytes, length)
    const actual = decompress(bytes, length)
    if (actual === undefined) refused++
    if (expected === undefined ? actual !== undefined : !equal(actual, expected)) wrong++
  }
  for (let round = 0; round < 25; round++) {
    const content = compressible(1 + random.below(250))
    const bytes = compress(content)
    for (let at = 0; at < bytes.length; at++) {
      check(bytes.subarray(0, at), content.length)
      for (const flip of [1, 0x10, 0x80, 0xff]) {
        const damaged = Uint8Array.from(bytes)
        damaged[at]! ^= flip
        check(damaged, content.length)
      }
    }
    check(bytes, content.length - 1)
    check(bytes, content.length + 1)
  }
  for (let round = 0; round < 30_000; round++) {
    check(random.bytes(random.below(40)), random.below(random.pick([20, 80, 3000])))
  }
  // Lengths that would wrap a 32-bit address, were they ever added up.
  check(new Uint8Array(1 << 20).fill(255), 1000)
  t.equal(wrong, 0)
  t.ok(refused > 10_000, `${refused} refused`)
})
