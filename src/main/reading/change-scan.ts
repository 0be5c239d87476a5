/**
 * Change data capture: every version that a super version still holds at or above a seqno, in seqno order (semantics.md
 * 10). The thread that reads.
 *
 * Sources hold entries in key order, so they are read whole, one after the other, and what is new is sorted. That takes
 * memory, which is bounded: a window of seqnos that turns out too large is halved while it is being read, and the rest
 * of it comes in a later pass. Blocks that hold nothing of a window are passed over where the table tells (`seqnoInIndex`).
 *
 *     from ────── window ──────→ to            to is lowered to the median of what was collected,
 *     │ collected, sorted, given │ later       as often as it takes
 *
 * I1: every version in [from, end) is given exactly once, ascending by seqno.
 * I2: what is collected at a time is at most a few times WINDOW_BYTES, whatever the tree holds: one seqno that alone has
 *     more than that, of a bulk ingestion, is given as it is read.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { CompareKeys } from '../../shared/base/key-order.js'
import {
  normalizeRangeTombstones,
  type RangeTombstone,
} from '../../shared/format/range-tombstone.js'
import type { BlockSeqnos } from '../../shared/format/seqno-bounds.js'
import { readRangeRecords } from '../../shared/iterator/range-records.js'
import { noOperands, RangeScan } from '../../shared/iterator/range-scan.js'
import { PartialView } from '../../shared/iterator/read-state.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import type { BlockGiver } from '../../shared/iterator/run-cursor.js'
import {
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
  RESIDENT_BYTES,
  RESIDENT_COUNT,
  RESIDENT_SLOTS,
  SCAN_EVERY_VERSION,
  WANTED_DATA,
} from '../../shared/kernel/layout.js'
import type { Workspace } from '../../shared/memory/workspace.js'
import type { ViewTable } from '../../shared/table/view-table.js'
import type { ReadCore } from './read-core.js'

/** One change, as the tree stored it: nothing is resolved, merged or left out. */
export type ChangeEvent =
  | {
      readonly type: 'insert'
      readonly key: Buffer
      readonly value: Buffer
      readonly seqno: number
    }
  | {
      readonly type: 'mergeOperand'
      readonly key: Buffer
      readonly operand: Buffer
      readonly seqno: number
    }
  | { readonly type: 'pointTombstone'; readonly key: Buffer; readonly seqno: number }
  /** `key` is the first key that is deleted, `end` the first one behind that is not. */
  | {
      readonly type: 'rangeTombstone'
      readonly key: Buffer
      readonly end: Buffer
      readonly seqno: number
    }

/** Bytes of events at which a window is halved. */
const WINDOW_BYTES = 16 * 1024 * 1024

/** What an event costs beside its key and value, roughly. */
const EVENT_BYTES = 200

/** One memtable or one table, and how to read it. */
interface Source {
  readonly view: PartialView
  readonly table: ViewTable | undefined
  readonly bounds: ReadonlyMap<number, BlockSeqnos> | undefined
}

export interface ChangeScanOptions {
  /** True: read every block, also where the table tells that it holds nothing new. */
  readonly isFull: boolean
  /** For tests. */
  readonly windowBytes?: number
}

/** The changes of `view` with `from <= seqno < end`, a window at a time. Takes no reference to the view. */
export function* changesOf(
  core: ReadCore,
  view: ReadView,
  range: { readonly from: number; readonly end: number },
  options: ChangeScanOptions,
): Generator<ChangeEvent, undefined> {
  const scan = new ChangeScan(core, view, options)
  const { end } = range
  try {
    let { from } = range
    while (from < end) {
      const { events, to } = scan.collect(from, end)
      if (events === undefined) yield* scan.rowsOf(from)
      else yield* events
      from = to
    }
    return undefined
  } finally {
    scan.dispose()
  }
}

class ChangeScan {
  readonly #core: ReadCore
  readonly #sources: readonly Source[]
  readonly #tombstones: readonly ChangeEvent[]
  readonly #windowBytes: number
  /** A block without entries, given for those that hold nothing of the window. */
  readonly #emptyBlock: number

  constructor(core: ReadCore, view: ReadView, options: ChangeScanOptions) {
    this.#core = core
    this.#windowBytes = options.windowBytes ?? WINDOW_BYTES
    const { workspace } = core
    const tables = view.runs.flatMap((run) => run.tables.map((table) => ({ ...run, table })))
    this.#sources = [
      ...view.memtables.map((memtable) => ({
        view: new PartialView(workspace, [memtable], []),
        table: undefined,
        bounds: undefined,
      })),
      ...tables.map(({ level, table }) => ({
        view: new PartialView(workspace, [], [{ level, tables: [table] }]),
        table,
        bounds: options.isFull ? undefined : table.table.readSeqnoBounds(workspace, core.loader),
      })),
    ]
    this.#tombstones = tombstoneEvents(rangeTombstonesOf(workspace, view), workspace.order.compare)
    const { shared, heap } = workspace
    this.#emptyBlock = heap.allocate(RESIDENT_SLOTS)
    shared.bytes.fill(0, this.#emptyBlock, this.#emptyBlock + RESIDENT_SLOTS)
    shared.setU32(this.#emptyBlock + RESIDENT_COUNT, 0)
    shared.setU32(this.#emptyBlock + RESIDENT_BYTES, RESIDENT_SLOTS)
  }

  /**
   * Collects from `from` on, at most up to `end`: the events below `to`, in order. No events where those of the seqno
   * `from` alone are too many: {@link rowsOf} gives them.
   */
  collect(from: number, end: number): { events: ChangeEvent[] | undefined; to: number } {
    let events = this.#tombstones.filter(({ seqno }) => seqno >= from && seqno < end)
    let to = end
    let bytes = events.length * EVENT_BYTES
    for (const source of this.#sources) {
      if (!mayHold(source, from, to)) continue
      for (const event of this.#rows(source, from, to)) {
        if (event.seqno >= to) continue
        events.push(event)
        bytes += sizeOf(event)
        if (bytes <= this.#windowBytes) continue
        to = smallerEnd(events, from, to)
        if (to === from) return { events: undefined, to: from + 1 }
        events = events.filter(({ seqno }) => seqno < to)
        bytes = events.reduce((sum, one) => sum + sizeOf(one), 0)
      }
    }
    return { events: events.sort((a, b) => a.seqno - b.seqno), to }
  }

  /** The events of one seqno, as they are read. */
  *rowsOf(seqno: number): Generator<ChangeEvent> {
    yield* this.#tombstones.filter((event) => event.seqno === seqno)
    for (const source of this.#sources) {
      if (mayHold(source, seqno, seqno + 1)) yield* this.#rows(source, seqno, seqno + 1)
    }
  }

  dispose(): void {
    for (const { view } of this.#sources) view[Symbol.dispose]()
    this.#core.workspace.heap.free(this.#emptyBlock)
  }

  *#rows(source: Source, from: number, to: number): Generator<ChangeEvent> {
    const { workspace } = this.#core
    const { shared } = workspace
    const range = { lower: undefined, upper: undefined, seqno: to, isReverse: false }
    const scan = new RangeScan(
      workspace,
      this.#giver(source, from, to),
      source.view,
      { ...range, flags: SCAN_EVERY_VERSION },
      noOperands,
    )
    try {
      const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
      while (scan.next(row)) {
        const seqno = scan.seqnoOf(row)
        if (seqno < from) continue
        const kind = scan.kindOf(row)
        const key = shared.copy(row.keyAddress, row.keyLength)
        yield eventOf(kind, key, seqno, () => shared.copy(row.valueAddress, row.valueLength))
      }
    } finally {
      scan.dispose()
    }
  }

  /** Gives the table's blocks, and an empty one for each that holds nothing of the window. */
  #giver({ bounds }: Source, from: number, to: number): BlockGiver {
    const { provider } = this.#core
    if (bounds === undefined) return provider
    const empty = { address: this.#emptyBlock, length: RESIDENT_SLOTS, isCached: false }
    return {
      // Cursors must not find by themselves what is to be passed over.
      cacheAddress: 0,
      epoch: provider.epoch,
      get: (table, kind, offset, size) => {
        if (kind !== WANTED_DATA) return provider.get(table, kind, offset, size)
        const { globalSeqno } = table
        const block = bounds.get(offset)
        const isPassed =
          block !== undefined && (block.max + globalSeqno < from || block.min + globalSeqno >= to)
        return isPassed ? empty : provider.get(table, kind, offset, size)
      },
    }
  }
}

/** False where the source's seqnos lie outside the window as a whole. */
function mayHold({ table }: Source, from: number, to: number): boolean {
  if (table === undefined) return true
  const { meta } = table.table
  const { globalSeqno } = table
  return meta.seqnoKvMax + globalSeqno >= from && meta.seqnoMin + globalSeqno < to
}

function eventOf(kind: number, key: Buffer, seqno: number, value: () => Buffer): ChangeEvent {
  switch (kind) {
    case KIND_VALUE:
      return { type: 'insert', key, value: value(), seqno }
    case KIND_MERGE_OPERAND:
      return { type: 'mergeOperand', key, operand: value(), seqno }
    case KIND_TOMBSTONE:
    case KIND_WEAK_TOMBSTONE:
      return { type: 'pointTombstone', key, seqno }
    default:
      throw new VarveError(
        'VARVE_UNSUPPORTED',
        `the key ${key.toString('hex')} has its value in a blob file, which this tree does not read`,
        { details: { kind, feature: kind === KIND_INDIRECTION ? 'kvSeparation' : 'unknown' } },
      )
  }
}

/** A copy of every range tombstone of memtables and tables. */
function rangeTombstonesOf({ shared }: Workspace, view: ReadView): RangeTombstone[] {
  return [
    ...view.runs.flatMap(({ tables }) => tables.flatMap(({ rangeTombstones }) => rangeTombstones)),
    ...view.memtables.flatMap((memtable) => readRangeRecords(shared, memtable)),
  ]
}

/** One event for each range tombstone, pieces of it that lie in several tables joined again. */
function tombstoneEvents(
  tombstones: readonly RangeTombstone[],
  compare: CompareKeys,
): ChangeEvent[] {
  const bySeqno = normalizeRangeTombstones(tombstones, compare).sort((a, b) => a.seqno - b.seqno)
  const joined: { start: Uint8Array; end: Uint8Array; seqno: number }[] = []
  for (const { start, end, seqno } of bySeqno) {
    const last = joined.at(-1)
    if (last?.seqno !== seqno || compare(start, last.end) > 0) joined.push({ start, end, seqno })
    else if (compare(end, last.end) > 0) last.end = end
  }
  return joined.map(({ start, end, seqno }) => {
    return { type: 'rangeTombstone', key: Buffer.from(start), end: Buffer.from(end), seqno }
  })
}

function sizeOf(event: ChangeEvent): number {
  const rest =
    event.type === 'insert' ? event.value : event.type === 'mergeOperand' ? event.operand : ''
  return EVENT_BYTES + event.key.length + rest.length
}

/**
 * Where a window that holds too much ends instead: at the median of its events; where most of them have the lowest
 * seqno, right behind that; where all have, in front of it, and at `from` where they start there.
 */
function smallerEnd(events: readonly ChangeEvent[], from: number, to: number): number {
  const seqnos = Float64Array.from(events, ({ seqno }) => seqno).sort()
  const median = seqnos[seqnos.length >>> 1] as number
  const lowest = Math.max(from, seqnos[0] as number)
  if (median > lowest) return median
  return to > lowest + 1 ? lowest + 1 : lowest
}
