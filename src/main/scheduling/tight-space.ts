/**
 * A merge where there is no room for all that it writes (semantics.md 22.6): slice by slice of the keys, each installed for
 * good before the next one begins, and what a slice has used up of its inputs given back at once. Main thread.
 *
 *     room ──→ slice (after, upTo] ──→ job ──→ one edit: outputs in, inputs that are used up out, the others restricted to
 *       ↑                                      what lies behind the slice ──→ their blocks before that are punched once no
 *       └────────────────────────────────────── older version needs them (version/table-file-life.ts)
 *
 * I1: after each edit every key is in the outputs or in what is left of the inputs, never in both and never in neither. A
 *     crash, a failure or a lack of room at any moment leaves such a tree, and a later merge goes on from it.
 * I2: a slice ends where a block ends, and an input is left from the next key on that any input has: its blocks before that
 *     key are used up whole.
 */
import { assert } from '../../shared/base/errors.js'
import { successor } from '../../shared/base/key-order.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { KeySlice } from '../../shared/jobs/jobs.js'
import { cutKeys } from '../../shared/table/index-samples.js'
import type { CompactionInput } from '../strategies/strategy.js'
import type { TreeCore } from '../tree-core.js'
import type { Table } from '../version/table.js'
import { type CompactionResult, NOTHING } from './compaction-result.js'
import type { Watermark } from './flush-task.js'
import type { JobExecutor } from './job-executor.js'
import type { KeySample } from './key-slices.js'
import { MergeControl, type MergeOptions } from './merge-control.js'
import {
  findTables,
  installMerged,
  type MergeOutcome,
  retireInputs,
  runMerge,
} from './merge-job.js'
import { abandonTables, discardTables, giveUpTables } from './proposed-tables.js'
import { freeBytes } from './space-gate.js'

/** What a table takes beside its data: meta twice, and what keeps them apart. */
const TABLE_OVERHEAD_BYTES = 8 * 1024

/** The part of the room that data may take: the rest is for index and filter, and for a block more of each input. */
const DATA_SHARE = 0.75

/** Whether a merge of `tables` can be done in slices: there is something to cut, and what is used up can be given back. */
export function canCut(core: TreeCore, tables: readonly Table[]): boolean {
  const { fs } = core
  const [first] = tables
  if (first === undefined || fs.punchHole === undefined || fs.linkCount === undefined) return false
  if (fs.canPunchHoles?.(first.path) === false) return false
  return samplesOf(core, tables).length >= 2
}

/** Merges as much as there is room for. */
export async function mergeInTightSpace(
  core: TreeCore,
  executor: JobExecutor,
  input: CompactionInput,
  watermark: Watermark,
  options: MergeOptions,
): Promise<CompactionResult> {
  const ids = new Set(input.tableIds)
  const inputs = findTables(core, ids)
  const total = inputs.reduce((sum, { liveBytes }) => sum + liveBytes, 0)
  const samples = samplesOf(core, inputs)
  using control = new MergeControl(core, total, options)
  const done = { slices: 0, tablesIn: 0, tablesOut: 0, bytesWritten: 0 }
  let after: Uint8Array | undefined
  while (ids.size > 0) {
    const tables = findTables(core, ids)
    const slice = nextSlice(core, samples, after)
    if (tables.length < ids.size || slice === undefined) break
    const slices = [slice]
    const plan = { input: { ...input, tableIds: [...ids] }, tables, slices, watermark }
    const outcome = await runMerge(core, executor, plan, control)
    if (outcome.outputs === undefined) break
    // Also where they were cleared since the merge looked, while its promise was settled.
    if (findTables(core, ids).length < ids.size) {
      discardTables(outcome.outputs)
      break
    }
    const consumed = installSlice(core, input.destination, tables, slice, outcome, watermark)
    for (const { id } of consumed) ids.delete(id)
    done.slices++
    done.tablesIn += consumed.length
    done.tablesOut += outcome.outputs.length
    done.bytesWritten += outcome.result.bytesWritten
    after = slice.upTo
  }
  if (done.slices === 0) return NOTHING
  const { bytesRead } = control.progress
  if (ids.size === 0) control.complete()
  const { tablesIn, tablesOut, bytesWritten } = done
  const { destination } = input
  return { action: 'merged', destination, tablesIn, tablesOut, bytesRead, bytesWritten }
}

/** A key, the bytes that lie between it and the one before, and whether the inputs can be cut behind it. */
interface Sample extends KeySample {
  readonly isCut: boolean
}

/** The keys that blocks of the inputs end with, ascending. */
function samplesOf(core: TreeCore, tables: readonly Table[]): Sample[] {
  const { compare, isBytes } = core.order
  const ranges = tables.flatMap(({ resident }) => resident.rangeTombstones)
  // A range delete cannot be cut where there is no key right behind another one: nowhere in an order that is not of bytes.
  const isCut = (key: Uint8Array): boolean =>
    (isBytes && key.length < KEY_BYTES_MAX) ||
    !ranges.some(({ start, end }) => compare(start, key) <= 0 && compare(key, end) < 0)
  return tables
    .flatMap(({ resident }) => cutKeys(core.workspace, core.loader, resident))
    .map(({ key, bytes }) => ({ key, bytes, isCut: isCut(key) }))
    .sort((a, b) => compare(a.key, b.key))
}

/** Where what is left of the inputs begins. */
function boundaryBehind(
  core: TreeCore,
  tables: readonly Table[],
  upTo: Uint8Array,
  nextKey: Uint8Array | undefined,
): Uint8Array {
  if (nextKey !== undefined) return nextKey
  // Only range deletes are left of them.
  const { compare, isBytes } = core.order
  if (isBytes) return successor(upTo)
  const starts = tables
    .flatMap(({ resident }) => resident.rangeTombstones.map(({ start }) => start))
    .filter((start) => compare(start, upTo) > 0)
    .sort(compare)
  const [first] = starts
  assert(first !== undefined, 'what is not used up has an entry or a range delete left')
  return first
}

/** As many of the keys behind `after` as there is room for; undefined where that is none. */
function nextSlice(
  core: TreeCore,
  samples: readonly Sample[],
  after: Uint8Array | undefined,
): KeySlice | undefined {
  const { compare } = core.order
  const room = freeBytes(core) * DATA_SHARE - TABLE_OVERHEAD_BYTES
  const last = samples.at(-1)
  let sum = 0
  let upTo: Uint8Array | undefined
  for (const { key, bytes, isCut } of samples) {
    if (after !== undefined && compare(key, after) <= 0) continue
    sum += bytes
    if (sum > room) return upTo === undefined ? undefined : { after, upTo }
    // Behind the last key of all lies nothing that a cut could leave.
    if (isCut && last !== undefined && compare(key, last.key) < 0) upTo = key
  }
  return sum > room ? undefined : { after, upTo: undefined }
}

/** Makes a slice part of the tree; the inputs that it has used up. */
function installSlice(
  core: TreeCore,
  destination: number,
  tables: readonly Table[],
  { upTo }: KeySlice,
  outcome: MergeOutcome,
  watermark: Watermark,
): readonly Table[] {
  const { result, outputs = [] } = outcome
  const { compare } = core.order
  const consumed = tables.filter(({ keyMax }) => upTo === undefined || compare(keyMax, upTo) <= 0)
  const views: Table[] = []
  try {
    const restricted = new Map<number, Table>()
    for (const table of tables) {
      const { restriction = table.keyMin, record, life } = table
      const isTouched = upTo !== undefined && compare(restriction, upTo) <= 0
      if (consumed.includes(table) || !isTouched) continue
      const view = core.openTable(record, boundaryBehind(core, tables, upTo, result.nextKey), life)
      views.push(view)
      restricted.set(table.id, view)
    }
    const ids = new Set(consumed.map(({ id }) => id))
    const next = core.latest.version.withSlice(ids, restricted, outputs, destination)
    installMerged(core, next, outcome, watermark)
  } catch (error) {
    giveUpTables(core, outputs)
    abandonTables(views)
    throw error
  }
  retireInputs(core, consumed, result, watermark)
  return consumed
}
