/**
 * The block writer kernels against their twin, byte for byte, and what happens where room is short.
 */
import t from 'tap'
import {
  ADD_NO_SPACE,
  ADD_OK,
  INDEX_ENTRY_KEY,
  INDEX_ENTRY_KEY_LENGTH,
  INDEX_ENTRY_OFFSET,
  INDEX_ENTRY_SEQNO,
  INDEX_ENTRY_SIZE,
} from '../../src/shared/kernel/layout.js'
import { TABLE_SUMS_BYTES, TABLE_SUMS_LAST_KEY } from '../../src/shared/kernel/layout-sums.js'
import {
  encodeDataBody,
  encodeIndexBody,
  type IndexedBlock,
} from '../../src/shared/kernel/reference/block-writer.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { BlockBuilder } from '../../src/shared/table/block-builder.js'
import { Random, runSeed } from '../support/random.js'
import { randomKeys, randomVersions } from '../support/versions.js'
import { place, testWorkspace } from '../support/workspace.js'

const BLOCK_BYTES_ANY = 0xffff_ffff

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(64)
const { shared, heap } = workspace
const { kernel } = shared
const key = heap.allocate(65_535 + 64)
const value = heap.allocate(1 << 20)
const sums = heap.allocate(TABLE_SUMS_BYTES)
shared.bytes.fill(0, sums, sums + TABLE_SUMS_BYTES)
shared.setU32(sums + TABLE_SUMS_LAST_KEY, heap.allocate(65_535 + 64))

function add(builder: BlockBuilder, version: Version): number {
  shared.bytes.set(version.key, key)
  shared.bytes.set(version.value, value)
  return kernel.table_add_at(
    ...([builder.address, sums, BLOCK_BYTES_ANY, key, version.key.length] as const),
    ...([version.seqno, version.kind, value, version.value.length] as const),
  )
}

/** The kernel's body of `entries`, from a first buffer of `bytes`, grown on demand. */
function write(
  entries: readonly Version[],
  restartInterval: number,
  hashRatio: number,
  bytes: number,
) {
  const builder = new BlockBuilder(workspace, { bytes, restartInterval, hashRatio })
  kernel.table_sums_reset(sums)
  for (const version of entries) {
    let result = add(builder, version)
    while (result === ADD_NO_SPACE) {
      builder.grow()
      result = add(builder, version)
    }
    if (result !== ADD_OK) throw new Error(`add returned ${result}`)
  }
  const bound = builder.bodyBytesMax
  const length = kernel.block_writer_finish(builder.address)
  if (length > bound) throw new Error(`${length} bytes, but ${bound} were promised at most`)
  const body = Uint8Array.from(shared.view(builder.bodyAddress, length))
  builder.dispose()
  return body
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const shapes = [1, 2, 16, 255].flatMap((interval) =>
  [0, 0.5, 1.33].map((ratio) => [interval, ratio] as const),
)

t.test('data bodies equal the twin', async (t) => {
  for (const [interval, ratio] of shapes) {
    let wrong = 0
    for (let round = 0; round < 60; round++) {
      const keys = randomKeys(random, 1 + random.below(random.pick([1, 3, 20, 300])))
      const seqnoMax = random.pick([1, 200, 2 ** 40, Number.MAX_SAFE_INTEGER - 1])
      const shape = { seqnoMin: 0, seqnoMax, versionsMax: 3 }
      const entries = randomVersions(random, keys, shape)
      if (entries.length === 0) continue
      const body = write(entries, interval, ratio, random.pick([64, 1000, 100_000]))
      if (!equal(body, encodeDataBody(entries, interval, ratio))) wrong++
    }
    t.equal(wrong, 0, `restart interval ${interval}, hash ratio ${ratio}`)
  }
})

t.test('the longest keys, empty values, and bodies above 64 KiB', async (t) => {
  const long = (fill: number, length: number): Uint8Array => new Uint8Array(length).fill(fill)
  const keys = [long(1, 65_535), long(2, 65_534), long(2, 65_535), long(3, 1)]
  const entries: Version[] = keys.map((key, i) => ({ key, seqno: i, kind: 0, value: long(i, i) }))
  for (const [interval, ratio] of shapes) {
    const body = write(entries, interval, ratio, 4096)
    t.ok(equal(body, encodeDataBody(entries, interval, ratio)), `${body.length} bytes of long keys`)
  }
  // Heads on either side of the last offset that two bytes hold.
  for (const length of [65_520, 65_525, 65_526, 65_527, 65_528, 65_529, 65_530, 200_000]) {
    const pair: Version[] = [
      { key: Uint8Array.of(1), seqno: 5, kind: 0, value: long(9, length) },
      { key: Uint8Array.of(2), seqno: 5, kind: 4, value: long(8, 3) },
    ]
    const body = write(pair, 1, 0, 4096)
    t.ok(equal(body, encodeDataBody(pair, 1)), `a head behind ${length} bytes of value`)
  }
})

t.test('more heads than a hash index can name', async (t) => {
  for (const count of [253, 254, 255, 256, 600]) {
    const entries = Array.from({ length: count }, (_, i): Version => {
      return { key: Uint8Array.of(1, i >> 8, i & 255), seqno: 1, kind: 0, value: Uint8Array.of(i) }
    })
    const body = write(entries, 1, 1.33, 64)
    t.ok(equal(body, encodeDataBody(entries, 1, 1.33)), `${count} heads`)
  }
})

t.test('an entry without room leaves the writer as it was', async (t) => {
  const builder = new BlockBuilder(workspace, { bytes: 256, restartInterval: 2, hashRatio: 1.33 })
  kernel.table_sums_reset(sums)
  const kept: Version[] = []
  for (let i = 0; i < 100; i++) {
    const value = random.bytes(random.below(60))
    const version: Version = { key: Uint8Array.of(i), seqno: i, kind: 0, value }
    if (add(builder, version) === ADD_OK) kept.push(version)
  }
  const length = kernel.block_writer_finish(builder.address)
  const body = shared.view(builder.bodyAddress, length)
  t.ok(kept.length > 1 && kept.length < 100, `${kept.length} entries fit`)
  t.ok(equal(body, encodeDataBody(kept, 2, 1.33)))
  t.ok(length <= heap.sizeOf(builder.bodyAddress))
  builder.dispose()
})

t.test('index bodies equal the twin, entry by entry and from records', async (t) => {
  let wrong = 0
  for (let round = 0; round < 300; round++) {
    const interval = random.pick([1, 2, 16, 255])
    let offset = 0
    const blocks = randomKeys(random, 1 + random.below(60)).map((endKey): IndexedBlock => {
      const size = 1 + random.below(random.pick([100, 5000, 2 ** 31 - 1]))
      offset += size
      return { endKey, seqno: random.below(random.pick([3, 2 ** 53])), offset: offset - size, size }
    })
    const make = (): BlockBuilder =>
      new BlockBuilder(workspace, { bytes: 64, restartInterval: interval, hashRatio: 0 })
    const builder = make()
    for (const { endKey, seqno, offset, size } of blocks) {
      const at = place(workspace, endKey)
      const add = (): number =>
        kernel.index_writer_add(builder.address, at, endKey.length, seqno, offset, size)
      while (add() === 0) builder.grow()
      heap.free(at)
    }
    const expected = encodeIndexBody(blocks, interval)
    if (!equal(finished(builder), expected)) wrong++
    builder.dispose()
    const another = make()
    const records = place(workspace, recordsOf(blocks))
    const end = records + recordsOf(blocks).length
    for (let at = records; at < end; another.grow()) {
      at = kernel.index_writer_add_all(another.address, at, end)
    }
    if (!equal(finished(another), expected)) wrong++
    another.dispose()
    heap.free(records)
  }
  t.equal(wrong, 0)
})

/** The finished body: a view. */
function finished(builder: BlockBuilder): Uint8Array {
  const length = kernel.block_writer_finish(builder.address)
  return shared.view(builder.bodyAddress, length)
}

/** The INDEX_ENTRY records of blocks, one behind the other. */
function recordsOf(blocks: readonly IndexedBlock[]): Uint8Array {
  const records = blocks.map(({ endKey, seqno, offset, size }) => {
    const record = Buffer.alloc((INDEX_ENTRY_KEY + endKey.length + 7) & ~7)
    record.writeBigUInt64LE(BigInt(seqno), INDEX_ENTRY_SEQNO)
    record.writeBigUInt64LE(BigInt(offset), INDEX_ENTRY_OFFSET)
    record.writeUInt32LE(size, INDEX_ENTRY_SIZE)
    record.writeUInt32LE(endKey.length, INDEX_ENTRY_KEY_LENGTH)
    record.set(endKey, INDEX_ENTRY_KEY)
    return record
  })
  return Buffer.concat(records)
}
