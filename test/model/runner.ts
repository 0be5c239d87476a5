/**
 * Runs programs on a tree and its model, and compares every answer.
 */

import { leveled } from '../../src/main/strategies/leveled.js'
import { major } from '../../src/main/strategies/major.js'
import { sizeTiered } from '../../src/main/strategies/size-tiered.js'
import type { MaintenanceOptions, Tree } from '../../src/main/tree.js'
import { WriteBatch } from '../../src/main/writing/write-batch.js'
import { prefixEnd } from '../../src/shared/base/key-order.js'
import * as bulk from './bulk.js'
import type { ModelWrite } from './model.js'
import { type OptionSet, setsLike } from './option-sets.js'
import {
  type Failure,
  isWeakKey,
  makeValue,
  type Program,
  type Step,
  type StepKind,
} from './program.js'
import * as kinds from './read-kinds.js'
import * as reads from './reads.js'
import { type Place, Session } from './session.js'

type Act = (session: Session, program: Program, step: Step) => void | Promise<void>

const SNAPSHOTS_MAX = 6
const ITERATORS_MAX = 5

const STRATEGIES = [
  undefined,
  leveled({ targetBytes: 1024, l0Threshold: 1, levelRatios: [2] }),
  leveled({ targetBytes: 4096, l0Threshold: 2 }),
  sizeTiered({ minMergeWidth: 2, targetBytes: 2048 }),
  major({ targetBytes: 3000 }),
] as const

/** A correct promise, in one of its forms. */
function watermark(session: Session, choice: number, isAwaited: boolean): MaintenanceOptions {
  const safe = session.safeWatermark
  const form = choice % 5
  if (form === 0) return { gcWatermark: 0 }
  if (form === 1) return { gcWatermark: safe }
  if (form === 2) return { gcWatermark: Math.floor((safe * (choice % 97)) / 97) }
  const isFree = isAwaited && session.snapshots.length === 0 && session.held === undefined
  if (form === 3 && isFree) return { gcWatermark: Number.POSITIVE_INFINITY }
  return {}
}

const writeOf = (program: Program, key: number, size: number, tag: number): ModelWrite => ({
  key: reads.keyOf(program, key),
  value: makeValue(size, tag),
})

/** The write, or what may be written of a weakly deleted key in its place: a weak delete where it is there. */
function allowed(session: Session, write: ModelWrite): ModelWrite {
  if (!isWeakKey(write.key)) return write
  if (write.value !== undefined && write.form === undefined && !session.model.isLive(write.key)) {
    return write
  }
  return { key: write.key, value: undefined, form: 'weak' }
}

/** An operand: short, for what is appended adds up. */
const operandOf = (program: Program, key: number, size: number, tag: number): ModelWrite => ({
  key: reads.keyOf(program, key),
  value: makeValue(size, tag).subarray(0, 120),
  form: 'merge',
})

function addToBatch(batch: WriteBatch, { key, value, form }: ModelWrite): void {
  if (form === 'weak') batch.removeWeak(key)
  else if (value === undefined) batch.remove(key)
  else if (form === 'merge') batch.merge(key, value)
  else batch.insert(key, value)
}

const ACTS: Readonly<Record<StepKind, Act>> = {
  insert: (session, program, [, a, b, c]) =>
    session.write([allowed(session, writeOf(program, a, b, c))], undefined),
  remove: (session, program, [, a]) =>
    session.write(
      [allowed(session, { key: reads.keyOf(program, a), value: undefined })],
      undefined,
    ),
  removeWeak: async (session, program, [, a]) => {
    const weak = program.keys.filter(isWeakKey)
    if (weak.length === 0) return
    const key = weak[a % weak.length] as Buffer
    await session.write([{ key, value: undefined, form: 'weak' }], undefined)
  },
  merge: async (session, program, [, a, b, c]) => {
    const write = operandOf(program, a, b, c)
    if (!isWeakKey(write.key)) await session.write([write], undefined)
  },
  removeRange: (session, program, step) => session.removeRange(reads.deleteOf(program, step)),
  removePrefix: async (session, program, [, a, b]) => {
    // Prefixes mean something in the order of bytes alone.
    if (session.set.order !== undefined) return
    const key = reads.keyOf(program, a)
    const start = key.subarray(0, Math.max(1, key.length - (b % 4)))
    const end = prefixEnd(start)
    await session.removeRange(
      { start, end: end === undefined ? start : Buffer.from(end) },
      { isPrefix: true },
    )
  },
  batch: async (session, program, [, a, b, c, d]) => {
    const batch = new WriteBatch()
    const writes: ModelWrite[] = []
    for (let i = 0; i < a % 12; i++) {
      const index = b + i * (c % 7)
      const key = reads.keyOf(program, index)
      // One kind for each key: a batch takes no other.
      const kind = ((key[0] as number) + d) % 4
      const write =
        kind === 0
          ? { key, value: undefined }
          : kind === 1
            ? operandOf(program, index, c + i, d + i)
            : writeOf(program, index, c + i, d + i)
      const made = allowed(session, write)
      addToBatch(batch, made)
      writes.push(made)
    }
    for (let i = 0; i < [0, 0, 0, 1, 2][d % 5]!; i++) {
      const { start, end } = reads.deleteOf(program, ['batch', a + i, b + i, c, d])
      if (session.compare(start, end) < 0) batch.removeRange(start, end)
    }
    if (batch.length > 0) await session.write(writes, batch)
  },
  hold: async (session, program, step) => {
    const [, a, b, c, d] = step
    const key = reads.keyOf(program, a)
    if (d % 7 === 0) await session.removeRangeHeld(reads.deleteOf(program, step))
    else if (isWeakKey(key)) return
    else if (d % 7 === 1) await session.writeHeld({ key, value: undefined })
    else if (d % 7 < 4) await session.writeHeld(operandOf(program, a, b, c))
    else await session.writeHeld(writeOf(program, a, b, c))
  },
  publish: (session) => session.publish(),
  fill: async (session, program, [, a, b]) => {
    for (let i = 0; i < 40 + (a % 200); i++) {
      const write = writeOf(program, b + 31 * i, a + 7919 * i, b + i)
      await session.write([allowed(session, write)], undefined)
    }
  },
  get: reads.get,
  getInto: reads.getInto,
  multiGet: reads.multiGet,
  pinned: kinds.pinned,
  getLater: kinds.getLater,
  multiGetLater: kinds.multiGetLater,
  rangeLater: kinds.rangeLater,
  guards: kinds.guards,
  seekable: kinds.seekable,
  batchRanges: kinds.batchRanges,
  trace: kinds.trace,
  contains: reads.contains,
  containsPrefix: reads.containsPrefix,
  range: reads.range,
  prefix: reads.prefix,
  doubleEnded: reads.doubleEnded,
  edges: reads.edges,
  count: reads.count,
  bareRead: reads.bareRead,
  checkAll: reads.checkAll,
  snapshotOpen: (session) => {
    if (session.snapshots.length < SNAPSHOTS_MAX) session.snapshots.push(session.tree.snapshot())
  },
  snapshotRead: reads.snapshotRead,
  snapshotScan: reads.snapshotScan,
  snapshotDispose: (session, _, [, a]) => {
    const { snapshots } = session
    if (snapshots.length > 0) snapshots.splice(a % snapshots.length, 1)[0]?.[Symbol.dispose]()
  },
  iteratorOpen: (session, program, step) => {
    if (session.iterators.length < ITERATORS_MAX) reads.openIterator(session, program, step)
  },
  iteratorStep: reads.stepIterator,
  iteratorDispose: (session, _, [, a]) => {
    const { iterators } = session
    if (iterators.length > 0) iterators.splice(a % iterators.length, 1)[0]?.iterator.return()
  },
  rotate: (session) => {
    session.tree.rotateMemtable()
  },
  flush: async (session, _, [, a]) => {
    await session.tree.flush(watermark(session, a, true))
  },
  flushInBackground: (session, _, [, a]) =>
    session.start(session.tree.flush(watermark(session, a, false))),
  compact: async (session, _, [, a, b]) => {
    const strategy = STRATEGIES[b % STRATEGIES.length]
    await session.tree.compact(strategy, watermark(session, a, true))
  },
  compactInBackground: (session, _, [, a, b]) => {
    const strategy = STRATEGIES[b % STRATEGIES.length]
    session.start(session.tree.compact(strategy, watermark(session, a, false)))
  },
  majorCompact: async (session, _, [, a, b]) => {
    const size = b % 3 === 0 ? {} : { targetSize: 1 + (b % 5000) }
    await session.tree.majorCompact({ ...size, ...watermark(session, a, true) })
  },
  clear: (session) => session.clear(),
  dropAll: bulk.dropAll,
  ingest: bulk.ingest,
  bulkIngest: bulk.bulkIngest,
  checkpoint: bulk.checkpoint,
  reopen: (session, _, [, a, b]) => {
    const sets = setsLike(session.set)
    const set = sets[a % sets.length] as OptionSet
    return session.reopen(set, b % 2 === 0)
  },
  runtime: (session, _, [, a, b, c]) => {
    session.tree.updateRuntimeConfig({
      memtableBytes: [128, 160, 256, 1024][a % 4]! * 1024,
      maxSealedMemtables: 1 + (b % 3),
      compactionConcurrency: 1 + (c % 3),
      indexPartitionSpillThreshold: [0, 100, 4 << 20][b % 3] as number,
    })
  },
  idle: async (session) => {
    await session.settle()
    await session.tree.idle()
  },
}

/** Steps between two turns of the event loop. */
const TURN_STEPS = 16

/** Runs a program; what went wrong, or undefined. Leaves nothing open. `onOpen` is shown every tree of it. */
export async function runProgram(
  program: Program,
  set: OptionSet,
  place: Place,
  onOpen?: (tree: Tree) => void,
): Promise<Failure | undefined> {
  const session = new Session(place, set, onOpen)
  let at = 0
  try {
    await session.open()
    for (const step of program.steps) {
      await ACTS[step[0]](session, program, step)
      at++
      if (at % TURN_STEPS === 0) await session.turn()
    }
    await session.settle()
    await reads.checkAll(session)
    await session.reopen(set, false)
    await reads.checkAll(session)
    await session.tree.idle()
    reads.checkFolder(session)
    await session.close()
    return undefined
  } catch (error) {
    await session.abandon()
    const failure = error instanceof Error ? error : new Error(String(error))
    return { step: Math.min(at, program.steps.length - 1), error: failure }
  }
}
