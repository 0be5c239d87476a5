/**
 * Cursors of merges, which take their blocks from a window over the file: random runs give what their plain lists hold,
 * whatever the codec and however large the blocks, and damage is told as any other reader tells it.
 */
import t from 'tap'
import { VarveError } from '../../../../src/shared/base/errors.js'
import { RunCursor } from '../../../../src/shared/iterator/run-cursor.js'
import {
  RESIDENT_BYTES,
  SOURCE_BLOCK,
  SOURCE_BYTES,
  SOURCE_CURSOR,
  SOURCE_ENDED,
  SOURCE_GLOBAL_SEQNO,
  SOURCE_INDEX,
  SOURCE_STATE,
  SOURCE_TYPE,
  SOURCE_TYPE_ROWS,
  SOURCE_WANTS_BLOCK,
} from '../../../../src/shared/kernel/layout.js'
import type { ReferenceRun } from '../../../../src/shared/kernel/reference/point-read.js'
import { decodeResidentBlock } from '../../../../src/shared/kernel/reference/resident-block.js'
import { runVersions } from '../../../../src/shared/kernel/reference/run-cursor.js'
import type { Version } from '../../../../src/shared/kernel/reference/version.js'
import { ResidentTable } from '../../../../src/shared/table/resident-table.js'
import { TableFile } from '../../../../src/shared/table/table-file.js'
import type { ViewTable } from '../../../../src/shared/table/view-table.js'
import { Random, runSeed } from '../../../support/random.js'
import { decodeRows } from '../../../support/rows.js'
import { TestStates } from '../../../support/states.js'
import { fileSystemWith, writeTable } from '../../../support/tables.js'
import { difference } from '../../../support/versions.js'
import { place, testWorkspace } from '../../../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(256)
const { shared, heap } = workspace
const { kernel } = shared
const states = new TestStates(workspace, random)

/** Blocks that came decoded. */
let blocksAsRows = 0

interface Walked {
  readonly versions: Version[]
  readonly bytesRead: number
}

/** What a source was given, from where it stands on. */
function givenTo(source: number): Version[] {
  const block = shared.getU32(source + SOURCE_BLOCK)
  const index = shared.getI32(source + SOURCE_INDEX)
  if (shared.getU32(source + SOURCE_TYPE) === SOURCE_TYPE_ROWS) {
    blocksAsRows++
    return decodeRows(shared.bytes, block, index)
  }
  const all = decodeResidentBlock(shared.view(block, shared.getU32(block + RESIDENT_BYTES)))
  return all.slice(index).map((version) => {
    return { ...version, seqno: version.seqno + shared.getU64(source + SOURCE_GLOBAL_SEQNO) }
  })
}

/** Everything that a cursor over the run gives, from behind `after` on. */
function walk(tables: readonly ViewTable[], after?: Uint8Array): Walked {
  let bytesRead = 0
  const cursor = new RunCursor(workspace, states.loader, tables, (bytes) => {
    bytesRead += bytes
  })
  const source = heap.allocate(SOURCE_BYTES)
  const key = after === undefined ? undefined : place(workspace, after)
  const versions: Version[] = []
  try {
    shared.bytes.fill(0, source, source + SOURCE_BYTES)
    cursor.open(
      source,
      key === undefined ? undefined : { address: key, length: after?.length ?? 0 },
    )
    const address = shared.getU32(source + SOURCE_CURSOR)
    while (shared.getU32(source + SOURCE_STATE) !== SOURCE_ENDED) {
      versions.push(...givenTo(source))
      kernel.run_cursor_advance(address, source)
      while (shared.getU32(source + SOURCE_STATE) === SOURCE_WANTS_BLOCK) cursor.feed(source)
    }
    return { versions, bytesRead }
  } finally {
    cursor.dispose()
    heap.free(source)
    if (key !== undefined) heap.free(key)
  }
}

function ascending(count: number, valueBytes: number): Version[] {
  return Array.from({ length: count }, (_, i): Version => {
    const value = random.bytes(valueBytes)
    return { key: Uint8Array.of(i >> 8, i & 255), seqno: 1 + random.below(9), kind: 0, value }
  })
}

t.test('random runs, from any place', async (t) => {
  const wrong: string[] = []
  let rows = 0
  for (let round = 0; round < 60; round++) {
    const state = states.random()
    const usedBytes = heap.usedBytes
    state.runs.forEach(({ tables }, number) => {
      const plain = state.plain.runs[number] as ReferenceRun
      for (const after of [undefined, random.pick(state.keys), random.pick(state.keys)]) {
        const from = after === undefined ? undefined : { key: after, isBehind: true }
        const { versions } = walk(tables, after)
        rows += versions.length
        const problem = difference(versions, runVersions(plain, false, from, undefined))
        if (problem !== undefined) wrong.push(problem)
      }
    })
    if (heap.usedBytes > usedBytes) wrong.push('memory was not given back')
    states.release()
  }
  t.strictSame(wrong.slice(0, 5), [])
  t.ok(rows > 3000, `${rows} entries`)
  t.ok(blocksAsRows > 100, `${blocksAsRows} blocks as rows`)
})

t.test('every codec, several windows, and blocks larger than a window', async (t) => {
  const versions = ascending(700, 1000)
  const huge = ascending(4, 400_000)
  for (const compression of [
    { kind: 'none' },
    { kind: 'lz4' },
    { kind: 'zstd', level: 1 },
  ] as const) {
    for (const indexSpillBytes of [0, 4 << 20]) {
      const table = states.table(versions, { compression, indexSpillBytes })
      const found = walk([table])
      t.equal(difference(found.versions, versions), undefined, compression.kind)
      t.ok(found.bytesRead <= 740_000 && found.bytesRead > 440_000, `${found.bytesRead} bytes`)
      const large = states.table(huge, { compression, indexSpillBytes })
      t.equal(difference(walk([large]).versions, huge), undefined, `large, ${compression.kind}`)
    }
  }
  states.release()
})

t.test('damage is told with file and offset, and memory given back', async (t) => {
  const versions = ascending(400, 1000)
  const { bytes } = writeTable(workspace, 7, versions, {})
  const open = (content: Uint8Array): ResidentTable => {
    const file = fileSystemWith('/7', content).openRead('/7')
    const table = TableFile.open(workspace, states.loader, file, { id: 7 })
    const placement = { owner: 1, globalSeqno: 0, restriction: undefined }
    return new ResidentTable(workspace, states.loader, table, placement)
  }
  for (let i = 0; i < 40; i++) {
    const damaged = Uint8Array.from(bytes)
    const at = random.below(400_000)
    damaged[at] = (damaged[at] as number) ^ (1 << random.below(8))
    const table = open(damaged)
    const usedBytes = heap.usedBytes
    try {
      walk([table])
      t.fail(`a changed byte at ${at} was not noticed`)
    } catch (error) {
      t.ok(VarveError.is(error) && error.kind === 'corruption', String(error))
      const { file, offset } = (error as VarveError).details as { file: string; offset: number }
      t.equal(file, '/7')
      t.ok(offset <= at && at < offset + 6000, `${at} lies in the block at ${offset}`)
    }
    t.equal(heap.usedBytes, usedBytes)
    table.dispose()
  }
})

t.test('a file that has become shorter ends the walk with an error', async (t) => {
  const versions = ascending(400, 1000)
  const { bytes } = writeTable(workspace, 8, versions, {})
  const file = fileSystemWith('/8', bytes).openRead('/8')
  const table = TableFile.open(workspace, states.loader, file, { id: 8 })
  const placement = { owner: 1, globalSeqno: 0, restriction: undefined }
  const resident = new ResidentTable(workspace, states.loader, table, placement)
  const read = file.read.bind(file)
  file.read = (target, offset) => {
    const left = Math.max(0, 300_000 - offset)
    return read(target.subarray(0, Math.min(left, target.length)), offset)
  }
  t.throws(() => walk([resident]), { code: 'VARVE_INVALID_HEADER' })
  resident.dispose()
})
