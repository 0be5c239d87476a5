/**
 * Every version of one key, wherever it lies: for debugging. The thread that reads.
 */
import { noOperands, RangeScan } from '../../shared/iterator/range-scan.js'
import { PartialView } from '../../shared/iterator/read-state.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import { MEMTABLE_ID, SCAN_EVERY_VERSION } from '../../shared/kernel/layout.js'
import type { ReadCore } from './read-core.js'

/** What kind of entry a version is, by its number in tables. */
const KINDS = ['value', 'tombstone', 'weakTombstone', 'mergeOperand', 'indirection'] as const

/** One version of a key. */
export interface TracedVersion {
  /** What it lies in: the write buffer in use, one that waits for its flush, or a table. */
  readonly source: 'active' | 'sealed' | 'table'
  /** The id of that write buffer or table. */
  readonly id: number
  /** Tables only. */
  readonly level: number | undefined
  readonly kind: (typeof KINDS)[number]
  readonly seqno: number
  readonly valueLength: number
  /** Empty for a tombstone. */
  readonly value: Buffer
}

/** Every version of `key` in every source of `view`, newest source first, in each the newest version first. */
export function traceKey(core: ReadCore, view: ReadView, key: Uint8Array): TracedVersion[] {
  const versions: TracedVersion[] = []
  for (const [i, memtable] of view.memtables.entries()) {
    using part = new PartialView(core.workspace, [memtable], [])
    const source = i === 0 ? ('active' as const) : ('sealed' as const)
    const place = { source, id: core.shared.getU32(memtable + MEMTABLE_ID), level: undefined }
    versions.push(...versionsIn(core, part, key).map((version) => ({ ...place, ...version })))
  }
  for (const { level, tables } of view.runs) {
    // The bounds keep the scan from tables that cannot hold the key.
    for (const table of tables) {
      using part = new PartialView(core.workspace, [], [{ level, tables: [table] }])
      const place = { source: 'table' as const, id: table.table.meta.tableId, level }
      versions.push(...versionsIn(core, part, key).map((version) => ({ ...place, ...version })))
    }
  }
  return versions
}

function versionsIn(
  core: ReadCore,
  view: PartialView,
  key: Uint8Array,
): Omit<TracedVersion, 'source' | 'id' | 'level'>[] {
  const bound = { key, isInclusive: true }
  const range = { lower: bound, upper: bound, seqno: Number.MAX_SAFE_INTEGER, isReverse: false }
  const flags = SCAN_EVERY_VERSION
  const scan = new RangeScan(core.workspace, core.provider, view, { ...range, flags }, noOperands)
  try {
    const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
    const versions = []
    while (scan.next(row)) {
      versions.push({
        kind: KINDS[scan.kindOf(row)] as TracedVersion['kind'],
        seqno: scan.seqnoOf(row),
        valueLength: row.valueLength,
        value: core.shared.copy(row.valueAddress, row.valueLength),
      })
    }
    return versions
  } finally {
    scan.dispose()
  }
}
