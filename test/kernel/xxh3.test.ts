/**
 * The hash kernels: against digests of the C library, against the twin, and a stream against one
 * shot.
 */
import { createHash } from 'node:crypto'
import t from 'tap'
import { XXH3_STATE_BYTES } from '../../src/shared/kernel/layout.js'
import { xxh3Bits64, xxh3Bits128 } from '../../src/shared/kernel/reference/xxh3.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'

const INPUT_BYTES = 70_000

/**
 * The bytes that the digests below were made of: the top byte of a linear congruential generator.
 */
function fixedInput(): Uint8Array {
  const bytes = new Uint8Array(INPUT_BYTES)
  let state = 1
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

const lengths = [...Array(2201).keys(), 4096, 16384, 65536, 69999]
const memory = new TestMemory()
const { kernel } = memory
const out = memory.allocate(16)

function kernelBits64(address: number, length: number): bigint {
  kernel.xxh3_64_into(address, length, out)
  return memory.view.getBigUint64(out, true)
}

function outBits128(): bigint {
  return (memory.view.getBigUint64(out + 8, true) << 64n) | memory.view.getBigUint64(out, true)
}

function kernelBits128(address: number, length: number): bigint {
  kernel.xxh3_128_into(address, length, out)
  return outBits128()
}

const hex = (value: bigint, digits: number) => value.toString(16).padStart(digits, '0')

t.test('kernel and twin equal the C library', async (t) => {
  const input = fixedInput()
  const address = memory.place(input)
  const digests = Array.from({ length: 4 }, () => createHash('sha256'))
  for (const length of lengths) {
    const bytes = input.subarray(0, length)
    digests[0]!.update(hex(kernelBits64(address, length), 16))
    digests[1]!.update(hex(kernelBits128(address, length), 32))
    digests[2]!.update(hex(xxh3Bits64(bytes), 16))
    digests[3]!.update(hex(xxh3Bits128(bytes), 32))
  }
  // SHA-256 over the hexadecimal hashes of every length, made once with the C library
  // (@node-rs/xxhash 1.7).
  const bits64 = 'f6399ac9d1bab651d337b7ed67fe820d15cc6ebdcc52a1c8aeb5f4a312cb772b'
  const bits128 = '2b3163ea35484aa42112a8aa629eda540bb16606261d27bd066ed7666c018fdb'
  const [kernel64, kernel128, twin64, twin128] = digests.map((digest) => digest.digest('hex'))
  t.equal(kernel64, bits64, 'kernel, 64 bits')
  t.equal(kernel128, bits128, 'kernel, 128 bits')
  t.equal(twin64, bits64, 'twin, 64 bits')
  t.equal(twin128, bits128, 'twin, 128 bits')
})

t.test('published vectors', async (t) => {
  const vectors: [string, string][] = [
    ['', '2d06800538d394c2'],
    ['a', 'e6c632b61e964e1f'],
    ['k0000', '31e47cc908833686'],
    ['0123456789abcdef', '64439946d8fa212d'],
    ['the quick brown fox jumps over the lazy dog', 'e4541a9cacf545aa'],
  ]
  for (const [text, expected] of vectors) {
    const bytes = Buffer.from(text)
    t.equal(hex(kernelBits64(memory.place(bytes), bytes.length), 16), expected, `"${text}"`)
  }
  t.equal(
    hex(kernelBits128(memory.place(Buffer.from('k0000')), 5), 32),
    '5cdb37496f2fda88642318626d16a9c2',
  )
})

t.test('a stream equals one shot, however it is cut', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  const input = random.bytes(40_000)
  const address = memory.place(input)
  const state = memory.allocate(XXH3_STATE_BYTES)
  let wrong = 0
  for (let round = 0; round < 400; round++) {
    const length = random.pick([
      random.below(300),
      random.below(3000),
      random.below(40_001),
      1024,
      2048,
    ])
    const pieceMax = random.pick([1, 7, 64, 1023, 1024, 1025, 9000, 40_000])
    kernel.xxh3_128_reset(state)
    for (let at = 0; at < length; ) {
      const piece = Math.min(length - at, 1 + random.below(pieceMax))
      kernel.xxh3_128_update(state, address + at, piece)
      at += piece
      if (random.chance(0.01)) kernel.xxh3_128_digest(state, out)
    }
    kernel.xxh3_128_digest(state, out)
    if (outBits128() !== kernelBits128(address, length)) wrong++
  }
  t.equal(wrong, 0)
})

t.test('any alignment gives the same hash', async (t) => {
  const input = fixedInput().subarray(0, 777)
  const expected = xxh3Bits128(input)
  for (let shift = 0; shift < 16; shift++) {
    const address = memory.allocate(input.length + 16) + shift
    memory.bytes.set(input, address)
    if (kernelBits128(address, input.length) !== expected) t.fail(`at shift ${shift}`)
  }
})
