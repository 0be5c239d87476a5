/** Merge operators: the ones that ship, reads of every kind, folding in maintenance, refusals, where they run. */

import t from 'tap'
import {
  int64,
  type MergeOperator,
  mergeOperators,
  type OpenOptions,
  open,
  readInt64,
  type Tree,
} from '../../../src/main/index.js'
import { moveDown } from '../../../src/main/strategies/move-down.js'
import { VarveError } from '../../../src/shared/base/errors.js'
import { Random, runSeed } from '../../support/random.js'
import { codeOf, textOf } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual' } as const
const ALL = { gcWatermark: Number.POSITIVE_INFINITY }
const NONE = { gcWatermark: 0 }
const { append, add } = mergeOperators

async function withTree(work: (tree: Tree) => Promise<void>, options: OpenOptions = {}) {
  const tree = await open('db', { ...manual, mergeOperator: append, ...options })
  await work(tree)
  await tree.close()
}

const bytes = (text: string): Buffer => Buffer.from(text)

t.test('`merge_operator`: counters with and without a base', (t) =>
  withTree(
    async (tree) => {
      const count = (): bigint => readInt64(tree.get('n') as Buffer)
      tree.merge('n', int64(5))
      tree.merge('n', int64(-7))
      t.equal(count(), -2n)
      tree.insert('n', int64(100))
      tree.merge('n', int64(1))
      t.equal(count(), 101n)
      for (const step of [
        () => tree.flush(ALL),
        () => tree.majorCompact(ALL),
        () => tree.flush(ALL),
      ]) {
        tree.merge('n', int64(10))
        const before = count()
        await step()
        t.equal(count(), before)
      }
      tree.merge('n', int64(2n ** 63n - 1n))
      t.ok(count() < 0n, 'it wraps around')
      await tree.flush(ALL)
      await tree.majorCompact(ALL)
      t.equal(tree.approximateLen(), 1)
    },
    { mergeOperator: add },
  ),
)

t.test('`merge_operator`: deletes of every kind end a fold', (t) =>
  withTree(async (tree) => {
    for (const [key, remove] of [
      ['a', () => tree.remove('a')],
      ['b', () => tree.removeWeak('b')],
      ['c', () => tree.removeRange('c', 'd')],
    ] as const) {
      tree.insert(key, 'base')
      remove()
      tree.merge(key, '1')
      tree.merge(key, '2')
      t.equal(tree.getString(key), '12', key)
    }
    tree.merge('d', '1')
    tree.remove('d')
    t.equal(tree.get('d'), undefined, 'and of operands alone')
    await tree.flush(ALL)
    t.equal(textOf(tree.range()), 'a=12 b=12 c=12')
    t.equal(tree.approximateLen(), 4, 'each one value, and the tombstone of the last key')
    await tree.majorCompact(ALL)
    t.equal(textOf(tree.range()), 'a=12 b=12 c=12')
  }),
)

t.test('`merge_operator`: every way of reading sees the folded value', (t) =>
  withTree(async (tree) => {
    tree.insert('b', 'base')
    for (const key of 'abc') for (const operand of '123') tree.merge(key, operand)
    for (const step of ['in memory', 'sealed', 'flushed']) {
      if (step === 'sealed') tree.rotateMemtable()
      else if (step === 'flushed') await tree.flush(NONE)
      t.equal(tree.getString('b'), 'base123', step)
      t.equal(String(await tree.getAsync('b')), 'base123', step)
      using pinned = tree.getPinned('b')
      t.equal(String(pinned?.value), 'base123', step)
      const target = Buffer.alloc(4)
      t.equal(tree.getInto('b', target), 7, step)
      t.equal(String(target), 'base', step)
      t.same(tree.multiGet(['a', 'b', 'x']).map(String), ['123', 'base123', 'undefined'], step)
      t.ok(tree.containsKey('a'), step)
      t.equal(tree.sizeOf('b'), 7, step)
      t.equal(tree.len(), 3, step)
      t.equal(textOf([tree.firstKeyValue() as [Buffer, Buffer]]), 'a=123', step)
      t.equal(textOf([tree.lastKeyValue() as [Buffer, Buffer]]), 'c=123', step)
      t.equal(textOf(tree.range()), 'a=123 b=base123 c=123', step)
      t.equal(textOf(tree.range({ reverse: true })), 'c=123 b=base123 a=123', step)
      t.equal(textOf(tree.prefix('b')), 'b=base123', step)
      t.equal([...tree.range({ values: false })].join(), 'a,b,c', step)
    }
  }),
)

t.test('`merge_operator`: snapshots see the operands below them', (t) =>
  withTree(async (tree) => {
    tree.insert('k', 'b')
    using one = tree.snapshot()
    tree.merge('k', '1')
    using two = tree.snapshot()
    tree.merge('k', '2')
    for (const step of ['now', 'flushed', 'merged']) {
      if (step === 'flushed') await tree.flush()
      if (step === 'merged') await tree.majorCompact()
      const seen = [one, two].map((snapshot) => snapshot.getString('k'))
      t.same([...seen, tree.getString('k')], ['b', 'b1', 'b12'], step)
    }
  }),
)

t.test('`merge_operator`: a watermark between operands splits the group', (t) =>
  withTree(async (tree) => {
    tree.insert('k', 'b', 0)
    tree.merge('k', '1', 1)
    tree.merge('k', '2', 2)
    tree.merge('k', '3', 3)
    tree.visibleSeqno.fetchMax(4)
    await tree.flush({ gcWatermark: 3 })
    t.same(
      tree.trace('k').map(({ kind, seqno, value }) => `${kind} ${seqno} ${value}`),
      ['mergeOperand 3 3', 'value 2 b12'],
    )
    t.equal(tree.getString('k'), 'b123')
    t.equal(tree.getString('k', { seqno: 3 }), 'b12')
  }),
)

t.test('`merge_operator`: operands without a base stay operands until there is one', (t) =>
  withTree(async (tree) => {
    tree.insert('k', 'base')
    await tree.flush()
    await tree.compact(moveDown(0, 6))
    tree.merge('k', '1')
    tree.merge('k', '2')
    await tree.flush(ALL)
    t.same(
      tree.trace('k').map(({ kind, value }) => `${kind} ${value}`),
      ['mergeOperand 12', 'value base'],
    )
    t.equal(tree.getString('k'), 'base12')
    await tree.majorCompact(ALL)
    t.same(
      tree.trace('k').map(({ kind, value }) => `${kind} ${value}`),
      ['value base12'],
    )
  }),
)

t.test('`merge_operator`: without an operator the newest operand is read, and all are kept', (t) =>
  withTree(
    async (tree) => {
      tree.insert('k', 'base')
      tree.merge('k', '1')
      tree.merge('k', '2')
      t.equal(tree.getString('k'), '2')
      t.equal(textOf(tree.range()), 'k=2')
      await tree.flush(ALL)
      await tree.majorCompact(ALL)
      t.equal(tree.getString('k'), '2')
      t.equal(tree.approximateLen(), 3)
    },
    { mergeOperator: undefined } as never,
  ),
)

t.test('`merge_operator`: given at the next open, it folds what was kept', async (t) => {
  const folder = t.testdir()
  let tree = await open(folder, { maintenance: 'manual' })
  tree.insert('k', 'base')
  tree.merge('k', '1')
  await tree.flush(ALL)
  tree.merge('k', '2')
  await tree.close()
  tree = await open(folder, { maintenance: 'manual', mergeOperator: append })
  t.equal(tree.getString('k'), 'base12')
  await tree.majorCompact(ALL)
  t.equal(tree.getString('k'), 'base12')
  t.equal(tree.approximateLen(), 1)
  await tree.close()
})

/** Refuses operands that say so. */
const picky: MergeOperator = {
  merge: (key, base, operands) => {
    if (operands.some((operand) => String(operand) === 'bad')) throw new Error('refused')
    return append.merge(key, base, operands)
  },
}

t.test('`merge_operator`: a refusal fails the read of its key, and nothing else', (t) =>
  withTree(
    async (tree) => {
      tree.insert('a', '1')
      tree.insert('k', 'base')
      tree.merge('k', 'bad')
      tree.insert('z', '1')
      const error = await Promise.resolve()
        .then(() => tree.get('k'))
        .catch((reason) => reason)
      t.ok(VarveError.is(error, 'VARVE_MERGE_OPERATOR'))
      t.equal(error.details.key, bytes('k').toString('hex'))
      t.match(error.cause, { message: 'refused' })
      t.equal(await codeOf(() => [...tree.range()]), 'VARVE_MERGE_OPERATOR')
      t.equal(tree.getString('a'), '1')
      t.equal(textOf(tree.range({ gt: 'k' })), 'z=1')
    },
    { mergeOperator: picky },
  ),
)

t.test('`merge_operator`: a refusal in maintenance loses nothing, and is reported', (t) =>
  withTree(
    async (tree) => {
      const errors: Error[] = []
      tree.on('error', (error) => errors.push(error))
      tree.insert('k', 'base')
      tree.merge('k', 'bad')
      tree.merge('k', '2')
      tree.insert('other', 'o')
      tree.merge('other', '1')
      await tree.flush(ALL)
      t.equal(tree.tableCount(), 1, 'the flush goes on')
      t.equal(errors.length, 1)
      t.match(errors[0], {
        code: 'VARVE_MERGE_OPERATOR',
        details: { key: bytes('k').toString('hex') },
      })
      t.match(tree.lastError, { code: 'VARVE_MERGE_OPERATOR' })
      t.equal(tree.getString('other'), 'o1', 'and folds what it can')
      t.same(
        tree.trace('k').map(({ kind, value }) => `${kind} ${value}`),
        ['mergeOperand 2', 'mergeOperand bad', 'value base'],
      )
      await tree.majorCompact(ALL)
      t.equal(tree.trace('k').length, 3)
      tree.insert('k', 'anew')
      t.equal(tree.getString('k'), 'anew')
      await tree.flush(ALL)
      t.equal(tree.lastError, undefined)
    },
    { mergeOperator: picky },
  ),
)

t.test('an operator that gives no bytes counts as refusing', (t) =>
  withTree(
    async (tree) => {
      tree.merge('k', '1')
      tree.merge('k', '2')
      t.equal(await codeOf(() => tree.get('k')), 'VARVE_MERGE_OPERATOR')
      await tree.flush(ALL)
      t.equal(tree.approximateLen(), 2)
    },
    { mergeOperator: { merge: () => 'text' as never } },
  ),
)

t.test('`merge_point_read_coverage`: operands in every kind of source', async (t) => {
  for (const filter of [{ bitsPerKey: 10 }, 'none'] as const) {
    await withTree(
      async (tree) => {
        const put = async (i: number): Promise<void> => {
          for (const key of ['k', 'only', `noise${i}`]) {
            if (key !== 'only' || i === 2) tree.merge(key, String(i))
          }
        }
        tree.insert('k', 'b')
        tree.insert('far', 'away')
        await tree.flush(NONE)
        await tree.compact(moveDown(0, 6))
        for (let i = 1; i <= 3; i++) {
          await put(i)
          await tree.flush(NONE)
        }
        await put(4)
        tree.rotateMemtable()
        await put(5)
        t.equal(tree.getString('k'), 'b12345')
        t.equal(tree.getString('only'), '2')
        t.equal(tree.getString('noise3'), '3')
        for (const [place, seqno] of [
          ['active', undefined],
          ['sealed', undefined],
          ['table', undefined],
        ] as const) {
          void seqno
          tree.removeRange('k', 'l')
          if (place === 'sealed') tree.rotateMemtable()
          if (place === 'table') await tree.flush(NONE)
          t.equal(tree.get('k'), undefined, `a range tombstone in ${place}`)
          tree.merge('k', place)
          t.equal(tree.getString('k'), place)
        }
        t.equal(tree.getString('only'), '2', 'the other ones are as they were')
      },
      { filter },
    )
  }
})

t.test(
  'a plain object runs on this thread, in slices; what ships and modules do not',
  async (t) => {
    const module = new URL('../../support/operators.js', import.meta.url)
    const operators = [
      [append, 'b12'],
      [{ module, export: 'joining' }, 'b12'],
      [{ module, export: 'separated', options: { by: '-' } }, 'b-1-2'],
      [{ merge: append.merge }, 'b12'],
    ] as const
    for (const [mergeOperator, expected] of operators) {
      const tree = await open(t.testdir(), { maintenance: 'manual', mergeOperator })
      tree.insert('k', 'b')
      tree.merge('k', '1')
      tree.merge('k', '2')
      await tree.flush(ALL)
      t.equal(tree.getString('k'), expected)
      t.equal(tree.trace('k').length, 1, 'folded in the flush')
      await tree.close()
    }
  },
)

t.test('jobs of plain objects give way to the event loop', async (t) => {
  let calls = 0
  let turns = 0
  const slow: MergeOperator = {
    merge: (key, base, operands) => {
      calls++
      const until = performance.now() + 1
      while (performance.now() < until);
      return append.merge(key, base, operands)
    },
  }
  const tree = await open('db', { ...manual, mergeOperator: slow })
  for (let i = 0; i < 60; i++) {
    tree.insert(`k${i}`, 'b')
    tree.merge(`k${i}`, '1')
  }
  let isDone = false
  const flushed = tree.flush(ALL).then(() => {
    isDone = true
  })
  while (!isDone) {
    turns++
    await new Promise((resolve) => setImmediate(resolve))
  }
  await flushed
  t.equal(calls, 60)
  t.ok(turns > 8, `${turns} turns`)
  t.equal(tree.getString('k7'), 'b1')
  await tree.close()
})

t.test('the ones that ship: grouping makes no difference', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  const json = (): Buffer => {
    const value = (depth: number): unknown => {
      const kind = random.below(depth > 2 ? 3 : 5)
      if (kind === 0) return null
      if (kind === 1) return random.below(5)
      if (kind === 2) return random.pick(['x', [1, { a: null }], true])
      const names = ['a', 'b', '__proto__', '10', 'constructor'].filter(() => random.chance(0.4))
      return Object.fromEntries(names.map((name) => [name, value(depth + 1)]))
    }
    return Buffer.from(JSON.stringify(value(0)))
  }
  const inputs: Readonly<Record<string, () => Buffer>> = {
    append: () => Buffer.from(random.bytes(random.below(5))),
    add: () => int64(random.below(1 << 30) - (1 << 29)),
    max: () => Buffer.from(random.bytes(random.below(3))),
    min: () => Buffer.from(random.bytes(1 + random.below(3))),
    jsonMergePatch: json,
  }
  const key = bytes('k')
  for (const [name, input] of Object.entries(inputs)) {
    const operator = mergeOperators[name as keyof typeof mergeOperators]
    let refusals = 0
    for (let round = 0; round < 1000; round++) {
      const base = random.chance(0.6) ? input() : undefined
      const operands = Array.from({ length: 1 + random.below(5) }, input)
      const wanted = operator.merge(key, base, operands)
      const at = 1 + random.below(operands.length)
      const [first, rest] = [operands.slice(0, at), operands.slice(at)]
      const asBase = operator.merge(key, base, first)
      const folded = rest.length === 0 ? asBase : operator.merge(key, asBase, rest)
      const partial = operator.partialMerge ?? ((k, list) => operator.merge(k, undefined, list))
      const joined = partial(key, operands.slice(at - 1))
      if (joined === undefined) refusals++
      const viaOperand =
        joined === undefined
          ? wanted
          : operator.merge(key, base, [...operands.slice(0, at - 1), joined])
      if (Buffer.compare(folded, wanted) !== 0) t.fail(`${name}: as base`)
      if (Buffer.compare(viaOperand, wanted) !== 0) t.fail(`${name}: as operand`)
    }
    t.ok(refusals < 600, `${name} refused ${refusals}`)
  }
})

t.test('the ones that ship, by example', async (t) => {
  const { max, min, jsonMergePatch } = mergeOperators
  const key = bytes('k')
  const text = (operator: MergeOperator, base: string | undefined, ...operands: string[]): string =>
    Buffer.from(
      operator.merge(key, base === undefined ? undefined : bytes(base), operands.map(bytes)),
    ).toString()
  t.equal(text(append, 'a', 'b', 'c'), 'abc')
  t.equal(text(max, 'b', 'a', 'bb'), 'bb')
  t.equal(text(min, undefined, 'b', 'a', 'c'), 'a')
  t.equal(
    text(jsonMergePatch, '{"a":"b","c":{"d":"e","f":"g"}}', '{"a":"z","c":{"f":null}}'),
    '{"a":"z","c":{"d":"e"}}',
  )
  t.equal(text(jsonMergePatch, undefined, '{"b":{"x":null},"a":1}'), '{"a":1,"b":{}}')
  t.equal(text(jsonMergePatch, '[1]', '{"a":1}', '{"a":null}'), '{}')
  const partial = (...operands: string[]): string | undefined => {
    const joined = jsonMergePatch.partialMerge?.(key, operands.map(bytes))
    return joined === undefined ? undefined : Buffer.from(joined).toString()
  }
  t.equal(partial('{"a":null}', '{"b":1}'), '{"a":null,"b":1}', 'a deletion waits for its base')
  t.equal(partial('{"a":1}', '{"a":{"b":1}}'), undefined, 'no one patch does both')
  t.throws(() => text(add, undefined, 'short'), RangeError)
  t.throws(() => text(jsonMergePatch, undefined, '{'), SyntaxError)
  t.equal(readInt64(int64(-1)), -1n)
  t.equal(int64(258).toString('hex'), '0201000000000000', 'little endian')
})

t.test('operators that are none', async (t) => {
  for (const mergeOperator of [{}, 1, { merge: 1 }, { module: './relative.js' }]) {
    t.equal(
      await codeOf(() => open('db', { ...manual, mergeOperator: mergeOperator as never })),
      'VARVE_INVALID_ARGUMENT',
    )
  }
})
