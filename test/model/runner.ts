/**
 * Runs programs on a tree and its model, and compares every answer.
 */

import { leveled } from '../../src/main/strategies/leveled.js'
import { major } from '../../src/main/strategies/major.js'
import { sizeTiered } from '../../src/main/strategies/size-tiered.js'
import type { MaintenanceOptions } from '../../src/main/tree.js'
import { WriteBatch } from '../../src/main/writing/write-batch.js'
import * as bulk from './bulk.js'
import type { ModelWrite } from './model.js'
import { type OptionSet, setsLike } from './option-sets.js'
import { type Failure, makeValue, type Program, type Step, type StepKind } from './program.js'
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

const ACTS: Readonly<Record<StepKind, Act>> = {
  insert: (session, program, [, a, b, c]) => session.write([writeOf(program, a, b, c)], undefined),
  remove: (session, program, [, a]) =>
    session.write([{ key: reads.keyOf(program, a), value: undefined }], undefined),
  batch: async (session, program, [, a, b, c, d]) => {
    const batch = new WriteBatch()
    const writes: ModelWrite[] = []
    for (let i = 0; i < a % 12; i++) {
      const index = b + i * (c % 7)
      const key = reads.keyOf(program, index)
      // One kind for each key: a batch takes no other.
      const isRemoved = (key[0] as number) % 3 === d % 3
      const write = isRemoved ? { key, value: undefined } : writeOf(program, index, c + i, d + i)
      if (write.value === undefined) batch.remove(key)
      else batch.insert(key, write.value)
      writes.push(write)
    }
    if (writes.length > 0) await session.write(writes, batch)
  },
  hold: (session, program, [, a, b, c, d]) =>
    session.writeHeld([
      d % 4 === 0 ? { key: reads.keyOf(program, a), value: undefined } : writeOf(program, a, b, c),
    ]),
  publish: (session) => session.publish(),
  fill: async (session, program, [, a, b]) => {
    for (let i = 0; i < 40 + (a % 200); i++) {
      await session.write([writeOf(program, b + 31 * i, a + 7919 * i, b + i)], undefined)
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

/** Runs a program; what went wrong, or undefined. Leaves nothing open. */
export async function runProgram(
  program: Program,
  set: OptionSet,
  place: Place,
): Promise<Failure | undefined> {
  const session = new Session(place, set)
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
