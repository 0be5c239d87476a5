/** The write path: limits, batches, seqnos of the tree's and of the caller's, and what happens when buffers are full. */

import t from 'tap'
import {
  MAX_SEQNO,
  open,
  SequenceNumberCounter,
  type Tree,
  VarveError,
  WriteBatch,
} from '../../../src/main/index.js'
import { codeOf, textOf } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const
const small = { ...memory, runtime: { memtableBytes: 128 * 1024, maxSealedMemtables: 2 } } as const

t.test('insert, overwrite, remove', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1')
  tree.insert(Buffer.from('b'), Uint8Array.of(0x32))
  tree.insert('a', '3')
  t.equal(textOf(tree.range()), 'a=3 b=2')
  tree.remove('a')
  tree.remove('never there')
  t.equal(textOf(tree.range()), 'b=2')
  t.equal(tree.get('a'), undefined)
  await tree.close()
})

t.test('an empty value is a value', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '')
  t.same(tree.get('a'), Buffer.alloc(0))
  t.equal(tree.getString('a'), '')
  t.equal(tree.sizeOf('a'), 0)
  await tree.flush()
  t.same(tree.get('a'), Buffer.alloc(0))
  await tree.close()
})

t.test('text is UTF-8, lone surrogates included', async (t) => {
  const tree = await open('db', memory)
  for (const key of ['ä', '€uro', '😀', '\ud800', 'a\0b']) {
    tree.insert(key, key)
    t.same(tree.get(Buffer.from(key)), Buffer.from(key))
  }
  await tree.close()
})

t.test('keys have 1 to 65,535 bytes', async (t) => {
  const tree = await open('db', memory)
  const longest = Buffer.alloc(65_535, 'k')
  for (const key of ['', Buffer.alloc(0), Buffer.alloc(65_536), 'ä'.repeat(32_768)]) {
    for (const call of [
      () => tree.insert(key, '1'),
      () => tree.remove(key),
      () => tree.get(key),
      () => tree.containsKey(key),
      () => tree.apply(new WriteBatch().insert('fine', '1').remove(key)),
    ]) {
      t.throws(call, RangeError)
      t.equal(await codeOf(call), 'VARVE_INVALID_ARGUMENT')
    }
  }
  t.ok(tree.isEmpty(), 'nothing was written, of the batch neither')
  tree.insert(longest, '1')
  t.equal(tree.getString(longest), '1')
  await tree.flush()
  t.equal(tree.getString(longest), '1')
  t.equal(tree.firstKeyValue()?.[0].length, 65_535)
  await tree.majorCompact()
  t.equal(tree.getString(longest), '1')
  await tree.close()
})

t.test('keys and values are text or bytes', async (t) => {
  const tree = await open('db', memory)
  for (const wrong of [undefined, null, 1, {}, [1], new Uint16Array(2), new ArrayBuffer(2)]) {
    t.throws(() => tree.insert(wrong as never, '1'), TypeError)
    t.throws(() => tree.insert('a', wrong as never), TypeError)
    t.throws(() => tree.get(wrong as never), TypeError)
    t.throws(() => tree.range({ gte: (wrong as never) ?? 1 }), TypeError)
    t.throws(() => tree.apply(new WriteBatch().insert('a', wrong as never)), TypeError)
    t.throws(() => tree.apply(new WriteBatch().insert(wrong as never, '1')), TypeError)
  }
  t.ok(tree.isEmpty())
  t.equal(tree.seqno.get(), 0, 'no seqno was drawn')
  await tree.close()
})

t.test('a value too large for a write buffer is refused with what to do', async (t) => {
  const tree = await open('db', small)
  const call = (): unknown => tree.insert('a', Buffer.alloc(128 * 1024))
  t.throws(call, /raise RuntimeConfig.memtableBytes/)
  t.throws(call, RangeError)
  t.equal(await codeOf(call), 'VARVE_INVALID_ARGUMENT')
  t.equal(tree.sealedMemtableCount(), 0)
  tree.updateRuntimeConfig({ memtableBytes: 1024 * 1024 })
  tree.insert('a', Buffer.alloc(300 * 1024, 'x'))
  t.equal(tree.sizeOf('a'), 300 * 1024)
  await tree.flush()
  t.equal(tree.get('a')?.equals(Buffer.alloc(300 * 1024, 'x')), true)
  await tree.close()
})

t.test('the arrays that were given may be reused at once', async (t) => {
  const tree = await open('db', memory)
  const key = Buffer.from('a')
  const value = Buffer.from('1')
  tree.insert(key, value)
  key.write('b')
  value.write('2')
  t.equal(textOf(tree.range()), 'a=1')
  await tree.close()
})

/** Fills the tree until it throws; the number of writes that went in, and how many said false. */
function fill(tree: Tree): { writes: number; slow: number; error: unknown } {
  let writes = 0
  let slow = 0
  try {
    for (;;) {
      if (!tree.insert(`key ${String(writes).padStart(6, '0')}`, 'v'.repeat(500))) slow++
      writes++
    }
  } catch (error) {
    return { writes, slow, error }
  }
}

t.test(
  'full write buffers: insert says false, then throws VARVE_STALLED and changes nothing',
  async (t) => {
    const tree = await open('db', small)
    const { writes, slow, error } = fill(tree)
    t.ok(VarveError.is(error, 'VARVE_STALLED'), String(error))
    t.equal((error as VarveError).kind, 'conflict')
    t.ok(slow > 0 && slow < writes, 'it was said before')
    const seqno = tree.seqno.get()
    t.equal(tree.len(), writes)
    t.equal(await codeOf(() => tree.insert('zzz', 'v'.repeat(500))), 'VARVE_STALLED')
    t.equal(
      await codeOf(() => tree.apply(new WriteBatch().insert('zzz', 'v'.repeat(500)))),
      'VARVE_STALLED',
    )
    t.equal(tree.seqno.get(), seqno, 'no seqno was drawn')
    t.equal(tree.visibleSeqno.get(), seqno)
    t.equal(tree.len(), writes, 'nothing was written')
    t.equal(tree.get('zzz'), undefined)
    await tree.flush()
    t.equal(tree.insert('zzz', 'after'), true, 'a flush makes room')
    t.equal(tree.getString('zzz'), 'after')
    await tree.close()
  },
)

t.test('drained resolves when automatic flushes have caught up', async (t) => {
  const tree = await open('db', { ...small, maintenance: 'auto' })
  const { error, writes } = fill(tree)
  t.ok(VarveError.is(error, 'VARVE_STALLED'))
  await tree.drained()
  t.equal(tree.insert('zzz', '1'), true)
  t.equal(tree.len(), writes + 1)
  await tree.drained()
  await tree.close()
})

t.test('`write_batch`: a batch is visible all at once, under one seqno', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '0')
  const seqno = tree.seqno.get()
  const batch = new WriteBatch().insert('b', '1').remove('a').insert('c', '2')
  t.equal(batch.length, 3)
  t.equal(tree.apply(batch), true)
  t.equal(tree.seqno.get(), seqno + 1)
  t.equal(textOf(tree.range()), 'b=1 c=2')
  t.equal(textOf(tree.range({ seqno })), 'a=0', 'not at all below its seqno')
  await tree.close()
})

t.test('`write_batch`: of one key in a batch the last insert wins', async (t) => {
  const tree = await open('db', memory)
  tree.apply(new WriteBatch().insert('a', '1').insert('a', '2').remove('b').remove('b'))
  t.equal(textOf(tree.range()), 'a=2')
  await tree.flush()
  t.equal(textOf(tree.range()), 'a=2')
  await tree.majorCompact()
  t.equal(textOf(tree.range()), 'a=2')
  await tree.close()
})

t.test('`write_batch`: a batch of both kinds for a key is refused whole', async (t) => {
  const tree = await open('db', memory)
  const batch = new WriteBatch().insert('b', '1').insert('a', '1').remove(Buffer.from('a'))
  t.equal(await codeOf(() => tree.apply(batch)), 'VARVE_MIXED_BATCH')
  t.ok(tree.isEmpty())
  t.equal(tree.seqno.get(), 0)
  await tree.close()
})

t.test('`write_batch`: a batch may be applied again, and emptied for its next use', async (t) => {
  const tree = await open('db', memory)
  const batch = new WriteBatch().insert('a', '1')
  tree.apply(batch)
  tree.apply(batch)
  t.equal(tree.seqno.get(), 2)
  t.equal(batch.clear().length, 0)
  tree.apply(batch)
  t.equal(tree.seqno.get(), 2, 'an empty batch does nothing')
  tree.apply(batch.insert('b', '2'))
  t.equal(textOf(tree.range()), 'a=1 b=2')
  await tree.close()
})

t.test('a batch that no write buffer can take is refused whole', async (t) => {
  const tree = await open('db', small)
  const batch = new WriteBatch()
  for (let i = 0; i < 1_000; i++) batch.insert(`k${i}`, 'v'.repeat(200))
  t.throws(() => tree.apply(batch), RangeError)
  t.ok(tree.isEmpty())
  await tree.close()
})

t.test('a batch is not split by a full memtable', async (t) => {
  const tree = await open('db', { ...small, runtime: { ...small.runtime, maxSealedMemtables: 60 } })
  for (let round = 0; round < 40; round++) {
    const before = tree.visibleSeqno.get()
    const batch = new WriteBatch()
    for (let i = 0; i < 60; i++) batch.insert(`k${i}`, `${round}`.padEnd(300))
    tree.apply(batch)
    t.equal(tree.visibleSeqno.get(), before + 1)
  }
  t.ok(tree.sealedMemtableCount() > 0)
  t.equal(tree.len(), 60)
  await tree.close()
})

t.test('with a seqno the caller owns order and visibility', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1', 10)
  t.equal(tree.get('a'), undefined, 'not published yet')
  t.equal(tree.getString('a', { seqno: 11 }), '1')
  t.equal(tree.get('a', { seqno: 10 }), undefined, 'a read sees lower seqnos only')
  tree.visibleSeqno.fetchMax(11)
  t.equal(tree.getString('a'), '1')
  tree.insert('a', 'older', 5)
  t.equal(tree.getString('a'), '1', 'the highest seqno wins, whatever came last')
  t.equal(tree.getString('a', { seqno: 6 }), 'older')
  tree.remove('a', 20)
  tree.apply(new WriteBatch().insert('b', '2'), 21)
  t.equal(textOf(tree.range({ seqno: 22 })), 'b=2')
  t.equal(tree.highestSeqno(), 21)
  for (const wrong of [-1, 1.5, Number.NaN, MAX_SEQNO, MAX_SEQNO + 1, '1']) {
    t.throws(() => tree.insert('a', '1', wrong as number), RangeError, String(wrong))
  }
  tree.insert('z', '1', MAX_SEQNO - 1)
  t.equal(tree.getString('z', { seqno: MAX_SEQNO }), '1')
  await tree.close()
})

t.test('the same key and seqno: the last write wins', async (t) => {
  const tree = await open('db', memory)
  tree.insert('a', '1', 5)
  tree.insert('a', '2', 5)
  t.equal(tree.getString('a', { seqno: 6 }), '2')
  t.equal(textOf(tree.range({ seqno: 6 })), 'a=2')
  t.equal(textOf(tree.range({ seqno: 6, reverse: true })), 'a=2')
  await tree.flush()
  t.equal(tree.getString('a', { seqno: 6 }), '2')
  await tree.close()
})

t.test('generators may be shared between trees', async (t) => {
  const seqno = new SequenceNumberCounter(100)
  const visibleSeqno = new SequenceNumberCounter(100)
  const one = await open('one', { ...memory, seqno, visibleSeqno })
  const other = await open('other', { ...memory, seqno, visibleSeqno })
  one.insert('a', '1')
  other.insert('b', '2')
  t.equal(one.highestSeqno(), 100)
  t.equal(other.highestSeqno(), 101)
  t.equal(visibleSeqno.get(), 102)
  await Promise.all([one.close(), other.close()])
})

t.test('used up seqnos refuse the write and leave the counter', async (t) => {
  const seqno = new SequenceNumberCounter(MAX_SEQNO)
  const tree = await open('db', { ...memory, seqno })
  t.throws(() => tree.insert('a', '1'), RangeError)
  t.throws(() => tree.apply(new WriteBatch().insert('a', '1')), RangeError)
  t.equal(seqno.get(), MAX_SEQNO)
  t.ok(tree.isEmpty())
  await tree.close()
})
