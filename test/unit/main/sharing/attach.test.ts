/** Threads that attach: what they see and when, what they write, how they end, what is left behind. */
import { readdirSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { MessageChannel, Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import {
  attach,
  Cache,
  mergeOperators,
  open,
  type Tree,
  WriteBatch,
} from '../../../../src/main/index.js'
import type { OpenOptions } from '../../../../src/main/options.js'
import { STATISTICS } from '../../../../src/main/sharing/protocol.js'
import { ReaderThread } from '../../../support/reader-threads.js'

t.setTimeout(120_000)
const { heap, epochs } = processEnvironment()
const POOL_TASK = new URL('../../../support/reader-task.js', import.meta.url)

async function filled(folder: string, options: OpenOptions = {}): Promise<Tree> {
  const tree = await open(folder, { maintenance: 'manual', ...options })
  for (let i = 0; i < 500; i++) tree.insert(`key${i}`, `value${i}`.repeat(20))
  await tree.flush()
  return tree
}

/** Turns of the event loop until `isSo`: what the end of a thread sets off comes as messages. */
async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setImmediate()
}

/** Open files below a folder, of the whole process. */
function openFilesBelow(folder: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${name}`)
      return path.startsWith(folder) && path.includes('/tables/') ? [path] : []
    } catch {
      return []
    }
  })
}

t.test(
  'a write is seen as soon as it is visible, while neither thread takes a message',
  async (t) => {
    await using tree = await filled(t.testdir())
    await using thread = await ReaderThread.start(tree.share())
    const seen = thread.ask('until', ['new', '3'])
    for (let i = 0; i <= 3; i++) tree.insert('new', String(i))
    t.equal(await seen, '3')
    t.equal(await thread.ask('visible'), tree.visibleSeqno.get())
  },
)

t.test('handles work in workers of workers, and in many threads at once', async (t) => {
  await using tree = await filled(t.testdir())
  const handle = tree.share()
  t.equal(handle, tree.share(), 'a tree has one')
  const threads = await Promise.all([0, 1, 2].map((depth) => ReaderThread.start(handle, { depth })))
  for (const thread of threads) t.equal(await thread.ask('get', 'key7'), 'value7'.repeat(20))
  await Promise.all(threads.map((thread) => thread.terminate()))
  await eventually(() => epochs.readerCount === 0)
})

t.test(
  'tasks of a pool of the user’s own attach and detach, and everything comes back',
  async (t) => {
    const folder = t.testdir()
    const tree = await filled(folder)
    const pool = new Piscina({ filename: POOL_TASK.href, minThreads: 2, maxThreads: 2 })
    const handle = tree.share()
    const task = (): Promise<number> => pool.run({ handle, keys: ['key1', 'key2', 'absent'] })
    t.equal(await task(), 240)
    await eventually(() => epochs.readerCount === 0)
    const used = heap.usedBytes
    const lengths = await Promise.all(Array.from({ length: 60 }, task))
    t.same(new Set(lengths), new Set([240]))
    await eventually(() => epochs.readerCount === 0 && heap.usedBytes === used)
    t.equal(openFilesBelow(folder).length, 1, 'the owner’s own')
    await pool.destroy()
    await tree.close()
  },
)

for (const how of ['detach', 'terminate', 'exit', 'throw'] as const) {
  t.test(`a thread that holds everything gives it back by ${how}`, async (t) => {
    const folder = t.testdir()
    using cache = new Cache({ capacityBytes: 1 << 20 })
    const tree = await filled(folder, { cache })
    tree.get('key1')
    const handle = tree.share()
    await using first = await ReaderThread.start(handle)
    await first.ask('detach')
    await eventually(() => epochs.readerCount === 0)
    const used = heap.usedBytes
    const thread = await ReaderThread.start(handle)
    t.equal(await thread.ask('get', 'key3'), 'value3'.repeat(20))
    await thread.ask('hold', 3)
    t.equal(await thread.ask('pin', 'key3'), true)
    const pinned = await thread.ask('pins')
    t.equal(tree.metrics().sharing.pinnedSeqnos, 1)
    tree.insert('later', '1')
    await tree.flush()
    await tree.majorCompact()
    t.equal(tree.get('key3', { seqno: pinned })?.length, 120, 'a pin holds for the owner as well')
    if (how === 'detach') {
      await thread.ask('detach')
      t.equal(epochs.readerCount, 1, 'open iterators are still read')
      await thread.ask('release')
      await eventually(() => epochs.readerCount === 0)
      await thread.terminate()
    } else if (how === 'terminate') await thread.terminate()
    else await thread.end(how)
    await eventually(() => epochs.readerCount === 0)
    t.equal(tree.metrics().sharing.pinnedSeqnos, 0)
    await eventually(() => tree.metrics().sharing.retiredVersions === 0)
    await tree.majorCompact()
    t.equal(openFilesBelow(folder).length <= 1, true)
    t.ok(heap.usedBytes <= used + (1 << 20), `${heap.usedBytes - used} more`)
    await tree.close()
  })
}

t.test('the owner closes: reads say so, iterators go on to their end', async (t) => {
  const used = heap.usedBytes
  const tree = await filled(t.testdir())
  await using thread = await ReaderThread.start(tree.share())
  await thread.ask('hold', 1)
  await tree.close()
  await t.rejects(thread.ask('get', 'key1'), { code: 'VARVE_CLOSED' })
  t.equal(await thread.ask('isOpen'), false)
  t.ok(heap.usedBytes > used)
  await thread.ask('release')
  await eventually(() => heap.usedBytes === used)
})

t.test('what cannot be attached says why', async (t) => {
  const tree = await filled(t.testdir())
  const handle = tree.share()
  await t.rejects(attach({} as never), { code: 'VARVE_INVALID_ARGUMENT' })
  await t.rejects(attach(handle, { memoryBytes: 5 }), { code: 'VARVE_INVALID_ARGUMENT' })
  const nobody = { ...handle, threadId: 999_999 }
  await t.rejects(attach(nobody), { code: 'VARVE_CLOSED' })
  await tree.close()
  await t.rejects(ReaderThread.start(handle), { code: 'VARVE_CLOSED' })
  await t.rejects(attach(handle), { code: 'VARVE_CLOSED' })
})

t.test('the owner’s thread attaches to its own tree as well', async (t) => {
  const tree = await filled(t.testdir())
  const reader = await attach(tree.share())
  t.equal(reader.path, tree.path)
  t.equal(reader.len(), 500)
  t.equal(await reader.writer.insert('x', 'y'), true)
  t.equal(reader.getString('x'), 'y')
  using snapshot = reader.snapshot()
  await reader.writer.remove('x')
  t.equal(snapshot.getString('x'), 'y')
  t.equal(reader.get('x'), undefined)
  await reader.detach()
  await reader.detach()
  t.throws(() => reader.get('x'), { code: 'VARVE_CLOSED' })
  t.throws(() => snapshot.get('x'), { code: 'VARVE_CLOSED' })
  await t.rejects(reader.writer.insert('x', 'y'), { code: 'VARVE_CLOSED' })
  await tree.close()
})

t.test('writes of one turn go in order, each with its own answer', async (t) => {
  await using tree = await filled(t.testdir(), { mergeOperator: mergeOperators.append })
  await using thread = await ReaderThread.start(tree.share())
  const answers = await thread.ask('write', [
    ['insert', 'a', '1'],
    ['merge', 'a', '2'],
    ['insert', '', 'no key'],
    ['insert', 'b', '1'],
    ['remove', 'b'],
    ['removeRange', 'key1', 'key2'],
    ['removePrefix', 'key4'],
    ['insert', 'c', '1'],
    ['removeWeak', 'c'],
  ])
  t.same(answers, [true, true, 'VARVE_INVALID_ARGUMENT', true, true, true, true, true, true])
  t.equal(tree.getString('a'), '12')
  t.same([tree.get('b'), tree.get('c'), tree.get('key10')], [undefined, undefined, undefined])
  t.equal(tree.containsPrefix('key4'), false)
  t.equal(await thread.ask('get', 'a'), '12')
  const reader = await attach(tree.share())
  const batch = new WriteBatch()
  batch.insert('p', '1')
  batch.insert('q', '2')
  await reader.writer.apply(batch)
  t.same([reader.getString('p'), reader.getString('q')], ['1', '2'])
  await reader.detach()
})

t.test('a value larger than the memory of its reader names memoryBytes', async (t) => {
  const compression = 'none'
  await using tree = await filled(t.testdir(), {
    compression,
    cache: new Cache({ capacityBytes: 0 }),
  })
  tree.insert('large', Buffer.alloc(3 << 20, 1))
  await tree.flush()
  await using small = await ReaderThread.start(tree.share(), { memoryBytes: 1 << 20 })
  await t.rejects(small.ask('size', 'large'), {
    code: 'VARVE_OUT_OF_MEMORY',
    message: /memoryBytes/,
  })
  t.equal(await small.ask('get', 'key1'), 'value1'.repeat(20), 'and reads on')
  await using large = await ReaderThread.start(tree.share(), { memoryBytes: 16 << 20 })
  t.equal(await large.ask('size', 'large'), 3 << 20)
})

t.test('a thread holds 64 states and 256 seqnos at most', async (t) => {
  const runtime = { memtableBytes: 128 * 1024 }
  await using tree = await filled(t.testdir(), { runtime })
  const reader = await attach(tree.share())
  const open: Disposable[] = []
  for (let i = 0; i < 64; i++) {
    const iterator = reader.iter()
    iterator.next()
    open.push(iterator)
    tree.insert('more', String(i))
    tree.rotateMemtable()
    if (i % 2 === 0) await tree.flush()
  }
  t.throws(() => reader.iter(), { code: 'VARVE_OUT_OF_MEMORY', message: /64 read states/ })
  t.equal(reader.getString('more'), '63')
  for (const one of open.splice(0)) one[Symbol.dispose]()
  for (let i = 0; i < 256; i++) open.push(reader.snapshot())
  t.throws(() => reader.snapshot(), { code: 'VARVE_OUT_OF_MEMORY', message: /256 snapshots/ })
  for (const one of open) one[Symbol.dispose]()
  t.equal(tree.metrics().sharing.pinnedSeqnos, 0)
  await reader.detach()
})

t.test('what other threads read is in the metrics of the tree', async (t) => {
  await using tree = await filled(t.testdir())
  const before = tree.metrics()
  await using thread = await ReaderThread.start(tree.share())
  for (let i = 0; i < 10; i++) await thread.ask('get', `key${i}`)
  const { tableReads, loads } = await thread.ask('metrics')
  t.equal(tableReads, before.tableReads + 10)
  t.ok(loads > before.dataBlocks.loads)
  await thread.ask('detach')
  t.equal(tree.metrics().tableReads, before.tableReads + 10, 'and stays there')
})

t.test('every statistic that a thread can ask for is what the tree says', async (t) => {
  await using tree = await filled(t.testdir())
  const reader = await attach(tree.share())
  for (const name of STATISTICS) {
    const range = name.startsWith('approximateRange') ? { gte: 'key1', lt: 'key3' } : undefined
    const [own, remote] = [tree[name](range as never), await reader[name](range as never)]
    t.same(remote, own, name)
  }
  await reader.detach()
  await t.rejects(reader.metrics(), { code: 'VARVE_CLOSED' })
})

t.test('a read of collected history says so; a pin keeps it', async (t) => {
  await using tree = await filled(t.testdir())
  await using thread = await ReaderThread.start(tree.share())
  const seqno = await thread.ask('pins')
  tree.insert('key1', 'new')
  await tree.flush()
  await tree.majorCompact()
  const questions = { keys: [Buffer.from('key1')], seqno, seed: 1 }
  const { get } = await thread.ask('everything', questions)
  t.same(get, ['value1'.repeat(20)])
  await thread.ask('release')
  await tree.flush()
  tree.insert('key1', 'newer')
  await tree.flush()
  await tree.majorCompact()
  await t.rejects(thread.ask('everything', questions), { code: 'VARVE_SEQNO_COLLECTED' })
})

t.test('an attached thread keeps neither itself nor the owner alive', async (t) => {
  const { port1, port2 } = new MessageChannel()
  const worker = new Worker(new URL('../../../support/reader-idle.js', import.meta.url), {
    workerData: { folder: t.testdir(), port: port2 },
    transferList: [port2],
  })
  const code = await new Promise((resolve) => worker.on('exit', resolve))
  port1.close()
  t.equal(code, 0)
})

t.test('a tree that closes while a thread attaches has all of its memory back', async (t) => {
  // The thread loads this between its grant and its first look at the tree.
  const module = new URL('../../../support/operators.js', import.meta.url)
  const tree = await filled(t.testdir(), { mergeOperator: { module, export: 'joining' } })
  const slots = epochs.readerCount
  const starting = ReaderThread.start(tree.share())
  await eventually(() => tree.metrics().sharing.attachedThreads === 1)
  await tree.close()
  await using thread = await starting
  t.equal(await thread.ask('isOpen'), false)
  for (let turns = 0; turns < 1000 && epochs.readerCount > slots; turns++) await setImmediate()
  t.equal(epochs.readerCount, slots, 'the thread has detached by itself')
})
