/** Reads over every layout of tables: side by side, on top of each other, many versions, index and filter in partitions. */

import t from 'tap'
import { Cache, leveled, open, type RangeOptions, type Tree } from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { codeOf, textOf, visibleLines } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const
const KEEP = { gcWatermark: 0 }

const key = (i: number): string => `key ${String(i).padStart(4, '0')}`
const numbersOf = (tree: Tree, range: RangeOptions = {}): number[] =>
  Array.from(tree.range({ ...range, values: false }), (name) => Number(String(name).slice(4)))
const span = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

/** The keys 0 to 299: ten tables of L0 without overlap, moved together into one run of the last level where `isMerged`. */
async function disjoint(isMerged: boolean): Promise<Tree> {
  const tree = await open('db', memory)
  for (let table = 0; table < 10; table++) {
    for (const i of span(30 * table, 30 * table + 30)) tree.insert(key(i), `value ${i}`)
    await tree.flush()
  }
  if (isMerged) await tree.majorCompact({ targetSize: 1 })
  return tree
}

for (const isMerged of [false, true]) {
  const where = isMerged ? 'in one run' : 'in L0'
  t.test(
    `\`tree_disjoint_iter\`: many tables ${where} are one ordered set, both ways`,
    async (t) => {
      const tree = await disjoint(isMerged)
      t.ok(tree.tableCount() > 1)
      t.same(numbersOf(tree), span(0, 300))
      t.same(numbersOf(tree, { reverse: true }), span(0, 300).reverse())
      const both = tree.range({ values: false })
      const shown: string[] = []
      for (let i = 0; i < 150; i++) {
        shown.push(String(both.next().value))
        shown.push(String(both.nextBack().value))
      }
      t.same(shown.sort(), span(0, 300).map(key))
      t.ok(both.next().done)
      await tree.close()
    },
  )

  t.test(`\`tree_disjoint_point_read\`: point reads over them, ${where}`, async (t) => {
    const tree = await disjoint(isMerged)
    const wrong = span(0, 300).filter((i) => tree.getString(key(i)) !== `value ${i}`)
    t.same(wrong, [])
    for (const other of ['', ' between', 'x']) t.equal(tree.get(`${key(45)}${other}x`), undefined)
    await tree.close()
  })

  t.test(`\`tree_disjoint_prefix\`: prefixes over them, both ways, ${where}`, async (t) => {
    const tree = await disjoint(isMerged)
    for (const [prefix, numbers] of [
      ['key 00', span(0, 100)],
      ['key 012', span(120, 130)],
      ['key 0029', span(29, 30)],
      ['key 9', []],
      ['', span(0, 300)],
    ] as const) {
      const forward = Array.from(tree.prefix(prefix), ([name]) => Number(String(name).slice(4)))
      const backward = Array.from(tree.prefix(prefix, { reverse: true }), ([name]) =>
        Number(String(name).slice(4)),
      )
      t.same(forward, numbers)
      t.same(backward.reverse(), numbers)
    }
    await tree.close()
  })

  t.test(`\`tree_disjoint_range\`: ranges over them, both ways, ${where}`, async (t) => {
    const tree = await disjoint(isMerged)
    let wrong = 0
    for (let from = 0; from <= 300; from += 15) {
      for (let to = 0; to <= 300; to += 15) {
        const range = { gte: key(from), lt: key(to) }
        const expected = span(from, to)
        if (numbersOf(tree, range).join() !== expected.join()) wrong++
        const backward = numbersOf(tree, { ...range, reverse: true }).reverse()
        if (backward.join() !== expected.join()) wrong++
      }
    }
    t.equal(wrong, 0)
    await tree.close()
  })
}

for (const isFlushed of [false, true]) {
  const name = isFlushed ? '`tree_range`' : '`tree_range_memtable_only`'
  t.test(`${name}: every kind of bound counts right`, async (t) => {
    const tree = await open('db', memory)
    for (const name of ['a', 'f', 'g', 'h']) tree.insert(name, name)
    if (isFlushed) await tree.flush()
    for (const name of ['a', 'f', 'g', 'h']) tree.insert(name, `${name}2`)
    if (isFlushed) await tree.flush()
    const counts: [RangeOptions, number][] = [
      [{ gte: 'a', lte: 'a' }, 1],
      [{ gte: 'f', lte: 'g' }, 2],
      [{ gte: 'f', lt: 'g' }, 1],
      [{ gt: 'f', lte: 'h' }, 2],
      [{ gte: 'f' }, 3],
      [{ gt: 'f' }, 2],
      [{ lt: 'f' }, 1],
      [{ lte: 'f' }, 2],
      [{}, 4],
      [{ gte: 'b', lt: 'f' }, 0],
      [{ gt: 'h' }, 0],
      [{ gte: 'h', lt: 'a' }, 0],
    ]
    for (const [range, count] of counts) {
      t.equal(Array.from(tree.range(range)).length, count, JSON.stringify(range))
      t.equal(Array.from(tree.range({ ...range, reverse: true })).length, count)
    }
    await tree.close()
  })
}

t.test('`tree_kv`: first and last follow inserts, deletes and flushes at both ends', async (t) => {
  for (const isFlushed of [false, true]) {
    const tree = await open('db', memory)
    const edges = async (): Promise<string> => {
      if (isFlushed) await tree.flush()
      return `${tree.firstKeyValue()?.[0] ?? '-'}${tree.lastKeyValue()?.[0] ?? '-'}`
    }
    t.equal(await edges(), '--')
    t.ok(tree.isEmpty())
    for (const [write, expected] of [
      [() => tree.insert('b', '1'), 'bb'],
      [() => tree.insert('c', '1'), 'bc'],
      [() => tree.insert('a', '1'), 'ac'],
      [() => tree.remove('c'), 'ab'],
      [() => tree.removeWeak('a'), 'bb'],
      [() => tree.insert('d', '1'), 'bd'],
      [() => tree.removeRange('b', 'c'), 'dd'],
      [() => tree.remove('d'), '--'],
      [() => tree.insert('d', '2'), 'dd'],
    ] as const) {
      write()
      t.equal(await edges(), expected)
    }
    await tree.close()
  }
})

t.test(
  '`tree_delete_loop`: deleting what a prefix or a range yields empties exactly that',
  async (t) => {
    const tree = await open('db', { ...memory, blockSize: 64 })
    for (const i of span(0, 300)) tree.insert(key(i), 'x')
    await tree.flush()
    for (const [name] of tree.prefix('key 01')) tree.remove(name)
    t.same(numbersOf(tree), [...span(0, 100), ...span(200, 300)])
    for (const name of tree.range({ gte: key(50), lt: key(250), values: false })) {
      tree.remove(name)
      if (Number(String(name).slice(4)) % 20 === 0) await tree.flush()
    }
    t.same(numbersOf(tree), [...span(0, 50), ...span(250, 300)])
    for (const name of tree.range({ reverse: true, values: false })) tree.removeWeak(name)
    t.ok(tree.isEmpty())
    await tree.close()
  },
)

t.test(
  '`tree_contains_prefix`: nothing, everything, hits, misses, moments, deletes, tables',
  async (t) => {
    const tree = await open('db', memory)
    t.notOk(tree.containsPrefix('a'))
    t.notOk(tree.containsPrefix(''))
    tree.insert('abc', '1')
    using snapshot = tree.snapshot()
    tree.insert('xyz', '1')
    for (const isFlushed of [false, true]) {
      for (const prefix of ['', 'a', 'ab', 'abc', 'xy']) t.ok(tree.containsPrefix(prefix), prefix)
      for (const prefix of ['abcd', 'b', 'xyzz', '\u00ff']) t.notOk(tree.containsPrefix(prefix))
      t.notOk(snapshot.containsPrefix('x'))
      t.ok(snapshot.containsPrefix('a'))
      t.notOk(tree.containsPrefix('a', { seqno: 0 }))
      if (!isFlushed) await tree.flush(KEEP)
    }
    tree.remove('abc')
    t.notOk(tree.containsPrefix('a'))
    t.ok(snapshot.containsPrefix('a'))
    await tree.flush(KEEP)
    t.notOk(tree.containsPrefix('ab'))
    await tree.close()
  },
)

t.test('`tree_l0_point_read` and `tree_l0_range`: several runs of L0 that overlap', async (t) => {
  const tree = await open('db', memory)
  for (let run = 0; run < 5; run++) {
    for (let i = run; i < 60; i += 1 + run) tree.insert(key(i), `run ${run}`)
    await tree.flush(KEEP)
  }
  t.equal(tree.l0RunCount(), 5)
  const newest = (i: number): number => {
    for (let run = 4; run >= 0; run--) if (i >= run && (i - run) % (1 + run) === 0) return run
    return -1
  }
  const wrong = span(0, 60).filter((i) => tree.getString(key(i)) !== `run ${newest(i)}`)
  t.same(wrong, [])
  t.same(
    Array.from(tree.range({ keys: false }), String),
    span(0, 60).map((i) => `run ${newest(i)}`),
  )
  t.same(
    Array.from(tree.range({ gte: key(10), lt: key(20), keys: false, reverse: true }), String),
    span(10, 20)
      .map((i) => `run ${newest(i)}`)
      .reverse(),
  )
  await tree.close()
})

t.test(
  '`tree_l0_mvcc_stale_reads`: runs packed anew show nothing stale and lose no tombstone',
  async (t) => {
    const tree = await open('db', { ...memory, runtime: { retainFrom: 0 } })
    const moments: { readonly seqno: number; readonly shown: string }[] = []
    const note = (): void => {
      moments.push({ seqno: tree.visibleSeqno.get(), shown: textOf(tree.range()) })
    }
    // Tables whose keys do not overlap may share a run, whatever their age.
    for (const [name, value] of [
      ...[
        ['a', '1'],
        ['m', '1'],
        ['a', '2'],
        ['z', '1'],
        ['m', undefined],
        ['a', undefined],
      ],
      ...[
        ['m', '3'],
        ['z', '2'],
        ['a', '3'],
        ['z', undefined],
      ],
    ] as const) {
      if (value === undefined) tree.remove(name as string)
      else tree.insert(name as string, value)
      note()
      await tree.flush(KEEP)
      note()
    }
    const check = (): void => {
      for (const { seqno, shown } of moments) {
        if (textOf(tree.range({ seqno })) !== shown) t.fail(`the range at ${seqno}`)
        const points = ['a', 'm', 'z'].flatMap((name) => {
          const value = tree.getString(name, { seqno })
          return value === undefined ? [] : [`${name}=${value}`]
        })
        if (points.join(' ') !== shown) t.fail(`the points at ${seqno}`)
      }
    }
    check()
    await tree.compact(leveled({ l0Threshold: 2, targetBytes: 1 }), KEEP)
    check()
    await tree.majorCompact(KEEP)
    check()
    t.equal(textOf(tree.range()), 'a=3 m=3')
    await tree.close()
  },
)

t.test(
  '`mvcc_slab`: a long run of versions of one key is reachable version by version',
  async (t) => {
    for (const indexPartitionSpillThreshold of [0, 4 << 20]) {
      const tree = await open('db', {
        ...memory,
        blockSize: 100,
        cache: new Cache({ capacityBytes: 64 << 10 }),
        runtime: { retainFrom: 0, indexPartitionSpillThreshold },
      })
      tree.insert('a', 'before')
      const first = tree.visibleSeqno.get()
      for (let i = 0; i < 1000; i++) tree.insert('slab', `version ${i}`)
      tree.insert('z', 'behind')
      await tree.flush(KEEP)
      await tree.majorCompact(KEEP)
      let wrong = 0
      for (let i = 0; i < 1000; i++) {
        const at = { seqno: first + i + 1 }
        if (tree.getString('slab', at) !== `version ${i}`) wrong++
        if (String(tree.multiGet(['slab', 'a', 'z'], at)[0]) !== `version ${i}`) wrong++
      }
      for (let i = 0; i < 1000; i += 97) {
        const seqno = first + i + 1
        if (textOf(tree.range({ seqno })) !== `a=before slab=version ${i}`) wrong++
        if (textOf(tree.range({ seqno, reverse: true })) !== `slab=version ${i} a=before`) wrong++
      }
      t.equal(wrong, 0)
      t.equal(textOf(tree.range()), 'a=before slab=version 999 z=behind')
      t.equal(tree.trace('slab').length, 1000)
      await tree.close()
    }
  },
)

t.test(
  '`partial_decode_range`: ranges over every shape of block, whatever the cache holds',
  async (t) => {
    for (const blockSize of [1, 100, 4096, 256 * 1024]) {
      for (const restartInterval of [1, 16]) {
        for (const capacityBytes of [0, 128 << 10, 8 << 20]) {
          const cache = new Cache({ capacityBytes })
          const tree = await open('db', { ...memory, blockSize, restartInterval, cache })
          for (const i of span(0, 400)) tree.insert(key(i), `value ${i}`.repeat(5))
          await tree.flush()
          let wrong = 0
          for (let from = 0; from < 400; from += 57) {
            const range = { gte: key(from), lt: key(from + 90) }
            const expected = span(from, Math.min(400, from + 90))
            for (let twice = 0; twice < 2; twice++) {
              if (numbersOf(tree, range).join() !== expected.join()) wrong++
              const backward = numbersOf(tree, { ...range, reverse: true }).reverse()
              if (backward.join() !== expected.join()) wrong++
            }
          }
          t.equal(wrong, 0, `blocks of ${blockSize}, restarts ${restartInterval}, ${capacityBytes}`)
          await tree.close()
          cache[Symbol.dispose]()
        }
      }
    }
  },
)

for (const filterFormat of ['v5', 'varve'] as const) {
  t.test(
    `\`burr_filter_end_to_end\`: ${filterFormat} filters never reject a key, also when reopened`,
    async (t) => {
      for (const filterPartitioning of [false, true]) {
        const options = { ...memory, fs: new MemoryFileSystem(), filterFormat, filterPartitioning }
        const first = await open('/db', { ...options, blockSize: 300 })
        for (const i of span(0, 3000)) first.insert(key(2 * i), 'x')
        await first.close()
        const tree = await open('/db', options)
        t.ok(tree.filterSize() > 0)
        t.same(
          span(0, 3000).filter((i) => !tree.containsKey(key(2 * i))),
          [],
        )
        await tree.majorCompact()
        t.same(
          span(0, 3000).filter((i) => !tree.containsKey(key(2 * i))),
          [],
        )
        await tree.close()
      }
    },
  )

  t.test(
    `\`partitioned_bloom_skip\`: ${filterFormat} filters pass over absent keys, behind the last one too`,
    async (t) => {
      for (const filterPartitioning of [false, true]) {
        const options = { ...memory, filterFormat, filterPartitioning, blockSize: 300 }
        const merge = (
          _: Uint8Array,
          base: Uint8Array | undefined,
          operands: readonly Uint8Array[],
        ) => Buffer.concat([base ?? Buffer.of(), ...operands])
        const tree = await open('db', { ...options, mergeOperator: { merge } })
        for (const i of span(0, 3000)) tree.insert(key(2 * i), 'x')
        await tree.flush()
        for (const i of span(0, 3000)) tree.containsKey(key(2 * i))
        const dataBlocks = tree.cacheStats().hits + tree.cacheStats().misses
        const absent = span(0, 2999).filter((i) => tree.containsKey(key(2 * i + 1)))
        t.same(absent, [])
        const asked = tree.cacheStats().hits + tree.cacheStats().misses - dataBlocks
        // A partition of a filter is a block of its own; the data block behind it is asked for by false positives alone.
        const each = filterPartitioning ? 1 : 0
        t.ok(asked < 3000 * (each + 0.1), `${asked} blocks for 2999 absent keys`)
        t.notOk(tree.containsKey('zzz'))
        tree.merge(key(3), '+')
        t.equal(tree.getString(key(3)), '+')
        await tree.close()
      }
    },
  )
}

t.test(
  '`partitioned_index_blast_radius`: a damaged index partition takes its own keys and no others',
  async (t) => {
    const fs = new MemoryFileSystem()
    const runtime = { indexPartitionSpillThreshold: 0 }
    const options = {
      ...memory,
      fs,
      compression: 'none',
      filter: 'none',
      blockSize: 64,
      runtime,
    } as const
    const first = await open('/db', options)
    for (const i of span(0, 2000)) first.insert(key(i), `value ${i}`)
    await first.close()
    const whole = await open('/db', options)
    const [table] = (await import('../../support/tables.js')).sectionsOf(
      fs,
      '/db/tables/0',
      'index',
    )
    await whole.close()
    const file = fs.openAppend('/db/tables/0')
    file.writeAt(Buffer.of(0x5a, 0xa5, 0x5a), table! + 50)
    file.close()
    const tree = await open('/db', options)
    const lost: number[] = []
    for (const i of span(0, 2000)) {
      const code = await codeOf(() => {
        if (tree.getString(key(i)) !== `value ${i}`) throw new Error('wrong')
      })
      if (code === undefined) continue
      t.equal(code, 'VARVE_CHECKSUM_MISMATCH')
      lost.push(i)
    }
    t.ok(lost.length > 0 && lost.length < 2000, `${lost.length} of 2000 are lost`)
    t.same(lost, span(lost[0]!, lost[0]! + lost.length), 'those of one partition')
    const behind = key(lost.at(-1)! + 1)
    t.equal(Array.from(tree.range({ gte: behind })).length, 2000 - lost.length - lost[0]!)
    await tree.close({ flush: 'discard' })
  },
)

t.test('`tree_trace`: every version of a key, wherever it lies', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', 'deep')
  await tree.flush(KEEP)
  await tree.majorCompact(KEEP)
  tree.insert('a', 'newer')
  tree.insert('b', 'other')
  await tree.flush(KEEP)
  tree.remove('a')
  tree.rotateMemtable()
  tree.removeWeak('a')
  tree.merge('c', 'operand')
  t.same(
    tree.trace('a').map(({ source, level, kind, value }) => [source, level, kind, String(value)]),
    [
      ['active', undefined, 'weakTombstone', ''],
      ['sealed', undefined, 'tombstone', ''],
      ['table', 0, 'value', 'newer'],
      ['table', 6, 'value', 'deep'],
    ],
  )
  const seqnos = tree.trace('a').map(({ seqno }) => seqno)
  t.same(
    seqnos,
    [...seqnos].sort((x, y) => y - x),
    'newest first',
  )
  t.match(tree.trace('c'), [{ kind: 'mergeOperand', valueLength: 7 }])
  t.same(tree.trace('never'), [])
  using snapshot = tree.snapshot()
  t.equal(snapshot.trace('a').length, 4)
  t.equal(await codeOf(() => tree.trace('')), 'VARVE_INVALID_ARGUMENT')
  await tree.close()
})

t.test(
  '`static_iterators`: iterators side by side, moved, reversed, after the tree has closed',
  async (t) => {
    const tree = await disjoint(true)
    tree.remove(key(7))
    const lines = visibleLines(tree)
    const readers = [
      tree.range(),
      tree.range({ reverse: true }),
      tree.iter(),
      tree.prefix('key 00'),
    ]
    const shown: number[][] = readers.map(() => [])
    const take = (count: number): void => {
      readers.forEach((reader, r) => {
        for (let i = 0; i < count; i++) {
          const { value } = r === 2 ? reader.nextBack() : reader.next()
          if (value !== undefined) shown[r]?.push(Number(String(value[0]).slice(4)))
        }
      })
    }
    take(20)
    tree.insert(key(3), 'late')
    tree.removeRange(key(50), key(60))
    await tree.flush()
    take(20)
    await tree.close()
    take(300)
    const all = span(0, 300).filter((i) => i !== 7)
    t.equal(lines.length, all.length)
    t.same(shown, [all, [...all].reverse(), [...all].reverse(), all.filter((i) => i < 100)])
  },
)
