/** The ingest buffer kernel against its twin: what is accepted, and what a merge would read from the blocks. */
import t from 'tap'
import {
  RESIDENT_BYTES,
  RESIDENT_COUNT,
  RESIDENT_SLOT_BYTES,
  RESIDENT_SLOTS,
} from '../../src/shared/kernel/layout.js'
import {
  INGEST_ADDED,
  INGEST_BLOCK_COUNT,
  INGEST_BLOCK_ENTRIES,
  INGEST_ENTRY_COUNT,
  INGEST_HEADER_BYTES,
  INGEST_OUTCOME,
  INGEST_TOP,
  PACKED_CUT,
  PACKED_DONE,
  PACKED_FULL,
  PACKED_MALFORMED,
  PACKED_NOT_ASCENDING,
} from '../../src/shared/kernel/layout-ingest.js'
import { ReferenceIngestBuffer } from '../../src/shared/kernel/reference/ingest-buffer.js'
import type { Workspace } from '../../src/shared/memory/workspace.js'
import { Random, runSeed } from '../support/random.js'
import { testWorkspace } from '../support/workspace.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

/** `key kind value` of every entry, block by block. */
function entriesOf({ shared }: Workspace, buffer: number): string[] {
  const lines: string[] = []
  let block = (buffer + INGEST_HEADER_BYTES + 7) & ~7
  for (let n = shared.getU32(buffer + INGEST_BLOCK_COUNT); n > 0; n--) {
    const count = shared.getU32(block + RESIDENT_COUNT)
    if (count === 0 || count > INGEST_BLOCK_ENTRIES) throw new Error(`${count} entries`)
    for (let i = 0; i < count; i++) {
      let at = block + shared.getU32(block + RESIDENT_SLOTS + i * RESIDENT_SLOT_BYTES + 4)
      const kind = shared.bytes[at++]
      const varint = (): number => {
        let value = 0
        for (let scale = 1; ; scale *= 128) {
          const byte = shared.bytes[at++] as number
          value += (byte & 127) * scale
          if (byte < 128) return value
        }
      }
      if (varint() !== 0) throw new Error('a seqno')
      const [keyLength, valueLength] = [varint(), varint()]
      const key = shared.copy(at, keyLength).toString('hex')
      lines.push(`${key} ${kind} ${shared.copy(at + keyLength, valueLength).toString('hex')}`)
    }
    block += (shared.getU32(block + RESIDENT_BYTES) + 7) & ~7
  }
  return lines
}

function add(
  workspace: Workspace,
  buffer: number,
  key: Buffer,
  value: Buffer,
  kind: number,
): number {
  const { shared } = workspace
  const { kernel } = shared
  const address = kernel.ingest_reserve(buffer, key.length, value.length)
  if (address === 0) return -1
  shared.bytes.set(key, address)
  shared.bytes.set(value, address + key.length)
  return kernel.ingest_commit(buffer, key.length, value.length, kind, 1)
}

t.test('random entries, ascending or not, small and large', async (t) => {
  const random = new Random(seed)
  const workspace = testWorkspace(16)
  for (let round = 0; round < 20; round++) {
    const bytes = random.pick([9000, 100_000, 2_000_000])
    const buffer = workspace.heap.allocate(bytes)
    workspace.shared.bytes.fill(0xa5, buffer, buffer + bytes)
    workspace.shared.kernel.ingest_init(buffer, bytes, 0, 0, 0)
    const twin = new ReferenceIngestBuffer()
    let number = 0
    for (;;) {
      number = Math.max(0, number + (random.chance(0.1) ? -random.below(3) : 1 + random.below(300)))
      const tail = Buffer.alloc(random.chance(0.01) ? random.below(300) : random.below(12), 'k')
      const key = Buffer.concat([Buffer.alloc(4), tail])
      key.writeUInt32BE(number)
      const value = Buffer.alloc(
        random.chance(0.02) ? random.below(40_000) : random.below(60),
        number,
      )
      const kind = random.below(3)
      const outcome = add(workspace, buffer, key, value, kind)
      if (outcome < 0) break
      if (twin.add(key, value, kind) !== (outcome === INGEST_ADDED)) t.fail(`entry ${number}`)
    }
    t.ok(workspace.shared.getU32(buffer + INGEST_TOP) <= buffer + bytes)
    t.equal(workspace.shared.getU32(buffer + INGEST_ENTRY_COUNT), twin.entries.length)
    const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')
    t.same(
      entriesOf(workspace, buffer),
      twin.entries.map(({ key, kind, value }) => `${hex(key)} ${kind} ${hex(value)}`),
    )
    workspace.heap.free(buffer)
  }
})

t.test('a buffer goes on where the one before ended', async (t) => {
  const workspace = testWorkspace(1)
  const { kernel, bytes } = workspace.shared
  const [buffer, last] = [workspace.heap.allocate(20_000), workspace.heap.allocate(64)]
  bytes.set(Buffer.from('m'), last)
  kernel.ingest_init(buffer, 20_000, last, 1, 0)
  for (const [key, isAdded] of [
    ['a', 0],
    ['m', 0],
    ['ma', 1],
    ['ma', 0],
    ['z', 1],
  ] as const) {
    t.equal(add(workspace, buffer, Buffer.from(key), Buffer.alloc(0), 0), isAdded, key)
  }
  t.equal(add(workspace, buffer, Buffer.from('zz'), Buffer.alloc(20_000), 0), -1, 'too large')
  t.equal(add(workspace, buffer, Buffer.from('zz'), Buffer.alloc(0), 0), 1)
})

/** Entries as a packed chunk. */
function pack(entries: readonly (readonly [Buffer, Buffer])[]): Buffer {
  return Buffer.concat(
    entries.flatMap(([key, value]) => {
      const head = Buffer.alloc(6)
      head.writeUInt16LE(key.length)
      head.writeUInt32LE(value.length, 2)
      return [head, key, value]
    }),
  )
}

t.test('packed chunks: taken as far as they are sound, ascending, and there is room', async (t) => {
  const random = new Random(seed)
  const workspace = testWorkspace(16)
  const { shared, heap } = workspace
  for (let round = 0; round < 60; round++) {
    const isSorted = random.chance(0.5)
    const bytes = random.pick([9000, 60_000])
    const buffer = heap.allocate(bytes)
    shared.kernel.ingest_init(buffer, bytes, 0, 0, 0)
    const entries = Array.from({ length: random.below(80) }, (_, i) => {
      const number = isSorted && random.chance(0.99) ? i : random.below(80)
      const key = Buffer.from(`k${String(number).padStart(3, '0')}`)
      return [key, Buffer.alloc(random.below(200), i)] as const
    })
    const whole = pack(entries)
    const isCut = random.chance(0.3)
    const chunk = isCut ? whole.subarray(0, random.below(whole.length + 1)) : whole
    const from = heap.allocate(chunk.length + 8)
    shared.bytes.set(chunk, from)
    const end = shared.kernel.ingest_add_packed(buffer, from, from + chunk.length, isSorted ? 1 : 0)
    const outcome = shared.getU32(buffer + INGEST_OUTCOME)
    const taken = shared.getU32(buffer + INGEST_ENTRY_COUNT)
    t.equal(end - from, pack(entries.slice(0, taken)).length, 'stops at an entry')
    const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex')
    t.same(
      entriesOf(workspace, buffer),
      entries.slice(0, taken).map(([key, value]) => `${hex(key)} 0 ${hex(value)}`),
    )
    if (outcome === PACKED_DONE) t.equal(end, from + chunk.length)
    else if (outcome === PACKED_CUT) t.ok(isCut)
    else if (outcome === PACKED_NOT_ASCENDING) {
      t.ok(
        isSorted && (entries[taken - 1]?.[0].compare(entries[taken]?.[0] as Buffer) as number) >= 0,
      )
    } else t.equal(outcome, PACKED_FULL)
    heap.free(buffer)
    heap.free(from)
  }
})

t.test('an empty key is malformed, and what goes beyond the end is cut', async (t) => {
  const { shared, heap } = testWorkspace(1)
  const buffer = heap.allocate(40_000)
  const chunk = heap.allocate(64)
  for (const head of ['000001000000', '0100ffffffff', 'ffff00000000', '0100', '']) {
    shared.kernel.ingest_init(buffer, 40_000, 0, 0, 0)
    const bytes = Buffer.concat([Buffer.from(head, 'hex'), Buffer.from('xy')])
    shared.bytes.set(bytes, chunk)
    t.equal(shared.kernel.ingest_add_packed(buffer, chunk, chunk + bytes.length, 0), chunk)
    const outcome = head === '000001000000' ? PACKED_MALFORMED : PACKED_CUT
    t.equal(shared.getU32(buffer + INGEST_OUTCOME), outcome, head)
  }
})

t.test('room is kept behind the entries for each of them', async (t) => {
  const { shared, heap } = testWorkspace(1)
  const bytes = 60_000
  const buffer = heap.allocate(bytes)
  const chunk = heap.allocate(40_000)
  const entry = pack([[Buffer.from('key'), Buffer.from('v')]])
  for (let at = 0; at < 40_000; at += entry.length) shared.bytes.set(entry, chunk + at)
  let before = 4000
  for (const extra of [0, 8, 40, 1000]) {
    shared.kernel.ingest_init(buffer, bytes, 0, 0, extra)
    shared.kernel.ingest_add_packed(buffer, chunk, chunk + 40_000, 0)
    const count = shared.getU32(buffer + INGEST_ENTRY_COUNT)
    t.ok(shared.getU32(buffer + INGEST_TOP) + count * extra <= buffer + bytes, `${count} entries`)
    t.ok(count > 0 && count <= before)
    before = count
  }
})

t.test('sorting: by key, and of equal keys the one that was added last in front', async (t) => {
  const random = new Random(seed)
  const workspace = testWorkspace(32)
  const { shared, heap } = workspace
  for (const size of [0, 1, 2, 7, 8, 9, 16, 17, 100, 1023, 1025, 5000]) {
    const buffer = heap.allocate(1_000_000)
    shared.kernel.ingest_init(buffer, 1_000_000, 0, 0, 0)
    const added: (readonly [string, number])[] = []
    for (let i = 0; i < size; i++) {
      const key = Buffer.from(
        `${random.pick(['', 'shared-prefix-'])}${random.below(Math.max(3, size))}`,
      )
      const value = Buffer.alloc(4)
      value.writeUInt32BE(i)
      const address = shared.kernel.ingest_reserve(buffer, key.length, 4)
      shared.bytes.set(key, address)
      shared.bytes.set(value, address + key.length)
      shared.kernel.ingest_commit(buffer, key.length, 4, 0, 0)
      added.push([key.toString('hex'), i])
    }
    const target = heap.allocate(16 + 8 * size)
    const records = heap.allocate(32 * size + 64)
    const first = (buffer + INGEST_HEADER_BYTES + 7) & ~7
    const blocks = shared.getU32(buffer + INGEST_BLOCK_COUNT)
    shared.kernel.ingest_sort(first, blocks, size, target, records)
    const found = Array.from({ length: shared.getU32(target + RESIDENT_COUNT) }, (_, i) => {
      const offset = shared.getU32(target + RESIDENT_SLOTS + 8 * i + 4)
      const entry = (target + offset) >>> 0
      const keyLength = shared.bytes[entry + 2] as number
      const key = shared.copy(entry + 4, keyLength)
      return [key.toString('hex'), shared.copy(entry + 4 + keyLength, 4).readUInt32BE()] as const
    })
    const wanted = [...added].sort(([a, i], [b, j]) => (a < b ? -1 : a > b ? 1 : j - i))
    t.same(found, wanted, `${size} entries`)
    for (const piece of [buffer, target, records]) heap.free(piece)
  }
})
