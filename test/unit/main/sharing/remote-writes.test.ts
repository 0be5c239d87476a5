/** Writes of attached threads: packed there, applied here, in order; each answered for itself. */
import t from 'tap'
import { open, VarveError, WriteBatch } from '../../../../src/main/index.js'
import {
  PackedWrites,
  unpackWrites,
  WRITE_BATCH,
  WRITE_INSERT,
  WRITE_MERGE,
  WRITE_REMOVE,
  WRITE_REMOVE_PREFIX,
  WRITE_REMOVE_RANGE,
  WRITE_REMOVE_WEAK,
} from '../../../../src/main/sharing/packed-writes.js'
import { WRITE_FAILED } from '../../../../src/main/sharing/protocol.js'
import { decodeError } from '../../../../src/shared/base/errors.js'
import { HandReader } from '../../../support/sharing.js'
import { textOf } from '../../../support/trees.js'

const manual = { maintenance: 'manual' } as const

t.test('what is packed is unpacked, byte for byte', async (t) => {
  const pack = new PackedWrites()
  pack.add(WRITE_INSERT, 'schlüssel', Uint8Array.of(0, 255), { seqno: 2 ** 52, needsRoom: true })
  pack.add(WRITE_REMOVE_PREFIX, new Uint8Array(0), '')
  pack.addBatch(new WriteBatch().insert('a', 'b').removeRange('', 'x').remove('c'), { seqno: 3 })
  t.equal(pack.count, 3)
  const bytes = pack.take()
  t.same([pack.count, pack.byteLength], [0, 0])
  const [insert, prefix, batch] = [...unpackWrites(bytes)]
  t.match(insert, { operation: WRITE_INSERT, seqno: 2 ** 52, needsRoom: true })
  t.equal(Buffer.from(insert?.first ?? []).toString(), 'schlüssel')
  t.same([...(insert?.second ?? [])], [0, 255])
  t.match(prefix, { operation: WRITE_REMOVE_PREFIX, seqno: undefined, needsRoom: false })
  t.match(batch, { operation: WRITE_BATCH, seqno: 3 })
  t.same(
    batch?.parts.map(({ operation, first }) => [operation, Buffer.from(first).toString()]),
    [
      [WRITE_INSERT, 'a'],
      [WRITE_REMOVE, 'c'],
      [WRITE_REMOVE_RANGE, ''],
    ],
  )
  for (let length = 1; length < bytes.length; length++) {
    const cut = (): number => [...unpackWrites(bytes.subarray(0, length))].length
    try {
      t.ok(cut() < 3, 'cut between two writes')
    } catch (error) {
      t.ok(error instanceof TypeError)
    }
  }
})

t.test('what cannot be packed leaves the pack as it was', async (t) => {
  const pack = new PackedWrites()
  pack.add(WRITE_INSERT, 'a', 'b')
  const { byteLength } = pack
  t.throws(() => pack.add(WRITE_INSERT, 5 as unknown as string, 'b'), TypeError)
  t.throws(
    () => pack.addBatch(new WriteBatch().insert('a', 'b').insert('c', null as unknown as string)),
    TypeError,
  )
  t.throws(() => pack.addBatch(new WriteBatch().insert('a', 'b').remove('a')), {
    code: 'VARVE_MIXED_BATCH',
  })
  t.same([pack.byteLength, pack.count], [byteLength, 1])
})

t.test('every write, in order, and one that fails keeps none from being applied', async (t) => {
  const tree = await open(t.testdir(), manual)
  const reader = await HandReader.attach(tree.share())
  const pack = new PackedWrites()
  for (const key of ['a', 'b', 'c', 'p1', 'p2', 'x', 'y']) pack.add(WRITE_INSERT, key, '1')
  pack.add(WRITE_INSERT, '', 'no key')
  pack.add(WRITE_REMOVE, 'a', '')
  pack.add(WRITE_REMOVE_WEAK, 'b', '')
  pack.add(WRITE_MERGE, 'c', '2')
  pack.add(WRITE_REMOVE_PREFIX, 'p', '')
  pack.add(WRITE_REMOVE_RANGE, 'x', 'y', {})
  pack.addBatch(new WriteBatch().insert('d', '1').removeRange('y', 'z'))
  pack.add(WRITE_INSERT, 'e', '1', { needsRoom: true })
  pack.add(WRITE_INSERT, 'f', '1', { seqno: -1 })
  pack.add(99, 'f', '1')
  const { value } = await reader.control.write(pack.take())
  t.same(
    [...(value?.outcomes ?? [])].flatMap((outcome, i) => (outcome === WRITE_FAILED ? [i] : [])),
    [7, 15, 16],
  )
  const errors = (value?.errors ?? []).map(decodeError)
  t.ok(errors[0] instanceof RangeError, 'of the class that it had')
  t.ok(errors[2] instanceof TypeError)
  t.equal(textOf(tree.range()), 'c=2 d=1 e=1')
  const atSeqno = new PackedWrites()
  const seqno = tree.seqno.next()
  atSeqno.add(WRITE_INSERT, 'g', '1', { seqno })
  await reader.control.write(atSeqno.take())
  t.equal(tree.get('g'), undefined, 'a write with a seqno is the caller’s to make visible')
  tree.visibleSeqno.fetchMax(seqno + 1)
  t.equal(tree.getString('g'), '1')
  t.equal((await reader.control.write(Uint8Array.of(1, 2))).error?.name, 'TypeError')
  await reader.detach()
  await tree.close()
})

t.test('a write that would have to wait is refused, as one of the owner’s', async (t) => {
  const tree = await open(t.testdir(), {
    ...manual,
    runtime: { memtableBytes: 1 << 20, maxSealedMemtables: 1 },
  })
  const reader = await HandReader.attach(tree.share())
  const pack = new PackedWrites()
  for (let i = 0; i < 40; i++) pack.add(WRITE_INSERT, `key${i}`, Buffer.alloc(100_000))
  const { value } = await reader.control.write(pack.take())
  const outcomes = [...(value?.outcomes ?? [])]
  const written = outcomes.filter((outcome) => outcome !== WRITE_FAILED).length
  t.ok(written > 5 && written < 40)
  const [error] = (value?.errors ?? []).map(decodeError)
  t.ok(VarveError.is(error, 'VARVE_STALLED'))
  t.equal(tree.len(), written)
  await tree.flush()
  t.same(await reader.control.drained(), { value: undefined })
  await tree.close()
  pack.add(WRITE_INSERT, 'a', 'b')
  const closed = await reader.control.write(pack.take())
  t.equal(closed.value?.errors[0]?.code, 'VARVE_CLOSED')
  await reader.detach()
})

t.test('what threads count is the tree’s, while they read and afterwards', async (t) => {
  const tree = await open(t.testdir(), manual)
  const reader = await HandReader.attach(tree.share())
  const before = tree.metrics().tableReads
  const { COUNTERS_TABLE_READS } = await import('../../../../src/shared/kernel/layout-metrics.js')
  reader.shared.setU64(reader.grant.counters + COUNTERS_TABLE_READS, 2 ** 33)
  t.equal(tree.metrics().tableReads, before + 2 ** 33)
  t.match((await reader.control.tell('metrics')).value, {
    tableReads: before + 2 ** 33,
    sharing: { attachedThreads: 1 },
  })
  t.match((await reader.control.tell('cacheStats')).value, { capacityBytes: 16 << 20 })
  const unknown = await reader.control.tell('close' as never)
  t.equal(unknown.error?.code, 'VARVE_INVALID_ARGUMENT', 'and nothing else is called')
  await reader.end()
  t.equal(tree.metrics().tableReads, before + 2 ** 33)
  await tree.close()
})
