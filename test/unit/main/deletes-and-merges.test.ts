/** The write methods beside insert and remove: weak deletes, range deletes and merges, alone and in batches. */

import t from 'tap'
import { open, type Tree, WriteBatch } from '../../../src/main/index.js'
import { codeOf, concatenation, textOf } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual', mergeOperator: concatenation } as const

async function withKeys(names: string): Promise<Tree> {
  const tree = await open('db', manual)
  for (const name of names) tree.insert(name, name.toUpperCase())
  return tree
}

t.test('removeRange takes start in and leaves end out', async (t) => {
  const tree = await withKeys('abcdef')
  t.type(tree.removeRange('b', 'e'), 'boolean')
  t.equal(textOf(tree.range()), 'a=A e=E f=F')
  t.equal(tree.get('b'), undefined)
  t.equal(tree.getString('e'), 'E')
  tree.insert('c', 'again')
  t.equal(textOf(tree.range()), 'a=A c=again e=E f=F')
  await tree.close()
})

t.test('the aliases do the same', async (t) => {
  const tree = await withKeys('abcdef')
  tree.deleteRange('a', 'c')
  tree.deletePrefix('d')
  t.equal(textOf(tree.range()), 'c=C e=E f=F')
  await tree.close()
})

t.test('a range or a prefix without keys is not written', async (t) => {
  const tree = await withKeys('abc')
  const before = tree.seqno.get()
  t.equal(tree.removeRange('b', 'b'), true)
  t.equal(tree.removeRange('c', 'a'), true)
  t.equal(tree.removeRange('', '\0'), true)
  t.equal(tree.removePrefix(''), true)
  t.equal(tree.removePrefix(Buffer.from([255, 255])), true)
  t.equal(tree.seqno.get(), before, 'no seqno is drawn')
  t.equal(textOf(tree.range()), 'a=A b=B c=C')
  await tree.close()
})

t.test('an empty start is the beginning of all keys, through a flush too', async (t) => {
  const tree = await withKeys('abc')
  tree.insert(Buffer.of(0), 'zero')
  tree.removeRange('', 'b')
  t.equal(textOf(tree.range()), 'b=B c=C')
  await tree.flush()
  t.equal(textOf(tree.range()), 'b=B c=C')
  await tree.close()
})

t.test('removePrefix ends where the prefix does', async (t) => {
  const tree = await open('db', manual)
  for (const key of ['ab', 'ab\xff', 'ac', 'b']) tree.insert(Buffer.from(key, 'latin1'), key)
  tree.removePrefix('ab')
  t.equal(tree.len(), 2)
  tree.insert(Buffer.from([97, 255, 255]), 'deep')
  tree.removePrefix(Buffer.from([97, 255]))
  t.equal(textOf(tree.range()), 'ac=ac b=b')
  await tree.close()
})

t.test('bounds that no key could have are refused', async (t) => {
  const tree = await open('db', manual)
  const long = 'k'.repeat(65_536)
  t.throws(() => tree.removeRange('a', long), RangeError)
  t.throws(() => tree.removePrefix(long), RangeError)
  t.throws(() => tree.removeRange(1 as never, 'b'), TypeError)
  t.throws(() => tree.removePrefix(null as never), TypeError)
  t.throws(() => tree.removeRange('a', 'b', -1), RangeError)
  t.throws(() => new WriteBatch().removeRange('a', long), RangeError)
  await tree.close()
})

t.test('a range delete hides strictly older versions, for readers that see it', async (t) => {
  const tree = await open('db', manual)
  tree.insert('k', 'old', 4)
  tree.removeRange('a', 'z', 5)
  tree.insert('m', 'same', 5)
  tree.insert('n', 'newer', 6)
  tree.visibleSeqno.fetchMax(7)
  t.equal(textOf(tree.range()), 'm=same n=newer')
  t.equal(textOf(tree.range({ seqno: 5 })), 'k=old')
  t.equal(tree.getString('k', { seqno: 5 }), 'old')
  t.equal(tree.get('k', { seqno: 6 }), undefined)
  t.equal(tree.getString('m', { seqno: 6 }), 'same')
  await tree.close()
})

t.test('a weak delete reads as a delete', async (t) => {
  const tree = await withKeys('ab')
  tree.removeWeak('a')
  t.equal(textOf(tree.range()), 'b=B')
  tree.insert('a', 'again')
  t.equal(tree.getString('a'), 'again')
  await tree.close()
})

t.test('merges are folded when they are read', async (t) => {
  const tree = await withKeys('a')
  tree.merge('a', '1')
  tree.merge('a', '2')
  tree.merge('b', '3')
  t.equal(textOf(tree.range()), 'a=A12 b=3')
  t.equal(tree.getString('a'), 'A12')
  tree.merge('c', '')
  t.equal(tree.sizeOf('c'), 0)
  await tree.close()
})

t.test(
  '`write_batch`: a batch: weak deletes, merges and range deletes under one seqno',
  async (t) => {
    const tree = await withKeys('abcd')
    const batch = new WriteBatch()
      .insert('b', 'new')
      .removeWeak('a')
      .merge('d', '1')
      .merge('d', '2')
      .removeRange('b', 'd')
    t.equal(batch.length, 5)
    const before = tree.seqno.get()
    tree.apply(batch)
    t.equal(tree.seqno.get(), before + 1)
    t.equal(textOf(tree.range()), 'b=new d=D12', 'the range hides what was there, not the batch')
    t.equal(textOf(tree.range({ seqno: before })), 'a=A b=B c=C d=D', 'all of it at once')
    t.equal(batch.clear().length, 0)
    tree.apply(batch.removeRange('z', 'a'))
    t.equal(tree.len(), 2, 'a range without keys deletes none')
    tree.apply(new WriteBatch().removeRange('a', 'z'))
    t.equal(tree.len(), 0)
    await tree.close()
  },
)

t.test('`write_batch`: kinds must not be mixed on one key', async (t) => {
  const tree = await withKeys('a')
  const mixed: WriteBatch[] = [
    new WriteBatch().insert('k', '1').remove('k'),
    new WriteBatch().remove('k').removeWeak('k'),
    new WriteBatch().merge('k', '1').insert('k', '1'),
    new WriteBatch().removeRange('a', 'z').merge('k', '1').merge('l', '1').removeWeak('k'),
  ]
  for (const batch of mixed) {
    t.equal(await codeOf(() => tree.apply(batch)), 'VARVE_MIXED_BATCH')
  }
  t.equal(textOf(tree.range()), 'a=A', 'nothing of it was applied')
  await tree.close()
})

t.test('range deletes alone fill a write buffer, seal it, and stall', async (t) => {
  const runtime = { memtableBytes: 128 * 1024, maxSealedMemtables: 2 }
  const tree = await open('db', { ...manual, runtime })
  let count = 0
  let isSlow = false
  const code = await codeOf(() => {
    for (; count < 100_000; count++) isSlow = !tree.removeRange(`k${count}`, `k${count}x`) || isSlow
  })
  t.equal(code, 'VARVE_STALLED')
  t.ok(isSlow, 'false came before')
  t.equal(tree.sealedMemtableCount(), 2)
  await tree.flush()
  t.equal(tree.sealedMemtableCount(), 0)
  t.equal(tree.removeRange('a', 'b'), true)
  t.equal(tree.highestSeqno(), count)
  await tree.close()
})
