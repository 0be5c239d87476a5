/** The V5 filter kernels: published vectors, the twin, retries, damage. */
import { createHash } from 'node:crypto'
import t from 'tap'
import {
  BURR_INVALID_HEADER,
  BURR_INVALID_KIND,
  BURR_NO_SPACE,
} from '../../src/shared/kernel/layout.js'
import { burrBuild, burrContains, burrEquation } from '../../src/shared/kernel/reference/burr.js'
import { xxh3Bits64 } from '../../src/shared/kernel/reference/xxh3.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'

const COUNT_MAX = 20_000

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const memory = new TestMemory(16)
const { kernel } = memory
const hashesAt = memory.allocate(COUNT_MAX * 8)
const capacity = kernel.burr_size_max(COUNT_MAX)
const target = memory.allocate(capacity)
const scratchBytes = kernel.burr_scratch_bytes(COUNT_MAX)
const scratch = memory.allocate(scratchBytes)
const probe = memory.allocate(8)

function buildAt(hashes: bigint[], width: number, space = capacity): number {
  hashes.forEach((hash, i) => {
    memory.view.setBigUint64(hashesAt + 8 * i, hash, true)
  })
  return kernel.burr_build(hashesAt, hashes.length, width, target, space, scratch, scratchBytes)
}

function build(hashes: bigint[], width: number): Buffer {
  const length = buildAt(hashes, width)
  if (length < 0) throw new Error(`the build failed: ${length}`)
  return Buffer.from(memory.copy(target, length))
}

function contains(hash: bigint): boolean {
  memory.view.setBigUint64(probe, hash, true)
  return kernel.burr_contains_at(target, probe) === 1
}

const randomHash = () => (BigInt(random.u32()) << 32n) | BigInt(random.u32())
const randomHashes = (count: number) => Array.from({ length: count }, randomHash)
const keyHashes = (count: number) =>
  Array.from({ length: count }, (_, i) => xxh3Bits64(Buffer.from(`k${String(i).padStart(4, '0')}`)))
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

t.test('equations', async (t) => {
  const { start, row, fingerprint } = burrEquation(0x54e6029c37878907n, 0n, 0, 1088, 64)
  t.equal(start, 560)
  t.equal(row, 0xcb92eabc193bc6e3n)
  t.equal(fingerprint, 0x8fdf41e332c81b38n)
})

t.test('vectors of the format', async (t) => {
  const vectors: [string, bigint[], number, number, string][] = [
    [
      'F1',
      [xxh3Bits64(Buffer.from('a'))],
      10,
      543,
      'fade5b7176823205bd162574a678d858947c499cea779a8e4b7388ab25522a9c',
    ],
    [
      'F2',
      keyHashes(20),
      10,
      543,
      '40a4e4ca4c8b8571758d6772ddfbf72f4520fc9fe73423602b489e181ee4ef93',
    ],
    [
      'F3',
      keyHashes(1000),
      10,
      10_314,
      '5628f1350b5076b857fefb4eaf0d5e5c6022be9082aebb6f90a6a460445e6fdb',
    ],
    [
      'F4',
      keyHashes(60),
      7,
      3657,
      '075481a72b3a3ed942da40db5fcb5959888d56f35abe3edfc69992083424b296',
    ],
  ]
  for (const [name, hashes, width, length, digest] of vectors) {
    const filter = build(hashes, width)
    t.equal(filter.length, length, `${name} length`)
    t.equal(sha256(filter), digest, `${name} kernel`)
    t.equal(sha256(burrBuild(hashes, width)!), digest, `${name} twin`)
    t.equal(kernel.burr_validate(target, length), 0)
    t.ok(hashes.every(contains), `${name} holds its keys`)
  }
})

t.test('equal to the twin, whatever the order and the repeats', async (t) => {
  const counts = [...Array(130).keys(), 500, 1279, 1280, 3121]
  const wrong: number[] = []
  for (const count of counts) {
    const width = 1 + random.below(64)
    const hashes = randomHashes(count)
    for (let i = 0; i < count; i++)
      if (random.chance(0.05)) hashes[i] = hashes[random.below(count)]!
    const filter = build(hashes, width)
    if (!filter.equals(burrBuild(hashes, width)!)) wrong.push(count)
    if (!filter.equals(build(hashes.toReversed(), width))) wrong.push(count)
    if (count === 0) continue
    if (kernel.burr_validate(target, filter.length) !== 0) wrong.push(count)
    if (!hashes.every(contains)) wrong.push(count)
    for (let i = 0; i < 50; i++) {
      const absent = randomHash()
      if (contains(absent) !== burrContains(filter, absent)) wrong.push(count)
    }
  }
  t.strictSame(wrong, [])
})

t.test('a contradiction under one root seed is met with the next', async (t) => {
  let retried = 0
  for (let round = 0; round < 2000; round++) {
    const filter = build(randomHashes(57), 10)
    if (filter.readBigUInt64LE(10) !== 0n) retried++
  }
  t.ok(retried > 0, `${retried} of 2000 sets of 57 keys needed another seed`)
})

t.test('false positives, and one hash many times', async (t) => {
  build(randomHashes(COUNT_MAX), 7)
  let positives = 0
  for (let i = 0; i < 200_000; i++) if (contains(randomHash())) positives++
  t.ok(Math.abs(positives / 200_000 / 2 ** -7 - 1) < 0.15, `${positives} of 200000`)
  const repeated = new Array<bigint>(1000).fill(5n)
  const filter = build(repeated, 10)
  t.ok(filter.length <= kernel.burr_size_max(1000))
  t.ok(contains(5n))
})

t.test('too little space is said, and nothing is written beyond it', async (t) => {
  const hashes = randomHashes(300)
  const whole = build(hashes, 10).length
  for (let space = 0; space < whole; space += 37) {
    memory.bytes.fill(0xa5, target, target + whole)
    if (buildAt(hashes, 10, space) !== BURR_NO_SPACE) t.fail(`fits ${space}`)
    if (memory.bytes[target + space] !== 0xa5) t.fail(`wrote beyond ${space}`)
  }
  t.equal(buildAt(hashes, 10, whole), whole)
  const needed = kernel.burr_scratch_bytes(300)
  memory.bytes.fill(0xa5, scratch, scratch + needed + 64)
  t.equal(kernel.burr_build(hashesAt, 300, 10, target, whole, scratch, needed), whole)
  const after = memory.copy(scratch + needed, 64)
  t.ok(
    after.every((byte) => byte === 0xa5),
    'scratch is kept to',
  )
})

t.test('damage', async (t) => {
  const filter = build(keyHashes(1000), 10)
  const { length } = filter
  const validated = (change: (bytes: Buffer) => void, size = length): number => {
    const bytes = Buffer.from(filter)
    change(bytes)
    memory.bytes.set(bytes, target)
    return kernel.burr_validate(target, size)
  }
  for (let size = 0; size < length; size += 1 + random.below(40)) {
    if (validated(() => {}, size) !== BURR_INVALID_HEADER) t.fail(`truncated to ${size}`)
  }
  t.equal(
    validated((b) => b.writeUInt8(3, 4)),
    BURR_INVALID_KIND,
    'kind',
  )
  const cells: [string, number, number][] = [
    ...[0, 1, 2, 3].map((at): [string, number, number] => ['magic', at, 0xff]),
    ['version', 5, 2],
    ['r 0', 6, 0],
    ['r 65', 6, 65],
    ['w', 7, 63],
    ['b', 8, 0],
    ['b and bucket count', 8, 32],
    ['no layer', 9, 0],
    ['more layers than bytes', 9, 4],
    ['m', 18, 0],
    ['bucket count', 22, 18],
    ['solution length', 26, 8],
    ['m of layer 1', 8751, 0x81],
  ]
  for (const [name, at, value] of cells) {
    t.equal(
      validated((b) => b.writeUInt8(value, at)),
      BURR_INVALID_HEADER,
      name,
    )
  }
  t.equal(
    validated((b) => b.fill(0xff, 30, 47)),
    0,
    'thresholds may be anything',
  )
})
