/** Tables with the crate's locator, of every precision, intact or damaged: read as those without one. */

import t from 'tap'
import { noOperands, RangeScan } from '../../../../src/shared/iterator/range-scan.js'
import { SCAN_EVERY_VERSION } from '../../../../src/shared/kernel/layout.js'
import type { Version } from '../../../../src/shared/kernel/reference/version.js'
import { BlockLoader } from '../../../../src/shared/table/block-loader.js'
import { BlockProvider } from '../../../../src/shared/table/block-provider.js'
import { ResidentTable } from '../../../../src/shared/table/resident-table.js'
import { TableFile } from '../../../../src/shared/table/table-file.js'
import {
  decodeArchive,
  decodeTable,
  encodeTableBlocks,
  PRECISION_BLOCK,
  PRECISION_ENTRY,
  PRECISION_RESTART,
} from '../../../support/decoder/index.js'
import { Random } from '../../../support/random.js'
import { TestStates } from '../../../support/states.js'
import { fileSystemWith, writeTable } from '../../../support/tables.js'
import { difference } from '../../../support/versions.js'
import { testCache, testWorkspace } from '../../../support/workspace.js'

const workspace = testWorkspace(64)
const { shared } = workspace
const loader = new BlockLoader(workspace)
const provider = new BlockProvider(workspace, loader, testCache(workspace, 0).view)
const states = new TestStates(workspace, new Random(1))

const versions = Array.from({ length: 300 }, (_, i): Version => {
  const key = Buffer.from(`key ${String(i).padStart(3, '0')}`)
  return { key, seqno: 1 + (i % 7), kind: 0, value: Buffer.from(`value ${i}`) }
})

/** Every version of a table, and what is found from the middle on. */
function read(bytes: Uint8Array): Version[] {
  const file = fileSystemWith('/1', bytes).openRead('/1')
  const table = TableFile.open(workspace, loader, file, { id: 1 })
  const placement = { owner: 1, globalSeqno: 0, restriction: undefined }
  const resident = new ResidentTable(workspace, loader, table, placement)
  const runs = [{ level: 1, tables: [resident] }]
  const view = { stateAddress: states.publish([], runs), memtables: [], runs }
  const found: Version[] = []
  const half = { key: versions[150]!.key, isInclusive: true }
  for (const lower of [undefined, half]) {
    const range = {
      lower,
      upper: undefined,
      seqno: 100,
      isReverse: false,
      flags: SCAN_EVERY_VERSION,
    }
    const scan = new RangeScan(workspace, provider, view, range, noOperands)
    const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
    while (scan.next(row)) {
      found.push({
        key: Uint8Array.from(shared.view(row.keyAddress, row.keyLength)),
        seqno: scan.seqnoOf(row),
        kind: scan.kindOf(row),
        value: Uint8Array.from(shared.view(row.valueAddress, row.valueLength)),
      })
    }
    scan.dispose()
  }
  states.release()
  resident.dispose()
  return found
}

t.test('`locator_read_path`: every precision reads as none, damaged ones too', async (t) => {
  const plain = writeTable(workspace, 1, versions, { blockSize: 300 }).bytes
  const decoded = decodeTable(plain)
  const expected = [...versions, ...versions.slice(150)]
  t.equal(difference(read(plain), expected), undefined)
  for (const locatorPrecision of [PRECISION_RESTART, PRECISION_ENTRY, PRECISION_BLOCK]) {
    const bytes = encodeTableBlocks(
      decoded.blocks.map(({ entries }) => entries),
      { ...decoded.meta, tableId: 1, restartInterval: 16, locatorPrecision },
    )
    const section = decodeArchive(bytes, 'a table').sections.find(({ name }) => name === 'locator')
    t.ok(section !== undefined && section.length > 0)
    t.equal(difference(read(bytes), expected), undefined, `precision ${locatorPrecision}`)
    const damaged = Uint8Array.from(bytes)
    damaged.fill(0xa5, section!.offset, section!.offset + section!.length)
    t.equal(
      difference(read(damaged), expected),
      undefined,
      `precision ${locatorPrecision}, damaged`,
    )
  }
})
