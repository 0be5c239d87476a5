/**
 * Damaged table files: whatever happens to their bytes, a complete read gives the very entries that
 * were written, or a VarveError with a code. Damage behind recomputed checksums may change entries,
 * but never ends in anything but entries or a VarveError.
 */
import t from 'tap'
import { VarveError } from '../../../../src/shared/base/errors.js'
import { noOperands, RangeScan, type Row } from '../../../../src/shared/iterator/range-scan.js'
import { SCAN_EVERY_VERSION } from '../../../../src/shared/kernel/layout.js'
import { encodeFrame } from '../../../../src/shared/kernel/reference/block-frame.js'
import type { Version } from '../../../../src/shared/kernel/reference/version.js'
import { BlockLoader } from '../../../../src/shared/table/block-loader.js'
import { BlockProvider } from '../../../../src/shared/table/block-provider.js'
import { ResidentTable } from '../../../../src/shared/table/resident-table.js'
import { TableFile } from '../../../../src/shared/table/table-file.js'
import type { TableShape } from '../../../../src/shared/table/table-writer.js'
import { decodeTable } from '../../../support/decoder/index.js'
import { Random, runSeed } from '../../../support/random.js'
import { TestStates } from '../../../support/states.js'
import { fileSystemWith, writeTable } from '../../../support/tables.js'
import { difference } from '../../../support/versions.js'
import { testCache, testWorkspace } from '../../../support/workspace.js'

const ID = 3
const PATH = '/3'
const SEPARATOR = 'meta_separator'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(512)
const { shared, heap } = workspace
const loader = new BlockLoader(workspace)
const provider = new BlockProvider(workspace, loader, testCache(workspace, 0).view)
const states = new TestStates(workspace, random)

/** Everything that a table holds: entries, and range tombstones as text. */
function readAll(bytes: Uint8Array): { versions: Version[]; tombstones: string } {
  const file = fileSystemWith(PATH, bytes).openRead(PATH)
  const table = TableFile.open(workspace, loader, file, { id: ID })
  const placement = { owner: 1, globalSeqno: 0, restriction: undefined }
  const resident = new ResidentTable(workspace, loader, table, placement)
  try {
    return { versions: scanAll(resident), tombstones: JSON.stringify(resident.rangeTombstones) }
  } finally {
    resident.dispose()
  }
}

function scanAll(resident: ResidentTable): Version[] {
  const runs = [{ level: 1, tables: [resident] }]
  const stateAddress = states.publish([], runs)
  const view = { stateAddress, memtables: [], runs }
  const range = {
    lower: undefined,
    upper: undefined,
    seqno: Number.MAX_SAFE_INTEGER,
    isReverse: false,
    flags: SCAN_EVERY_VERSION,
  }
  const scan = new RangeScan(workspace, provider, view, range, noOperands)
  const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 } satisfies Row
  const versions: Version[] = []
  try {
    while (scan.next(row)) {
      versions.push({
        key: Uint8Array.from(shared.view(row.keyAddress, row.keyLength)),
        seqno: scan.seqnoOf(row),
        kind: scan.kindOf(row),
        value: Uint8Array.from(shared.view(row.valueAddress, row.valueLength)),
      })
    }
  } finally {
    scan.dispose()
    states.release()
  }
  return versions
}

/** Reads a damaged table: the entries, or the code of the error; anything else is thrown on. */
function readDamaged(bytes: Uint8Array): ReturnType<typeof readAll> | string {
  try {
    return readAll(bytes)
  } catch (error) {
    if (VarveError.is(error) && error.kind !== 'internal') return error.code
    throw error
  }
}

/** Sections of one block that a read begins with, and their types. */
const SINGLE_BLOCKS: Readonly<Record<string, number>> = {
  tli_tail: 1,
  filter_tli: 1,
  varve_filter: 2,
  meta: 3,
  range_tombstones: 4,
}

const versions = Array.from({ length: 40 }, (_, i): Version => {
  const kind = i % 5 === 3 ? 1 : 0
  const value = Buffer.from(kind === 1 ? '' : `value ${i}`)
  return { key: Buffer.from(`key ${100 + Math.floor(i / 2)}`), seqno: 90 - i, kind, value }
})
const rangeTombstones = [
  { start: Buffer.from('key 1'), end: Buffer.from('key 2'), seqno: 7 },
  { start: Buffer.from('key 3'), end: Buffer.from('key 4'), seqno: 9 },
]

const shapes: readonly (readonly [string, Partial<TableShape>])[] = [
  ['plain', { blockSize: 200, filter: { bits: 8, format: 'v5', isPartitioned: false } }],
  [
    'LZ4, two levels, a filter in partitions',
    {
      blockSize: 100,
      compression: { kind: 'lz4' },
      indexCompression: { kind: 'lz4' },
      indexSpillBytes: 0,
      hashRatio: 1.33,
      filter: { bits: 8, format: 'v5', isPartitioned: true },
    },
  ],
  ['an own filter', { blockSize: 300, filter: { bits: 8, format: 'varve', isPartitioned: false } }],
]

for (const [name, shape] of shapes) {
  const { bytes } = writeTable(workspace, ID, versions, shape, { rangeTombstones })
  const sound = readAll(bytes)
  const isSound = ({ versions, tombstones }: typeof sound): boolean =>
    difference(versions, sound.versions) === undefined && tombstones === sound.tombstones

  t.test(`${name}: every byte changed`, async (t) => {
    t.equal(difference(sound.versions, versions), undefined)
    const usedBytes = heap.usedBytes
    const codes = new Map<string, number>()
    const wrong: string[] = []
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes)
      damaged[at]! ^= random.chance(0.7) ? 1 << random.below(8) : 0xff
      const result = readDamaged(damaged)
      if (typeof result === 'string') codes.set(result, (codes.get(result) ?? 0) + 1)
      else if (!isSound(result)) wrong.push(`byte ${at}: other entries`)
    }
    t.strictSame(wrong, [])
    t.equal(heap.usedBytes, usedBytes, 'nothing is left behind in memory')
    t.ok(codes.size >= 3, [...codes].map(([code, count]) => `${code} ${count}`).join(', '))
  })

  t.test(`${name}: every truncation`, async (t) => {
    let wrong = 0
    for (let length = 0; length < bytes.length; length++) {
      if (typeof readDamaged(bytes.subarray(0, length)) !== 'string') wrong++
    }
    t.equal(wrong, 0, 'no part of the file passes for the whole')
  })

  t.test(`${name}: only raw sections and copies are passed over`, async (t) => {
    const { sections } = decodeTable(bytes)
    const tolerated = new Set<string>()
    for (const { name, offset, length } of sections) {
      for (let at = offset; at < offset + length; at += name === SEPARATOR ? 512 : 3) {
        const damaged = Uint8Array.from(bytes)
        damaged[at]! ^= 0x55
        if (typeof readDamaged(damaged) !== 'string') tolerated.add(name)
      }
    }
    // A damaged `meta` or `tli_tail` is read from its copy; `tli` itself is read only then.
    // Partitions of a filter are read when a point read asks them.
    const expected = ['meta', 'meta_mid', SEPARATOR, 'table_version', 'tli', 'tli_tail']
    if (shape.filter?.isPartitioned) expected.push('filter')
    t.strictSame([...tolerated].sort(), expected.sort())
  })

  t.test(`${name}: damage behind sound checksums`, async (t) => {
    const { blocks, index, sections } = decodeTable(bytes)
    const places = [
      ...blocks.map(({ offset, size }) => ({ offset, size, type: 0 })),
      ...(index.partitions === undefined ? [] : index.top).map((one) => ({ ...one, type: 1 })),
      ...sections.flatMap(({ name, offset, length: size }) => {
        const type = SINGLE_BLOCKS[name]
        return type === undefined ? [] : [{ offset, size, type }]
      }),
    ]
    let refused = 0
    let read = 0
    for (const { offset, size, type } of places) {
      const header = type === 3 ? 34 : 33
      const block = bytes.subarray(offset, offset + size)
      const view = new DataView(block.buffer, block.byteOffset)
      const plainLength = view.getUint32(header - 8, true)
      for (let at = header; at < size; at++) {
        for (const byte of [0, 128, 255, random.below(256)]) {
          const payload = Uint8Array.from(block.subarray(header))
          payload[at - header] = byte
          const damaged = Uint8Array.from(bytes)
          damaged.set(encodeFrame(type, payload, plainLength), offset)
          if (typeof readDamaged(damaged) === 'string') refused++
          else read++
        }
      }
    }
    t.ok(refused > 1000 && read > 100, `${refused} refused, ${read} read`)
  })
}

t.test('random bytes are no table', async (t) => {
  let wrong = 0
  for (let round = 0; round < 2000; round++) {
    if (typeof readDamaged(random.bytes(random.below(300))) !== 'string') wrong++
  }
  t.equal(wrong, 0)
})
