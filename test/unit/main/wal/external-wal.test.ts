/**
 * The contract of an external log (semantics.md 32): the recipe gives back the uncrashed state for every kind of write, and
 * three ways of getting it wrong are seen to be wrong.
 */
import t from 'tap'
import { type OpenOptions, open, type Tree, WriteBatch } from '../../../../src/main/index.js'
import { openLogged } from '../../../../src/main/wal/index.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import {
  LoggedModel,
  type LoggedWrite,
  logWrite,
  stateOf,
} from '../../../support/logged-program.js'
import { Random, runSeed } from '../../../support/random.js'
import { concatenation } from '../../../support/trees.js'

const afterKill = { keepUnsynced: 1, random: () => 0 }

const optionsFor = (fs: MemoryFileSystem): OpenOptions => ({
  fs,
  maintenance: 'manual',
  mergeOperator: concatenation,
})

const SCENARIO: readonly LoggedWrite[] = [
  { kind: 'insert', key: 'a', value: '1' },
  { kind: 'insert', key: 'b', value: '1' },
  { kind: 'insert', key: 'range:1', value: '1' },
  { kind: 'insert', key: 'prefix:1', value: '1' },
  { kind: 'insert', key: 'weak', value: '1' },
  { kind: 'merge', key: 'sum', value: '1' },
  { kind: 'merge', key: 'sum', value: '2' },
  { kind: 'remove', key: 'a' },
  { kind: 'removeWeak', key: 'weak' },
  { kind: 'removeRange', start: 'range:', end: 'range;' },
  { kind: 'removePrefix', prefix: 'prefix:' },
  {
    kind: 'batch',
    writes: [
      { kind: 'insert', key: 'c', value: '1' },
      { kind: 'merge', key: 'sum', value: '3' },
      { kind: 'remove', key: 'b' },
    ],
  },
  { kind: 'merge', key: 'sum', value: '4' },
]

t.test(
  '`external_wal`: a crashed run ends as an uncrashed one, wherever it is flushed and killed',
  async (t) => {
    const whole = await openLogged('/db', { tree: optionsFor(new MemoryFileSystem()) })
    for (const write of SCENARIO) await logWrite(whole, write)
    const expected = [...whole.tree.range()].map(String)
    await whole.close()
    t.same(expected, ['c,1', 'sum,1234'])
    for (let flushed = 0; flushed <= SCENARIO.length; flushed++) {
      for (let killed = flushed; killed <= SCENARIO.length; killed++) {
        const fs = new MemoryFileSystem()
        const first = await openLogged('/db', { tree: optionsFor(fs) })
        for (let i = 0; i < killed; i++) {
          if (i === flushed) await first.flush()
          await logWrite(first, SCENARIO[i] as LoggedWrite)
        }
        if (flushed === killed) await first.flush()
        const clone = fs.crashClone(afterKill)
        await first.close({ flush: 'discard' })
        const second = await openLogged('/db', { tree: optionsFor(clone) })
        if (second.recovery.replayed !== killed - flushed) {
          t.fail(
            `flushed after ${flushed}, killed after ${killed}: ${second.recovery.replayed} replayed`,
          )
        }
        for (const write of SCENARIO.slice(killed)) await logWrite(second, write)
        const found = [...second.tree.range()].map(String)
        if (found.join() !== expected.join()) {
          t.fail(`flushed after ${flushed}, killed after ${killed}: ${found}`)
        }
        await second.close()
      }
    }
  },
)

t.test(
  '`external_wal`: random programs, maintenance by itself, killed again and again',
  async (t) => {
    const seed = runSeed()
    t.comment(`SEED=${seed}`)
    const random = new Random(seed)
    const model = new LoggedModel()
    let fs = new MemoryFileSystem()
    const options = () => ({
      segmentBytes: 4096,
      tree: {
        ...optionsFor(fs),
        maintenance: 'auto' as const,
        runtime: { memtableBytes: 128 * 1024, maxSealedMemtables: 1 },
      },
    })
    for (let round = 0; round < 15; round++) {
      const db = await openLogged('/db', options())
      if (model.countOf(stateOf(db.tree), model.writes.length) === undefined) {
        t.fail(`round ${round}: not the state behind ${model.writes.length} writes`)
      }
      for (let i = random.below(400); i > 0; i--) {
        await logWrite(db, model.next(random, { clear: random.chance(0.1) }))
        // Big enough that memtables fill up.
        if (random.chance(0.2)) {
          const filler: LoggedWrite = { kind: 'insert', key: 'filler', value: 'x'.repeat(5000) }
          model.take(filler)
          await logWrite(db, filler)
        }
      }
      const clone = fs.crashClone(afterKill)
      await db.close({ flush: 'discard' })
      fs = clone
    }
    t.pass()
  },
)

/** What the recipe asks of a caller by hand: kinds, seqnos, and W at the flush. */
interface Recorded {
  readonly write: LoggedWrite
  readonly seqno: number
}

function applyByHand(tree: Tree, { write, seqno }: Recorded): void {
  if (write.kind === 'insert') tree.insert(write.key, write.value, seqno)
  else if (write.kind === 'merge') tree.merge(write.key, write.value, seqno)
  else if (write.kind === 'remove') tree.remove(write.key, seqno)
  else if (write.kind === 'removeWeak') tree.removeWeak(write.key, seqno)
  else if (write.kind === 'removeRange') tree.removeRange(write.start, write.end, seqno)
  else if (write.kind === 'removePrefix') tree.removePrefix(write.prefix, seqno)
  else tree.apply(new WriteBatch(), seqno)
  tree.visibleSeqno.fetchMax(seqno + 1)
}

const shows = (tree: Tree): string => [...tree.range()].map(String).join(' ')

async function crashedTree(
  writes: readonly LoggedWrite[],
  flushAfter: number,
): Promise<{ tree: Tree; recorded: Recorded[]; expected: string }> {
  const fs = new MemoryFileSystem()
  const first = await open('/db', optionsFor(fs))
  const recorded: Recorded[] = []
  for (const [i, write] of writes.entries()) {
    const record = { write, seqno: first.seqno.next() }
    recorded.push(record)
    applyByHand(first, record)
    if (i + 1 === flushAfter) await first.flush()
  }
  const expected = shows(first)
  const tree = await open('/db', optionsFor(fs.crashClone(afterKill)))
  await first.close({ flush: 'discard' })
  return { tree, recorded, expected }
}

t.test('`external_wal`: guard: a replay that turns deletes into inserts is seen', async (t) => {
  const { tree, recorded, expected } = await crashedTree(
    [
      { kind: 'insert', key: 'a', value: '1' },
      { kind: 'remove', key: 'a' },
    ],
    1,
  )
  const { seqno } = recorded[1] as Recorded
  applyByHand(tree, { write: { kind: 'insert', key: 'a', value: '' }, seqno })
  t.not(shows(tree), expected)
  await tree.close()
})

t.test('`external_wal`: guard: a merge replayed at or below W counts twice', async (t) => {
  const writes: LoggedWrite[] = [
    { kind: 'merge', key: 'm', value: '1' },
    { kind: 'merge', key: 'm', value: '2' },
  ]
  const wrong = await crashedTree(writes, 1)
  for (const record of wrong.recorded) applyByHand(wrong.tree, record)
  t.not(shows(wrong.tree), wrong.expected)
  await wrong.tree.close()
  const right = await crashedTree(writes, 1)
  applyByHand(right.tree, right.recorded[1] as Recorded)
  t.equal(shows(right.tree), right.expected)
  await right.tree.close()
})

t.test(
  '`external_wal`: guard: a replay from the raw maximum loses what was applied late',
  async (t) => {
    // Two appliers: seqno 1 reaches its memtable before seqno 0 does, and the flush comes between them.
    const fs = new MemoryFileSystem()
    const first = await open('/db', optionsFor(fs))
    const recorded: Recorded[] = ['late', 'early'].map((key) => ({
      write: { kind: 'insert', key, value: '1' },
      seqno: first.seqno.next(),
    }))
    const [late, early] = recorded as [Recorded, Recorded]
    applyByHand(first, early)
    await first.flush()
    applyByHand(first, late)
    const expected = shows(first)
    const tree = await open('/db', optionsFor(fs.crashClone(afterKill)))
    await first.close({ flush: 'discard' })
    const maximum = tree.highestPersistedSeqno() as number
    for (const record of recorded) if (record.seqno > maximum) applyByHand(tree, record)
    t.not(shows(tree), expected)
    await tree.close()
  },
)

t.test(
  '`external_wal`: the log applies in order, so that a flush in between leaves no gap',
  async (t) => {
    const fs = new MemoryFileSystem()
    const db = await openLogged('/db', { tree: optionsFor(fs) })
    // The first waits for the disk; the second could be applied at once, and is not.
    const late = db.merge('m', '1', { durability: 'disk' })
    const early = db.merge('m', '2', { durability: 'memory' })
    await db.tree.flush()
    await Promise.all([late, early])
    const clone = fs.crashClone(afterKill)
    await db.close({ flush: 'discard' })
    const again = await openLogged('/db', { tree: optionsFor(clone) })
    t.equal(again.tree.getString('m')?.startsWith('1'), true)
    await again.close()
  },
)

t.test(
  'what was persisted is known though compaction dropped the tombstone that was the last write',
  async (t) => {
    const fs = new MemoryFileSystem()
    const db = await openLogged('/db', { tree: optionsFor(fs) })
    await db.merge('m', '1')
    await db.remove('gone')
    await db.flush()
    await db.tree.majorCompact()
    const inTables = db.tree.levelSegmentStats().flatMap(({ segments }) => segments)
    t.same(
      inTables.map(({ highestSeqno }) => highestSeqno),
      [0],
      'the tombstone is gone, and its seqno with it',
    )
    const clone = fs.crashClone(afterKill)
    await db.close()
    const again = await openLogged('/db', { tree: optionsFor(clone) })
    t.match(again.recovery, { replayed: 0, persistedBelow: 2 })
    t.equal(again.tree.seqno.get(), 2, 'no number is given twice')
    await again.close()
  },
)
