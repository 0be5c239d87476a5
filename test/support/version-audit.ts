/**
 * Looks at a tree after every version it installs: that runs ascend without overlap, that newer entries and range
 * tombstones lie above older ones of the same keys, and that compactions work on tables of their own.
 *
 * I1: tables of a run ascend by key, disjoint, range tombstones included.
 * I2: the entries of a table, and what its range tombstones cover, lie inside its bounds.
 * I3: of two entries of one key in different levels, or in different runs of a level from L1 on, the upper one is not
 *     older; nor is an entry older than a range tombstone below it that covers its key.
 * I4: no table is named by two running compactions, and what a choice names is there and was not hidden.
 */
import type { CompactionChoice, CompactionStrategy } from '../../src/main/strategies/strategy.js'
import type { Tree } from '../../src/main/tree.js'
import type { TreeCore } from '../../src/main/tree-core.js'
import type { Table } from '../../src/main/version/table.js'
import type { Version } from '../../src/main/version/version.js'
import { noOperands, RangeScan } from '../../src/shared/iterator/range-scan.js'
import { PartialView } from '../../src/shared/iterator/read-state.js'
import { SCAN_EVERY_VERSION } from '../../src/shared/kernel/layout.js'

interface Entry {
  readonly key: Buffer
  readonly seqno: number
}

/** Entries between full audits: reading all of a large tree after every install would take most of the test. */
const ENTRIES_MAX = 6000

/** What the audits of one tree came to. */
export interface Audit {
  /** Versions that were looked at. */
  readonly installs: number
  /** What was wrong with the first bad one. */
  readonly failure: Error | undefined
}

/** Audits every version that `tree` installs from now on. Never throws by itself: look at the result. */
export function auditInstalls(tree: Tree): Audit {
  const { core } = tree as unknown as { readonly core: TreeCore }
  const audit: { installs: number; failure: Error | undefined } = {
    installs: 0,
    failure: undefined,
  }
  const install = core.history.install.bind(core.history)
  core.history.install = (next) => {
    install(next)
    audit.installs++
    try {
      auditVersion(core, next.version)
    } catch (error) {
      audit.failure ??= error as Error
    }
  }
  return audit
}

/** @throws where the version breaks I1 … I3 */
export function auditVersion(core: TreeCore, version: Version): void {
  const { compare } = core.order
  for (const [level, runs] of version.levels.entries()) {
    for (const run of runs) {
      if (run.length === 0) throw new Error(`L${level} has an empty run`)
      for (const [i, table] of run.entries()) {
        const next = run[i + 1]
        if (next === undefined || compare(table.keyMax, next.keyMin) < 0) continue
        throw new Error(`L${level}: tables ${table.id} and ${next.id} of one run overlap`)
      }
    }
  }
  const ids = [...version.tables()].map(({ table }) => table.id)
  if (new Set(ids).size !== ids.length) throw new Error('a table is in a version twice')
  const entries = [...version.tables()].reduce((sum, { table }) => sum + itemCount(table), 0)
  if (entries <= ENTRIES_MAX) auditRecency(core, version)
}

function itemCount({ resident }: Table): number {
  return resident.table.meta.itemCount
}

/** Checks I2 and I3, from the top down. */
function auditRecency(core: TreeCore, version: Version): void {
  const { compare } = core.order
  /** The oldest entry of each key above the layer in hand. */
  const oldest = new Map<string, { readonly key: Buffer; readonly seqno: number }>()
  for (const layer of layersOf(version)) {
    const entries: Entry[] = []
    for (const table of layer) {
      const found = entriesOf(core, table)
      for (const { key } of found) requireInside(core, table, key, key)
      entries.push(...found)
      for (const { start, end, seqno } of table.resident.rangeTombstones) {
        for (const { key, seqno: above } of oldest.values()) {
          if (above >= seqno || compare(key, start) < 0 || compare(key, end) >= 0) continue
          throw new Error(
            `table ${table.id}: a range tombstone of seqno ${seqno} lies below an entry of seqno ${above}`,
          )
        }
      }
    }
    for (const { key, seqno } of entries) {
      const above = oldest.get(key.toString('latin1'))
      if (above === undefined || above.seqno >= seqno) continue
      throw new Error(
        `key ${key.subarray(0, 20).toString('hex')}: seqno ${seqno} lies below seqno ${above.seqno}`,
      )
    }
    for (const { key, seqno } of entries) {
      const name = key.toString('latin1')
      oldest.set(name, { key, seqno: Math.min(seqno, oldest.get(name)?.seqno ?? seqno) })
    }
  }
}

/** L0 as one, since reads take its newest entry whichever run has it; then run by run. */
function layersOf({ levels }: Version): readonly (readonly Table[])[] {
  const [l0 = [], ...deeper] = levels
  return [l0.flat(), ...deeper.flat()]
}

function requireInside(core: TreeCore, table: Table, from: Uint8Array, to: Uint8Array): void {
  const { compare } = core.order
  if (compare(table.keyMin, from) <= 0 && compare(to, table.keyMax) <= 0) return
  throw new Error(`table ${table.id} holds a key outside its bounds`)
}

function entriesOf(core: TreeCore, table: Table): Entry[] {
  if (itemCount(table) === 0) return []
  using part = new PartialView(core.workspace, [], [{ level: 0, tables: [table.resident] }])
  const everything = {
    ...{ lower: undefined, upper: undefined, seqno: Number.MAX_SAFE_INTEGER },
    ...{ isReverse: false, flags: SCAN_EVERY_VERSION },
  }
  const scan = new RangeScan(core.workspace, core.provider, part, everything, noOperands)
  try {
    const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
    const entries: Entry[] = []
    while (scan.next(row)) {
      entries.push({
        key: core.shared.copy(row.keyAddress, row.keyLength),
        seqno: scan.seqnoOf(row),
      })
    }
    return entries
  } finally {
    scan.dispose()
  }
}

/** What an audited strategy came to. */
export interface StrategyAudit {
  readonly strategy: CompactionStrategy
  readonly choices: Readonly<Record<CompactionChoice['kind'], number>>
  /** The most tables that were hidden at a choice. */
  readonly hiddenMax: number
  readonly failure: Error | undefined
}

/** A strategy that decides as `inner`, and keeps an eye on I4. */
export function auditChoices(inner: CompactionStrategy): StrategyAudit {
  const choices = { nothing: 0, move: 0, merge: 0, drop: 0 }
  const audit: { -readonly [P in keyof StrategyAudit]: StrategyAudit[P] } = {
    choices,
    hiddenMax: 0,
    failure: undefined,
    strategy: {
      name: inner.name,
      pendingBytes: (version) => inner.pendingBytes(version),
      choose(version, state) {
        const choice = inner.choose(version, state)
        choices[choice.kind]++
        audit.hiddenMax = Math.max(audit.hiddenMax, state.hidden.size)
        const known = new Set(version.levels.flat(2).map(({ id }) => id))
        const ids =
          choice.kind === 'nothing'
            ? undefined
            : choice.kind === 'drop'
              ? choice.tableIds
              : choice.input.tableIds
        if (ids === undefined) return choice
        const fail = (what: string): void => {
          audit.failure ??= new Error(`${inner.name}: ${what}`)
        }
        if (ids.length === 0) fail('a choice names no table')
        if (new Set(ids).size !== ids.length) fail('a choice names a table twice')
        if (ids.some((id) => !known.has(id))) fail('a choice names a table that is not there')
        if (ids.some((id) => state.hidden.has(id))) fail('a choice names a hidden table')
        return choice
      },
    },
  }
  return audit
}
