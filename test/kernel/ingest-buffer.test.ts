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
  INGEST_TOP,
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
  return kernel.ingest_commit(buffer, key.length, value.length, kind)
}

t.test('random entries, ascending or not, small and large', async (t) => {
  const random = new Random(seed)
  const workspace = testWorkspace(16)
  for (let round = 0; round < 20; round++) {
    const bytes = random.pick([9000, 100_000, 2_000_000])
    const buffer = workspace.heap.allocate(bytes)
    workspace.shared.bytes.fill(0xa5, buffer, buffer + bytes)
    workspace.shared.kernel.ingest_init(buffer, bytes, 0, 0)
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
  kernel.ingest_init(buffer, 20_000, last, 1)
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
