/** Compaction filters: verdicts, what they see, snapshots, failures; as objects and as modules. */

import t from 'tap'
import {
  type CompactionFilterFactory,
  type CompactionFilterItem,
  type CompactionVerdict,
  mergeOperators,
  type OpenOptions,
  open,
  type Tree,
} from '../../../src/main/index.js'
import { moveDown } from '../../../src/main/strategies/move-down.js'
import { codeOf, textOf } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual' } as const
type Judge = (item: CompactionFilterItem) => CompactionVerdict

/** A filter of one function, with what it was told. */
function filterOf(judge: Judge): CompactionFilterFactory & {
  readonly seen: string[]
  readonly contexts: boolean[]
  finished: number
} {
  const factory = {
    name: 'test',
    seen: [] as string[],
    contexts: [] as boolean[],
    finished: 0,
    create({ isLastLevel }: { readonly isLastLevel: boolean }) {
      factory.contexts.push(isLastLevel)
      return {
        filter(item: CompactionFilterItem) {
          factory.seen.push(`${item.key}#${item.seqno}=${item.value}`)
          return judge(item)
        },
        finish: () => {
          factory.finished++
        },
      }
    },
  }
  return factory
}

async function withKeys(judge: Judge, names: string, options: OpenOptions = {}) {
  const filter = filterOf(judge)
  const tree = await open('db', { ...manual, ...options, compactionFilter: filter })
  for (const name of names) tree.insert(name, name.toUpperCase())
  return { tree, filter }
}

/** Puts everything into L3, so that the next merges do not reach the last level. */
async function intoLevel3(tree: Tree): Promise<void> {
  await tree.flush()
  await tree.compact(moveDown(0, 3))
}

t.test('`compaction_filter`: every verdict', async (t) => {
  const verdicts: Readonly<Record<string, CompactionVerdict>> = {
    a: 'keep',
    b: 'remove',
    c: 'removeWeak',
    d: 'destroy',
    e: { replace: 'other' },
    f: { replace: new Uint8Array(0) },
    g: { replace: 'x'.repeat(100_000) },
  }
  const { tree, filter } = await withKeys(({ key }) => verdicts[String(key)] ?? 'keep', 'abcdefgh')
  await tree.flush()
  t.same(filter.seen, [], 'a flush asks nobody')
  await tree.majorCompact()
  t.equal(filter.seen.length, 8)
  t.same(filter.contexts, [true])
  t.equal(filter.finished, 1)
  t.equal(textOf(tree.range({ lt: 'g' })), 'a=A e=other f=')
  t.equal(tree.sizeOf('g'), 100_000)
  t.equal(tree.getString('h'), 'H')
  t.equal(tree.approximateLen(), 5, 'tombstones that it made went at once, in the last level')
  await tree.close()
})

t.test('`compaction_filter`: above the last level a removal hides older versions', async (t) => {
  let verdict: CompactionVerdict = 'keep'
  const { tree } = await withKeys(() => verdict, 'k')
  await tree.majorCompact()
  await tree.flush()
  await tree.majorCompact()
  tree.insert('k', 'new')
  for (const [what, expected] of [
    ['remove', undefined],
    ['destroy', 'K'],
    ['removeWeak', undefined],
  ] as const) {
    const { tree: other } = await withKeys(() => verdict, 'k')
    verdict = 'keep'
    await other.flush()
    await other.compact(moveDown(0, 6))
    other.insert('k', 'new')
    await other.flush()
    verdict = what
    await other.compact({
      name: 'rewrite',
      pendingBytes: () => 0,
      choose: ({ levels }) => ({
        kind: 'merge',
        input: {
          tableIds: (levels[0] ?? []).flat().map(({ id }) => id),
          destination: 2,
          canonicalLevel: 2,
          targetBytes: 1 << 20,
        },
      }),
    })
    t.equal(other.getString('k'), expected, what)
    await other.close()
  }
  await tree.close()
})

t.test('`compaction_filter_seqno`: a filter sees the seqnos of the writes', async (t) => {
  const { tree, filter } = await withKeys(({ seqno }) => (seqno < 12 ? 'remove' : 'keep'), '')
  for (const [key, seqno] of [
    ['a', 10],
    ['b', 11],
    ['c', 12],
    ['d', 13],
  ] as const) {
    tree.insert(key, key, seqno)
  }
  tree.visibleSeqno.fetchMax(14)
  tree.seqno.fetchMax(14)
  await tree.flush()
  await tree.majorCompact()
  t.same(filter.seen, ['a#10=a', 'b#11=b', 'c#12=c', 'd#13=d'])
  t.equal(textOf(tree.range()), 'c=c d=d')
  await tree.close()
})

t.test('`compaction_filter_snapshot`: an old snapshot keeps what the filter removed', async (t) => {
  const { tree } = await withKeys(({ key }) => (String(key) === 'b' ? 'remove' : 'keep'), 'abc')
  await tree.flush()
  using snapshot = tree.snapshot()
  using entries = tree.range()
  await tree.majorCompact()
  t.equal(textOf(tree.range()), 'a=A c=C')
  t.equal(textOf(snapshot.range()), 'a=A b=B c=C')
  t.equal(snapshot.getString('b'), 'B')
  t.equal(textOf(entries), 'a=A b=B c=C', 'and so does an iterator')
  t.equal(tree.getString('b', { seqno: 2 }), 'B', 'as long as the snapshot keeps that version')
  await tree.close()
})

t.test('`compaction_filter_ttl`: an entry goes in the pass in which it expired', async (t) => {
  let now = 0
  const filter = filterOf(({ value }) => (Number(value) <= now ? 'remove' : 'keep'))
  const tree = await open('db', { ...manual, compactionFilter: filter })
  tree.insert('a', '10')
  tree.insert('b', '20')
  await tree.flush()
  for (const [time, expected] of [
    [9, 'a=10 b=20'],
    [10, 'b=20'],
    [19, 'b=20'],
    [20, ''],
  ] as const) {
    now = time
    await tree.majorCompact()
    t.equal(textOf(tree.range()), expected, `at ${time}`)
  }
  await tree.close()
})

t.test('what the merge drops anyway, deletes, and what lies above the watermark', async (t) => {
  const { tree, filter } = await withKeys(() => 'keep', '')
  tree.insert('k', '1')
  tree.insert('k', '2')
  using snapshot = tree.snapshot()
  tree.insert('k', '3')
  tree.remove('gone')
  await tree.flush({ gcWatermark: 0 })
  await tree.majorCompact()
  t.same(filter.seen, ['k#2=3', 'k#1=2'], 'newest first; the tail and the delete are not shown')
  t.equal(snapshot.getString('k'), '2')
  await tree.close()
})

t.test('moves and drops ask nobody', async (t) => {
  const { tree, filter } = await withKeys(() => 'destroy', 'abc')
  await intoLevel3(tree)
  t.equal(tree.levelTableCount(3), 1)
  t.same(filter.seen, [])
  await tree.close()
})

t.test('operands: shown as such, and replaced as such', async (t) => {
  const filter = filterOf(({ isMergeOperand, value }) =>
    isMergeOperand ? { replace: `<${value}>` } : 'keep',
  )
  const tree = await open('db', {
    ...manual,
    mergeOperator: mergeOperators.append,
    compactionFilter: filter,
  })
  tree.insert('k', 'base')
  tree.merge('k', '1')
  await tree.flush({ gcWatermark: 0 })
  await tree.majorCompact()
  t.equal(tree.getString('k'), 'base<1>', 'filtered before it is folded')
  await tree.close()
})

t.test('a filter that fails ends its merge, and nothing is installed', async (t) => {
  let isBroken = true
  const { tree, filter } = await withKeys(({ key }) => {
    if (isBroken && String(key) === 'c') throw new Error('no')
    return 'remove'
  }, 'abcd')
  await tree.flush()
  const seqno = tree.visibleSeqno.get()
  t.equal(await codeOf(() => tree.majorCompact()), 'no code: no')
  t.equal(textOf(tree.range()), 'a=A b=B c=C d=D')
  t.equal(tree.levelTableCount(0), 1)
  t.equal(tree.visibleSeqno.get(), seqno)
  t.equal(filter.finished, 0)
  isBroken = false
  await tree.majorCompact()
  t.equal(tree.tableCount(), 0)
  await tree.close()
})

t.test('verdicts that are none, and factories that are none', async (t) => {
  for (const verdict of ['', 'Keep', null, undefined, {}, { replace: 1 }, 1]) {
    const { tree } = await withKeys(() => verdict as never, 'a')
    await tree.flush()
    t.equal(await codeOf(() => tree.majorCompact()), 'VARVE_INVALID_ARGUMENT', String(verdict))
    t.equal(tree.getString('a'), 'A')
    await tree.close()
  }
  const noFilter = { name: 'none', create: () => ({}) as never }
  const tree = await open('db', { ...manual, compactionFilter: noFilter })
  tree.insert('a', '1')
  await tree.flush()
  t.equal(await codeOf(() => tree.majorCompact()), 'VARVE_INVALID_ARGUMENT')
  await tree.close()
  t.equal(
    await codeOf(() => open('db', { compactionFilter: {} as never })),
    'VARVE_INVALID_ARGUMENT',
  )
})

t.test('a filter by reference runs in a worker', async (t) => {
  const module = new URL('../../support/filters.js', import.meta.url)
  const tree = await open(t.testdir(), {
    maintenance: 'manual',
    compactionFilter: { module, export: 'dropping', options: { prefix: 'tmp:' } },
  })
  for (let i = 0; i < 100; i++) tree.insert(`${i % 2 === 0 ? 'tmp' : 'key'}:${i}`, `${i}`)
  await tree.flush()
  await tree.majorCompact()
  t.equal(tree.len(), 50)
  t.notOk(tree.containsPrefix('tmp:'))
  await tree.close()
})
