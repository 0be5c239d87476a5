/** The compact filter kernels: no false negatives, rates, sizes, the twin, damage. */
import t from 'tap'
import { RIBBON_INVALID, RIBBON_NO_SPACE } from '../../src/shared/kernel/layout.js'
import { ribbonBuild, ribbonContains } from '../../src/shared/kernel/reference/ribbon.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'

const COUNT_MAX = 1_000_000
const WIDTH_MAX = 32

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const memory = new TestMemory(128)
const { kernel } = memory
const hashesAt = memory.allocate(COUNT_MAX * 8)
const absentAt = memory.allocate(COUNT_MAX * 8)
const capacity = kernel.ribbon_size_max(COUNT_MAX, 16)
const target = memory.allocate(capacity)
const scratchBytes = kernel.ribbon_scratch_bytes(COUNT_MAX)
const scratch = memory.allocate(scratchBytes)
const words = new Uint32Array(memory.memory.buffer)

const fill = (address: number, count: number) => {
  for (let i = 0; i < 2 * count; i++) words[address / 4 + i] = random.u32()
}
const hashAt = (i: number) => memory.view.getBigUint64(hashesAt + 8 * i, true)
const build = (count: number, width: number) =>
  kernel.ribbon_build(hashesAt, count, width, target, capacity, scratch, scratchBytes)

/** How many of the `count` hashes at `address` the filter says may be there. */
function positives(address: number, count: number): number {
  let result = 0
  for (let i = 0; i < count; i++) result += kernel.ribbon_contains_at(target, address + 8 * i)
  return result
}

t.test('no false negatives, and a bounded size', async (t) => {
  fill(hashesAt, COUNT_MAX)
  const wrong: number[] = []
  for (const count of [...Array(201).keys(), 399, 400, 401, 1000, 16_384, 16_385]) {
    const length = build(count, 10)
    if (kernel.ribbon_validate(target, length) !== 0) wrong.push(count)
    if (positives(hashesAt, count) !== count) wrong.push(count)
    if (length * 8 > 15 * count + 800) wrong.push(count)
  }
  t.strictSame(wrong, [], 'small sets')
  for (const count of [3000, 3042, 3121, 6165, 11_173, 100_000, 1_000_000]) {
    const length = build(count, 10)
    t.equal(kernel.ribbon_validate(target, length), 0)
    t.equal(positives(hashesAt, count), count, `${count} keys are found`)
    const bits = (8 * length) / count
    t.ok(bits <= 10.5, `${count} keys take ${bits.toFixed(3)} bits each`)
  }
})

t.test('sizes from 3000 keys up', async (t) => {
  let largest = 0
  // Where rounding to blocks leaves least room, a set of bad luck must be met with another seed.
  fill(hashesAt, 100_000)
  for (const count of [3030, 3100, 3160, 3220, 3280, 3340]) {
    for (let from = 0; from < 90_000; from += 300) {
      const at = hashesAt + 8 * from
      const length = kernel.ribbon_build(at, count, 10, target, capacity, scratch, scratchBytes)
      largest = Math.max(largest, (8 * length) / count)
    }
  }
  for (let count = 3000; count < 20_000; count += 1 + random.below(60)) {
    largest = Math.max(largest, (8 * build(count, 10)) / count)
  }
  t.ok(largest <= 10.5, `at most ${largest.toFixed(3)} bits a key`)
})

t.test('false positives on a million absent hashes', async (t) => {
  fill(absentAt, COUNT_MAX)
  for (const width of [7, 10, 14]) {
    // Against several sets: at 14 bits one million probes yield about 61 positives only.
    const rounds = width === 14 ? 16 : 2
    let found = 0
    for (let round = 0; round < rounds; round++) {
      fill(hashesAt, 20_000)
      build(20_000, width)
      found += positives(absentAt, COUNT_MAX)
    }
    const share = (found / rounds / COUNT_MAX) * 2 ** width
    t.ok(Math.abs(share - 1) < 0.15, `r = ${width}: ${share.toFixed(3)} of 2^-r`)
  }
})

t.test('equal to the twin, whatever the order and the repeats', async (t) => {
  const wrong: string[] = []
  for (const count of [...Array(140).keys(), 400, 401, 1000, 3121, 9000, 17_000]) {
    const width = count < 5000 ? 1 + random.below(WIDTH_MAX) : 10
    fill(hashesAt, count)
    for (let i = 1; i < count; i++) {
      if (random.chance(0.03)) memory.view.setBigUint64(hashesAt + 8 * i, hashAt(i - 1), true)
    }
    const hashes = Array.from({ length: count }, (_, i) => hashAt(i))
    const filter = Buffer.from(memory.copy(target, build(count, width)))
    const name = `${count} keys, ${width} bits`
    if (!filter.equals(ribbonBuild(hashes, width))) wrong.push(name)
    for (const [i, hash] of hashes.toReversed().entries()) {
      memory.view.setBigUint64(hashesAt + 8 * i, hash, true)
    }
    if (!filter.equals(memory.copy(target, build(count, width)))) wrong.push(`${name}, reversed`)
    for (let i = 0; i < 60; i++) {
      const address = i < 30 || count === 0 ? absentAt + 8 * i : hashesAt + 8 * random.below(count)
      const expected = ribbonContains(filter, memory.view.getBigUint64(address, true))
      if ((kernel.ribbon_contains_at(target, address) === 1) !== expected) wrong.push(name)
    }
  }
  t.strictSame(wrong, [])
})

t.test('repeats and neighbours', async (t) => {
  for (let i = 0; i < 10_000; i++) memory.view.setBigUint64(hashesAt + 8 * i, 42n, true)
  t.equal(kernel.ribbon_validate(target, build(10_000, 10)), 0, 'one hash ten thousand times')
  t.equal(positives(hashesAt, 10_000), 10_000)
  for (let i = 0; i < 10_000; i++) memory.view.setBigUint64(hashesAt + 8 * i, BigInt(i), true)
  t.ok(build(10_000, 10) * 8 <= 105_000, 'hashes that are consecutive numbers')
  t.equal(positives(hashesAt, 10_000), 10_000)
})

t.test('too little space is said, and nothing is written beyond it', async (t) => {
  fill(hashesAt, 1000)
  const whole = kernel.ribbon_size_max(1000, 10)
  let wrong = 0
  for (let space = 0; space < whole; space += 29) {
    memory.bytes.fill(0xa5, target, target + whole + 64)
    const length = kernel.ribbon_build(hashesAt, 1000, 10, target, space, scratch, scratchBytes)
    if (length > space || (length < 0 && length !== RIBBON_NO_SPACE)) wrong++
    for (let i = space; i < whole + 64; i++) if (memory.bytes[target + i] !== 0xa5) wrong++
  }
  t.equal(wrong, 0)
  const scratchNeeded = kernel.ribbon_scratch_bytes(1000)
  memory.bytes.fill(0xa5, scratch, scratch + scratchNeeded + 64)
  t.ok(kernel.ribbon_build(hashesAt, 1000, 10, target, whole, scratch, scratchNeeded) > 0)
  const after = memory.copy(scratch + scratchNeeded, 64)
  t.ok(
    after.every((byte) => byte === 0xa5),
    'scratch is kept to',
  )
})

t.test('damage', async (t) => {
  fill(hashesAt, 3000)
  const length = build(3000, 10)
  const filter = memory.copy(target, length)
  const refused = (change: (bytes: Uint8Array) => void, size = length) => {
    const bytes = Uint8Array.from(filter)
    change(bytes)
    memory.bytes.set(bytes, target)
    return kernel.ribbon_validate(target, size) === RIBBON_INVALID
  }
  const set = (at: number, value: number) => (bytes: Uint8Array) => {
    bytes[at] = value
  }
  t.notOk(
    refused(() => {}),
    'unharmed',
  )
  for (let size = 0; size < length; size++) {
    if (!refused(() => {}, size)) t.fail(`truncated to ${size}`)
  }
  t.ok(
    refused(() => {}, length + 1),
    'one byte more',
  )
  for (let at = 0; at < 4; at++) t.ok(refused(set(at, 0)), `magic byte ${at}`)
  t.ok(refused(set(4, 0)) && refused(set(4, 33)) && refused(set(4, 9)), 'width')
  t.ok(refused(set(5, 0)) && refused(set(5, 1)) && refused(set(5, 9)), 'layer count')
  t.ok(refused(set(6, 1)) && refused(set(7, 1)), 'reserved')
  t.ok(
    refused((bytes) => bytes.fill(0, 8, 12)),
    'no keys, yet layers',
  )
  t.ok(refused(set(12, filter[12]! ^ 1)) && refused(set(14, 0xff)), 'block count')
  t.ok(refused(set(12 + 4 * filter[5]!, 65)), 'threshold')
  t.ok(refused(set(length - 81, 1)), 'threshold of the last layer')
})

t.test('whatever validation lets pass can be probed', async (t) => {
  // The filter lies at the very end of a memory of its own, so that a read beyond it would trap.
  const small = new TestMemory(1)
  fill(hashesAt, 500)
  const filter = memory.copy(target, build(500, 5))
  const address = small.bytes.length - filter.length
  const probe = small.allocate(8)
  let accepted = 0
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from(filter)
    for (let i = 0; i < 3; i++) bytes[random.below(random.pick([30, bytes.length]))] = random.u32()
    small.bytes.set(bytes, address)
    if (small.kernel.ribbon_validate(address, bytes.length) !== 0) continue
    accepted++
    for (let i = 0; i < 20; i++) {
      small.bytes.set(random.bytes(8), probe)
      small.kernel.ribbon_contains_at(address, probe)
    }
  }
  t.ok(accepted > 1000, `${accepted} of 20000 damaged filters were probed`)
})
