/**
 * Blocks: from disk into their resident form, searching them and indexes, writing and sealing them. The kernels and their
 * twins.
 */
import {
  ADD_OK,
  BLOCK_HEADER_BYTES,
  BLOCK_INFO_PAYLOAD,
  BLOCK_SCRATCH_BYTES,
  BLOCK_SCRATCH_INFO,
  BLOCK_TYPE_DATA,
  BLOCK_TYPE_INDEX,
  CODEC_LZ4,
  CODEC_NONE,
  LZ4_TABLE_BYTES,
} from '../../../src/shared/kernel/layout.js'
import { RAW_FOUND_BYTES } from '../../../src/shared/kernel/layout-raw.js'
import { TABLE_SUMS_BYTES, TABLE_SUMS_LAST_KEY } from '../../../src/shared/kernel/layout-sums.js'
import {
  decodeDataBlock,
  decodeFrame,
  decodePayload,
  encodeFrame,
} from '../../../src/shared/kernel/reference/block-frame.js'
import {
  encodeDataBody,
  encodeIndexBody,
  type IndexedBlock,
} from '../../../src/shared/kernel/reference/block-writer.js'
import { lz4Encode } from '../../../src/shared/kernel/reference/lz4.js'
import {
  encodeResidentBlock,
  encodeResidentIndex,
  searchEntries,
  searchIndex,
} from '../../../src/shared/kernel/reference/resident-block.js'
import {
  decodeDataBody,
  decodeIndexBody,
} from '../../../src/shared/kernel/reference/restart-block.js'
import type { Version } from '../../../src/shared/kernel/reference/version.js'
import { BlockBuilder } from '../../../src/shared/table/block-builder.js'
import { place, testWorkspace } from '../../../test/support/workspace.js'
import { entriesOf, keyOf } from '../entries.js'
import { digestOf, type Effort, operationsFor, type Row, race } from '../race.js'

/** Entries of a block of 4 KiB, and of an index of 2 MiB of such blocks. */
const ENTRIES = 35
const INDEXED = 512
/** Blocks of 4 KiB for a million entries of 16 + 100 bytes. */
const LARGE_INDEXED = 27_778
const RESTART_INTERVAL = 16
const ROOM = 1 << 20

export function blocks(effort: Effort): Row[] {
  const { rounds } = effort
  const workspace = testWorkspace(16)
  const { shared, heap } = workspace
  const { kernel } = shared
  const entries = entriesOf(1, ENTRIES, 1, 1000)
  const body = encodeDataBody(entries, RESTART_INTERVAL)
  const indexed = entriesOf(1, INDEXED, 1, 1000).map(({ key, seqno }, i): IndexedBlock => {
    return { endKey: key, seqno, offset: i * 4100, size: 4100 }
  })
  const indexBody = encodeIndexBody(indexed, 1)
  const handleMax = INDEXED * 4100
  const target = heap.allocate(ROOM)
  const plain = heap.allocate(ROOM)
  const scratch = heap.allocate(BLOCK_SCRATCH_BYTES)
  const result = (length: number) => digestOf(shared.copy(target, length))
  const twinOfBody = (bytes: Uint8Array) => encodeResidentBlock(decodeDataBody(bytes) as Version[])
  const rows: Row[] = []
  const fast = operationsFor(1000, effort)
  const slow = operationsFor(100_000, effort)
  const add = (
    [name, bytes, items]: readonly [string, number, number],
    kernelDoes: () => number,
    twinDoes: () => Uint8Array,
  ) => {
    const subject = { family: 'blocks', name, bytes: bytes / items, items }
    const contenders = [
      {
        ...{ name: 'kernel', operations: fast, operation: kernelDoes },
        result: () => result(kernelDoes()),
      },
      {
        ...{ name: 'twin', operations: slow, operation: () => twinDoes().length },
        result: () => digestOf(twinDoes()),
      },
    ]
    rows.push(...race(subject, contenders, rounds))
  }

  const bodyAt = place(workspace, body)
  add(
    ['data block to resident', body.length, 1],
    () => kernel.resident_block_convert(bodyAt, body.length, target, ROOM),
    () => twinOfBody(body),
  )
  for (const [name, codec] of [
    ['plain', CODEC_NONE],
    ['lz4', CODEC_LZ4],
  ] as const) {
    const payload = codec === CODEC_LZ4 ? lz4Encode(body) : body
    const frame = encodeFrame(BLOCK_TYPE_DATA, payload, body.length)
    const frameAt = place(workspace, frame)
    add(
      [`data block checked, to resident, ${name}`, frame.length, 1],
      () =>
        kernel.data_block_load(
          ...([frameAt, frame.length, codec, 0, plain, ROOM, target, ROOM, scratch] as const),
        ),
      () => encodeResidentBlock(decodeDataBlock(frame, codec, false) as Version[]),
    )
  }
  const indexAt = place(workspace, indexBody)
  add(
    ['index of 512 blocks to resident', indexBody.length, 1],
    () =>
      kernel.resident_index_convert(
        ...([indexAt, indexBody.length, target, ROOM, scratch, 0, handleMax] as const),
      ),
    () => encodeResidentIndex(decodeIndexBody(indexBody, 0, handleMax) as IndexedBlock[]),
  )
  rows.push(...largeIndex(effort, workspace))
  rows.push(...searches(effort, workspace, entries, indexed))

  const keys = entries.map(({ key }) => place(workspace, key))
  const values = entries.map(({ value }) => place(workspace, value))
  const sums = heap.allocate(TABLE_SUMS_BYTES)
  shared.bytes.fill(0, sums, sums + TABLE_SUMS_BYTES)
  shared.setU32(sums + TABLE_SUMS_LAST_KEY, heap.allocate(65_600))
  const builder = new BlockBuilder(workspace, {
    ...{ bytes: 65_536, restartInterval: RESTART_INTERVAL, hashRatio: 0 },
  })
  const fill = () => {
    kernel.block_writer_reset(builder.address)
    kernel.table_sums_reset(sums)
    for (let i = 0; i < entries.length; i++) {
      const { key, seqno, kind, value } = entries[i] as Version
      const added = kernel.table_add_at(
        ...([builder.address, sums, 1 << 20, keys[i] as number, key.length] as const),
        ...([seqno, kind, values[i] as number, value.length] as const),
      )
      if (added !== ADD_OK) throw new Error('the block is too small')
    }
  }
  const write = () => {
    fill()
    return kernel.block_writer_finish(builder.address)
  }
  const subject = { family: 'blocks', name: 'write, an entry', items: ENTRIES }
  const bytes = body.length / ENTRIES
  rows.push(
    ...race(
      { ...subject, bytes },
      [
        {
          ...{ name: 'kernel', operations: fast, operation: write },
          result: () => {
            const length = write()
            return digestOf(shared.copy(builder.bodyAddress, length))
          },
        },
        {
          ...{ name: 'twin', operations: slow },
          operation: () => encodeDataBody(entries, RESTART_INTERVAL).length,
          result: () => digestOf(encodeDataBody(entries, RESTART_INTERVAL)),
        },
      ],
      rounds,
    ),
  )
  const table = heap.allocate(LZ4_TABLE_BYTES)
  for (const [name, codec] of [
    ['plain', CODEC_NONE],
    ['lz4', CODEC_LZ4],
  ] as const) {
    const seal = () => {
      fill()
      return kernel.block_seal(
        ...([builder.address, BLOCK_TYPE_DATA, codec, target, ROOM, table, scratch] as const),
      )
    }
    const twin = () => {
      const written = encodeDataBody(entries, RESTART_INTERVAL)
      const payload = codec === CODEC_LZ4 ? lz4Encode(written) : written
      return encodeFrame(BLOCK_TYPE_DATA, payload, written.length)
    }
    // Compressed payloads may differ; what they stand for may not.
    const content = (frame: Uint8Array) => {
      const decoded = decodeFrame(frame, BLOCK_TYPE_DATA)
      if (typeof decoded === 'number') return decoded
      return digestOf(decodePayload(decoded, codec) as Uint8Array)
    }
    rows.push(
      ...race(
        { ...subject, name: `write and seal, ${name}, an entry`, bytes },
        [
          {
            ...{ name: 'kernel', operations: fast, operation: seal },
            result: () => content(shared.copy(target, seal())),
          },
          {
            ...{ name: 'twin', operations: slow, operation: () => twin().length },
            result: () => content(twin()),
          },
        ],
        rounds,
      ),
    )
  }
  return rows
}

/** The index of a million entries: most of what opening such a tree takes. Its bytes are checked and made searchable. */
function largeIndex(effort: Effort, workspace: ReturnType<typeof testWorkspace>): Row[] {
  const { shared, heap } = workspace
  const { kernel } = shared
  const indexed = entriesOf(1, LARGE_INDEXED, 1, 1000).map(({ key, seqno }, i): IndexedBlock => {
    return { endKey: key, seqno, offset: i * 2400, size: 2400 }
  })
  const bytes = encodeFrame(BLOCK_TYPE_INDEX, encodeIndexBody(indexed, 1))
  const frame = place(workspace, bytes)
  const room = 4 * bytes.length
  const target = heap.allocate(room)
  const info = workspace.blockScratch + BLOCK_SCRATCH_INFO
  const read = (): number => {
    kernel.block_verify(frame, bytes.length, BLOCK_TYPE_INDEX, info, workspace.blockScratch)
    return kernel.resident_index_convert(
      ...([shared.getU32(info + BLOCK_INFO_PAYLOAD), bytes.length - BLOCK_HEADER_BYTES] as const),
      ...([target, room, workspace.blockScratch, 0, LARGE_INDEXED * 2400] as const),
    )
  }
  const name = `index of ${LARGE_INDEXED} blocks checked, to resident`
  const operations = operationsFor(400_000, effort)
  const rows = race(
    { family: 'blocks', name, bytes: bytes.length },
    [{ name: 'kernel', operations, operation: read }],
    effort.rounds,
  )
  heap.free(target)
  heap.free(frame)
  return rows
}

/** Where a key is, in a resident block and in a resident index. */
function searches(
  effort: Effort,
  workspace: ReturnType<typeof testWorkspace>,
  entries: readonly Version[],
  indexed: readonly IndexedBlock[],
): Row[] {
  const { kernel } = workspace.shared
  const { rounds } = effort
  const block = place(workspace, encodeResidentBlock(entries))
  const index = place(workspace, encodeResidentIndex(indexed))
  const frame = encodeFrame(BLOCK_TYPE_DATA, encodeDataBody(entries, RESTART_INTERVAL))
  const found = workspace.heap.allocate(RAW_FOUND_BYTES)
  const raw = kernel.data_block_open(
    ...([place(workspace, frame), frame.length, CODEC_NONE, 0, 0, 0] as const),
    workspace.blockScratch,
  )
  // Every second one is there.
  const sought = Array.from({ length: 256 }, (_, i) => keyOf(i % 2 === 0 ? 1 + (i % 35) : i + 9000))
  const places = sought.map((key) => place(workspace, key))
  const keyBytes = sought[0]?.length ?? 0
  const key = (i: number) => places[i & 255] as number
  const plainKey = (i: number) => sought[i & 255] as Uint8Array
  const fast = operationsFor(50, effort)
  const slow = operationsFor(3000, effort)
  return [
    ...race(
      { family: 'blocks', name: 'search a block' },
      [
        {
          ...{ name: 'kernel', operations: fast },
          operation: (i) => kernel.resident_search_at(block, key(i), keyBytes, -1),
        },
        {
          ...{ name: 'twin', operations: slow },
          operation: (i) => searchEntries(entries, plainKey(i)),
        },
      ],
      rounds,
    ),
    ...race(
      { family: 'blocks', name: 'search a block as it came from disk' },
      [
        {
          ...{ name: 'kernel', operations: fast },
          operation: (i) =>
            kernel.raw_block_find_at(raw, key(i), keyBytes, Number.MAX_SAFE_INTEGER, found),
        },
        {
          ...{ name: 'twin', operations: slow },
          operation: (i) => {
            const entry = entries[searchEntries(entries, plainKey(i))]
            return entry !== undefined && Buffer.compare(entry.key, plainKey(i)) === 0 ? 1 : 0
          },
        },
      ],
      rounds,
    ),
    ...race(
      { family: 'blocks', name: 'search an index of 512' },
      [
        {
          ...{ name: 'kernel', operations: fast },
          operation: (i) => kernel.index_search_at(index, key(i), keyBytes, -1),
        },
        {
          ...{ name: 'twin', operations: slow },
          operation: (i) => searchIndex(indexed, plainKey(i)),
        },
      ],
      rounds,
    ),
  ]
}
