/** Frames of every type against the twin, sealing, loading, footers; and hostile frames. */
import t from 'tap'
import {
  BLOCK_ERROR_DECOMPRESS,
  BLOCK_ERROR_SEQNO,
  BLOCK_INFO_BYTES,
  BLOCK_INFO_PAYLOAD,
  BLOCK_INFO_PAYLOAD_LENGTH,
  BLOCK_INFO_PLAIN_LENGTH,
  BLOCK_NO_SPACE,
  BLOCK_SCRATCH_BYTES,
  BLOCK_TYPE_DATA,
  BLOCK_TYPE_INDEX,
  CODEC_LZ4,
  CODEC_NONE,
} from '../../src/shared/kernel/layout.js'
import {
  decodeDataBlock,
  decodeFrame,
  encodeFrame,
} from '../../src/shared/kernel/reference/block-frame.js'
import {
  encodeDataBody,
  encodeIndexBody,
  type IndexedBlock,
} from '../../src/shared/kernel/reference/block-writer.js'
import { lz4Encode } from '../../src/shared/kernel/reference/lz4.js'
import { encodeResidentBlock } from '../../src/shared/kernel/reference/resident-block.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { BlockBuilder } from '../../src/shared/table/block-builder.js'
import { encodeKvFooter } from '../support/decoder/index.js'
import { TestMemory } from '../support/memory.js'
import { Random, runSeed } from '../support/random.js'
import { randomKeys, randomVersions } from '../support/versions.js'
import { testWorkspace } from '../support/workspace.js'

const PIECE_BYTES = 1 << 20
const GUARD_BYTES = 64
const GUARD = 0xa5
const CAPACITY = PIECE_BYTES / 2

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const memory = new TestMemory(16)
const { kernel } = memory
const frame = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const plain = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const target = memory.allocate(PIECE_BYTES) + GUARD_BYTES
const scratch = memory.allocate(BLOCK_SCRATCH_BYTES)
const info = memory.allocate(BLOCK_INFO_BYTES)

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
const u32 = (address: number): number => memory.view.getUint32(address, true)

function guard(address: number, length: number): void {
  memory.bytes.fill(GUARD, address - GUARD_BYTES, address)
  memory.bytes.fill(GUARD, address + length, address + length + GUARD_BYTES)
}

function checkGuard(address: number, length: number): void {
  for (let i = 0; i < GUARD_BYTES; i++) {
    if (memory.bytes[address - 1 - i] !== GUARD) throw new Error('wrote before a target')
    if (memory.bytes[address + length + i] !== GUARD) throw new Error('wrote behind a target')
  }
}

/** Loads a data block with the kernel: its resident form, or a code. */
function load(
  bytes: Uint8Array,
  codec: number,
  hasFooter: boolean,
  plainCapacity = CAPACITY,
): Uint8Array | number {
  memory.bytes.set(bytes, frame)
  guard(plain, plainCapacity)
  guard(target, CAPACITY)
  const result = kernel.data_block_load(
    ...([frame, bytes.length, codec, hasFooter ? 1 : 0] as const),
    ...([plain, plainCapacity, target, CAPACITY, scratch] as const),
  )
  checkGuard(plain, plainCapacity)
  checkGuard(target, CAPACITY)
  if (result >= 0) return memory.copy(target, result)
  if (result < BLOCK_ERROR_SEQNO && result !== BLOCK_NO_SPACE) throw new Error(`code ${result}`)
  return result
}

function someEntries(keysMax: number): Version[] {
  for (;;) {
    const keys = randomKeys(random, 1 + random.below(keysMax))
    const entries = randomVersions(random, keys, { seqnoMin: 0, seqnoMax: 500, versionsMax: 3 })
    if (entries.length > 0) return entries
  }
}

const TYPES = [0, 1, 2, 3, 4]

t.test('frames of every type', async (t) => {
  for (const type of TYPES) {
    let wrong = 0
    for (let round = 0; round < 60; round++) {
      const payload = random.bytes(random.below(random.pick([1, 20, 300, 20_000])))
      const flags = random.below(16)
      const header = type === 3 ? 34 : 33
      const plainLength = random.pick([payload.length, random.below(2 ** 28)])
      memory.bytes.set(payload, frame + header)
      const size = kernel.block_frame(frame, type, flags, payload.length, plainLength, scratch)
      const bytes = memory.copy(frame, size)
      if (!equal(bytes, encodeFrame(type, payload, plainLength, flags))) wrong++
      // Parity behind the payload is counted, not judged.
      const behind = random.below(3) * 8
      if (kernel.block_verify(frame, size + behind, type, info, scratch) !== behind) wrong++
      if (u32(info + BLOCK_INFO_PAYLOAD) !== frame + header) wrong++
      if (u32(info + BLOCK_INFO_PAYLOAD_LENGTH) !== payload.length) wrong++
      if (u32(info + BLOCK_INFO_PLAIN_LENGTH) !== plainLength) wrong++
    }
    t.equal(wrong, 0, `type ${type}`)
  }
})

t.test('damaged frames get the code of the twin', async (t) => {
  let wrong = 0
  const check = (bytes: Uint8Array, type: number): void => {
    memory.bytes.set(bytes, frame)
    const expected = decodeFrame(bytes, type)
    const found = kernel.block_verify(frame, bytes.length, type, info, scratch)
    if (found !== (typeof expected === 'number' ? expected : expected.behind)) wrong++
  }
  for (const type of TYPES) {
    const bytes = encodeFrame(type, random.bytes(1 + random.below(100)))
    for (let at = 0; at < bytes.length; at++) {
      check(bytes.subarray(0, at), type)
      for (let bit = 0; bit < 8; bit++) {
        const damaged = Uint8Array.from(bytes)
        damaged[at]! ^= 1 << bit
        check(damaged, type)
      }
    }
    for (const other of TYPES) check(bytes, other)
    for (const plainLength of [2 ** 28, 2 ** 28 + 1, 2 ** 31, 2 ** 32 - 1]) {
      check(encodeFrame(type, random.bytes(9), plainLength), type)
    }
  }
  for (let round = 0; round < 2000; round++) check(random.bytes(random.below(80)), 0)
  t.equal(wrong, 0)
})

t.test('payload lengths beyond the frame, under a sound header checksum', async (t) => {
  const payload = random.bytes(64)
  const long = encodeFrame(BLOCK_TYPE_DATA, payload)
  let wrong = 0
  for (let size = 0; size <= long.length; size++) {
    memory.bytes.set(long, frame)
    const expected = decodeFrame(long.subarray(0, size), BLOCK_TYPE_DATA)
    const found = kernel.block_verify(frame, size, BLOCK_TYPE_DATA, info, scratch)
    if (found !== (typeof expected === 'number' ? expected : 0)) wrong++
  }
  t.equal(wrong, 0)
})

t.test('data blocks load as the twin reads them', async (t) => {
  for (const codec of [CODEC_NONE, CODEC_LZ4]) {
    for (const footer of [-1, 0, 1, 2]) {
      let wrong = 0
      for (let round = 0; round < 40; round++) {
        const entries = someEntries(40)
        const body = encodeDataBody(entries, random.pick([1, 2, 16]), random.pick([0, 1.33]))
        const wide = entries.map((entry) => ({ ...entry, seqno: BigInt(entry.seqno) }))
        const tail = footer < 0 ? new Uint8Array(0) : encodeKvFooter(wide, footer)
        const content = Buffer.concat([body, tail])
        const payload = codec === CODEC_LZ4 ? lz4Encode(content) : content
        const bytes = encodeFrame(BLOCK_TYPE_DATA, payload, content.length)
        const found = load(bytes, codec, footer >= 0)
        if (typeof found === 'number' || !equal(found, encodeResidentBlock(entries))) wrong++
        const tight = codec === CODEC_LZ4 ? content.length - 1 : CAPACITY
        const short = load(bytes, codec, footer >= 0, tight)
        if ((short === BLOCK_NO_SPACE) !== (codec === CODEC_LZ4)) wrong++
      }
      t.equal(wrong, 0, `codec ${codec}, footer ${footer}`)
    }
  }
})

t.test('a length that no LZ4 block of that size can have asks for no memory', async (t) => {
  const payload = lz4Encode(new Uint8Array(10_000))
  t.equal(load(encodeFrame(0, payload, 2 ** 28), CODEC_LZ4, false), BLOCK_ERROR_DECOMPRESS)
  const most = 255 * payload.length
  t.equal(load(encodeFrame(0, payload, most + 1), CODEC_LZ4, false, 100), BLOCK_ERROR_DECOMPRESS)
  t.equal(load(encodeFrame(0, payload, most), CODEC_LZ4, false, 100), BLOCK_NO_SPACE)
})

t.test('a sealed block is the frame of its body', async (t) => {
  const workspace = testWorkspace(16)
  const { shared, heap, blockScratch, lz4Table } = workspace
  const out = heap.allocate(PIECE_BYTES)
  const key = heap.allocate(1000)
  const type = BLOCK_TYPE_INDEX
  for (const codec of [CODEC_NONE, CODEC_LZ4]) {
    let wrong = 0
    for (let round = 0; round < 60; round++) {
      const builder = new BlockBuilder(workspace, { bytes: 64, restartInterval: 4, hashRatio: 0 })
      let offset = 0
      const blocks = randomKeys(random, 1 + random.below(50)).map((endKey): IndexedBlock => {
        offset += 100
        return { endKey, seqno: 1, offset: offset - 100, size: 100 }
      })
      for (const { endKey, seqno, offset, size } of blocks) {
        shared.bytes.set(endKey, key)
        const add = (): number =>
          shared.kernel.index_writer_add(builder.address, key, endKey.length, seqno, offset, size)
        while (add() === 0) builder.grow()
      }
      const body = encodeIndexBody(blocks, 4)
      const expected = encodeFrame(type, codec === CODEC_LZ4 ? lz4Encode(body) : body, body.length)
      const seal = (capacity: number): number =>
        shared.kernel.block_seal(
          ...([builder.address, type, codec, out, capacity, lz4Table, blockScratch] as const),
        )
      for (const capacity of [34, expected.length - 1]) {
        if (seal(capacity) !== BLOCK_NO_SPACE) wrong++
      }
      if (seal(PIECE_BYTES) !== expected.length) wrong++
      if (!equal(shared.view(out, expected.length), expected)) wrong++
      builder.dispose()
    }
    t.equal(wrong, 0, `codec ${codec}`)
  }
})

t.test('hostile payloads under sound checksums', async (t) => {
  let wrong = 0
  let refused = 0
  let read = 0
  const check = (
    payload: Uint8Array,
    plainLength: number,
    codec: number,
    footer: boolean,
  ): void => {
    const bytes = encodeFrame(BLOCK_TYPE_DATA, payload, plainLength)
    const expected = decodeDataBlock(bytes, codec, footer)
    const found = load(bytes, codec, footer)
    if (typeof expected === 'number') {
      refused++
      if (found !== expected) wrong++
      return
    }
    read++
    if (typeof found === 'number' || !equal(found, encodeResidentBlock(expected))) wrong++
  }
  for (let round = 0; round < 8; round++) {
    const entries = someEntries(6)
    const body = encodeDataBody(entries, random.pick([1, 2, 16]))
    const wide = entries.map((entry) => ({ ...entry, seqno: BigInt(entry.seqno) }))
    const content = Buffer.concat([body, encodeKvFooter(wide, round % 3)])
    const block = lz4Encode(content)
    for (let at = 0; at < content.length; at++) {
      const damaged = Uint8Array.from(content)
      damaged[at]! ^= random.pick([1, 0x80, 0xff, 1 + random.below(255)])
      check(damaged, damaged.length, CODEC_NONE, true)
      check(content.subarray(0, at), at, CODEC_NONE, true)
    }
    for (let at = 0; at < block.length; at++) {
      const damaged = Uint8Array.from(block)
      damaged[at]! ^= random.pick([1, 0x80, 0xff, 1 + random.below(255)])
      check(damaged, content.length, CODEC_LZ4, true)
      check(block.subarray(0, at), content.length, CODEC_LZ4, true)
      check(block, content.length + at - 5, CODEC_LZ4, true)
    }
  }
  for (let round = 0; round < 3000; round++) {
    const payload = random.bytes(random.below(100))
    check(payload, random.pick([payload.length, random.below(300)]), round % 2, round % 3 === 0)
  }
  t.equal(wrong, 0)
  t.ok(refused > 3000, `${refused} refused, ${read} read`)
})
