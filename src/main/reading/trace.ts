/**
 * Every version of one key, wherever it lies: for debugging. Main thread.
 */
import { noOperands, RangeScan } from '../../shared/iterator/range-scan.js'
import { PartialView } from '../../shared/iterator/read-state.js'
import { SCAN_EVERY_VERSION } from '../../shared/kernel/layout.js'
import type { TreeCore } from '../tree-core.js'
import type { SuperVersion } from '../version/super-version.js'

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
export function traceKey(core: TreeCore, view: SuperVersion, key: Uint8Array): TracedVersion[] {
  const versions: TracedVersion[] = []
  const memtables = [
    ...(view.active === undefined ? [] : [{ source: 'active' as const, memtable: view.active }]),
    ...[...view.sealed].reverse().map((memtable) => ({ source: 'sealed' as const, memtable })),
  ]
  for (const { source, memtable } of memtables) {
    using part = new PartialView(core.workspace, [memtable.address], [])
    const place = { source, id: memtable.id, level: undefined }
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
  core: TreeCore,
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
