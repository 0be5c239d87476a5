/** Guards: what they give, when their failures come out, and that they stay good. */

import t from 'tap'
import { type Guard, type MergeOperator, open } from '../../../../src/main/index.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { codeOf } from '../../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const

t.test('`tree_guarded_range`: guards give the pairs that a range gives', async (t) => {
  const tree = await open('db', memory)
  for (let i = 0; i < 300; i++) tree.insert(`key ${i % 100}`, `value ${i}`)
  await tree.flush()
  for (let i = 0; i < 50; i++) tree.insert(`key ${i}`, `newer ${i}`)
  tree.remove('key 7')
  for (const range of [{}, { reverse: true }, { gte: 'key 3', lt: 'key 5' }, { limit: 5 }]) {
    const guards = Array.from(tree.guards(range))
    const pairs = Array.from(tree.range(range))
    t.same(
      guards.map((guard) => guard.entry()),
      pairs,
    )
    t.same(
      guards.map((guard) => [guard.key, guard.value(), guard.size()]),
      pairs.map(([key, value]) => [key, value, value.length]),
    )
  }
  const both = tree.guards({ gte: 'key 1', lt: 'key 13' })
  t.equal(String((both.nextBack().value as Guard).key), 'key 12')
  t.equal(String((both.next().value as Guard).key), 'key 1')
  both.return()
  await tree.close()
})

t.test('`guard_if`: a guard gives its value only where the key passes', async (t) => {
  const tree = await open('db', memory)
  for (const key of ['a', 'b', 'c']) tree.insert(key, key.toUpperCase())
  const shown = Array.from(tree.guards(), (guard) => [
    String(guard.key),
    guard.valueIf((key) => String(key) !== 'b')?.toString(),
  ])
  t.same(shown, [
    ['a', 'A'],
    ['b', undefined],
    ['c', 'C'],
  ])
  await tree.close()
})

t.test(
  'a refusing operator hurts its own key only, and only when the value is wanted',
  async (t) => {
    const mergeOperator: MergeOperator = {
      merge: (key, _, operands) => {
        if (String(key) === 'bad') throw new Error('no')
        return operands[0] as Uint8Array
      },
    }
    const tree = await open('db', { ...memory, mergeOperator })
    tree.insert('a', '1')
    tree.merge('bad', 'x')
    tree.merge('good', '2')
    tree.insert('z', '3')
    for (const isFlushed of [false, true]) {
      for (const reverse of [false, true]) {
        const guards = Array.from(tree.guards({ reverse }))
        const order = reverse ? ['z', 'good', 'bad', 'a'] : ['a', 'bad', 'good', 'z']
        t.same(
          guards.map((guard) => String(guard.key)),
          order,
        )
        for (const guard of guards) {
          const isBad = String(guard.key) === 'bad'
          t.equal(await codeOf(() => guard.value()), isBad ? 'VARVE_MERGE_OPERATOR' : undefined)
          t.equal(await codeOf(() => guard.size()), isBad ? 'VARVE_MERGE_OPERATOR' : undefined)
          t.equal(
            guard.valueIf(() => false),
            undefined,
          )
        }
        t.equal(await codeOf(() => Array.from(tree.range({ reverse }))), 'VARVE_MERGE_OPERATOR')
      }
      if (!isFlushed) await tree.flush()
    }
    await tree.close()
  },
)

t.test(
  'a block that cannot be read comes as the last guard, which throws when it is used',
  async (t) => {
    const fs = new MemoryFileSystem()
    const options = { ...memory, fs, blockSize: 200, compression: 'none' } as const
    const first = await open('/db', options)
    for (let i = 0; i < 100; i++) first.insert(`key ${String(i).padStart(2, '0')}`, `value ${i}`)
    await first.close()
    const file = fs.openAppend('/db/tables/0')
    file.writeAt(Buffer.of(1, 2, 3), 1000)
    file.close()
    const tree = await open('/db', options)
    const guards = Array.from(tree.guards())
    const last = guards.pop() as Guard
    t.ok(guards.length > 5 && guards.length < 95, `${guards.length} before it`)
    for (const guard of guards) t.match(String(guard.value()), /^value/)
    for (const use of [() => last.key, () => last.value(), () => last.size(), () => last.entry()]) {
      t.equal(await codeOf(use), 'VARVE_CHECKSUM_MISMATCH')
    }
    t.equal(await codeOf(() => Array.from(tree.range())), 'VARVE_CHECKSUM_MISMATCH')
    const lost = `key ${String(guards.length).padStart(2, '0')}`
    t.equal(await codeOf(() => tree.get(lost)), 'VARVE_CHECKSUM_MISMATCH')
    t.equal(await codeOf(() => tree.getAsync(lost)), 'VARVE_CHECKSUM_MISMATCH')
    t.equal(await codeOf(() => tree.multiGetAsync(['key 00', lost])), 'VARVE_CHECKSUM_MISMATCH')
    await tree.close({ flush: 'discard' })
  },
)
