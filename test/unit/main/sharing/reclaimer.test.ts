/**
 * What attached threads may see stays, and nothing else: read states, write buffers and files go as soon as the thread has
 * left its epoch, let its holds go, or is gone, however that came.
 */
import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import { open, type Tree } from '../../../../src/main/index.js'
import { STATE_MEMTABLE_COUNT } from '../../../../src/shared/kernel/layout.js'
import { Random, runSeed } from '../../../support/random.js'
import { HandReader, sharingWorker, until } from '../../../support/sharing.js'
import { codeOf, tableFiles } from '../../../support/trees.js'

const MEMTABLE_BYTES = 1 << 20
const options = { maintenance: 'manual', runtime: { memtableBytes: MEMTABLE_BYTES } } as const
const { heap } = processEnvironment()

function retired(tree: Tree): number {
  return tree.metrics().sharing.retiredVersions
}

/** Two write buffers go to tables, the tables into one: afterwards every older state is retired. */
async function change(tree: Tree, value: string): Promise<void> {
  for (const key of ['a', 'b']) {
    tree.insert(key, value)
    await tree.flush()
  }
  await tree.majorCompact()
}

t.test('a thread inside an epoch keeps what it may see until it leaves', async (t) => {
  const folder = t.testdir()
  const start = heap.usedBytes
  const tree = await open(folder, options)
  const reader = await HandReader.attach(tree.share())
  await change(tree, '1')
  tree.insert('c', '1')
  t.same(tableFiles(folder).length, 1)
  t.equal(retired(tree), 0, 'nobody is inside')
  const before = tableFiles(folder)
  reader.slot.enter()
  const state = reader.stateAt()
  const memtables = reader.shared.getU32(state + STATE_MEMTABLE_COUNT)
  await change(tree, '2')
  t.ok(retired(tree) > 0)
  t.ok(tableFiles(folder).includes(before[0] as number), 'the file that it may read is there')
  t.ok(tree.metrics().sharing.retiredBytes >= MEMTABLE_BYTES, 'and so is the write buffer')
  t.equal(reader.shared.getU32(state + STATE_MEMTABLE_COUNT), memtables)
  reader.slot.leave()
  await until(() => retired(tree) === 0)
  t.equal(tree.metrics().sharing.retiredBytes, 0)
  await until(() => tableFiles(folder).length === 1)
  await reader.detach()
  await tree.close()
  t.equal(heap.usedBytes, start)
})

t.test('a hold keeps one state, whatever comes after it', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, options)
  const reader = await HandReader.attach(tree.share())
  await change(tree, '1')
  const before = tableFiles(folder)
  reader.slot.enter()
  const number = reader.words.hold(reader.stateAt())
  reader.slot.leave()
  await change(tree, '2')
  await change(tree, '3')
  await tree.clear()
  await until(() => retired(tree) === 1)
  t.same(tableFiles(folder), before, 'its file, and no other one')
  reader.words.release(number)
  await until(() => retired(tree) === 0)
  await until(() => tableFiles(folder).length === 0)
  await reader.detach()
  await tree.close()
})

t.test('threads of one tree hold nothing of another back', async (t) => {
  const folder = t.testdir({ a: {}, b: {} })
  const first = await open(`${folder}/a`, options)
  const second = await open(`${folder}/b`, options)
  const reader = await HandReader.attach(first.share())
  second.share()
  reader.slot.enter()
  await change(second, '1')
  t.equal(retired(second), 0)
  reader.slot.leave()
  await reader.detach()
  await first.close()
  await second.close()
})

async function told(worker: Worker, command: string): Promise<void> {
  worker.postMessage(command)
  const [answer] = await once(worker, 'message')
  if (answer !== command) throw new Error(`${answer} instead of ${command}`)
}

const ENDS: Readonly<Record<string, (worker: Worker) => unknown>> = {
  detaches: (worker) => worker.postMessage('detach'),
  exits: (worker) => worker.postMessage('exit'),
  throws: (worker) => worker.postMessage('throw'),
  'is terminated': (worker) => worker.terminate(),
}

for (const doing of ['enter', 'hold', 'pin', 'spin']) {
  for (const [how, end] of Object.entries(ENDS)) {
    // One that spins hears nothing.
    if (doing === 'spin' && how !== 'is terminated') continue
    // One that detaches has left its epoch: that is its part of the contract.
    if (doing === 'enter' && how === 'detaches') continue
    t.test(`a thread that ${how} after ${doing} gives all of it back`, async (t) => {
      const folder = t.testdir()
      const tree = await open(folder, options)
      tree.share()
      await change(tree, '1')
      tree.insert('c', '1')
      const worker = sharingWorker(tree.share())
      worker.on('error', ({ message }) => t.equal(message, 'a reader that fails'))
      await once(worker, 'message')
      const start = { used: 0, files: tableFiles(folder) }
      await told(worker, doing)
      await change(tree, '2')
      if (doing !== 'spin') t.ok(retired(tree) > 0 || tree.approximateLen() > 3)
      // `once` would reject where it ends with an error.
      const exit =
        how === 'detaches' || new Promise<unknown>((resolve) => worker.once('exit', resolve))
      end(worker)
      await exit
      await until(() => tree.metrics().sharing.attachedThreads === 0)
      t.match(tree.metrics().sharing, { pinnedSeqnos: 0, retiredVersions: 0, retiredBytes: 0 })
      await change(tree, '3')
      t.equal(tree.approximateLen(), 3, 'what a pin kept is collected')
      await until(() => tableFiles(folder).length === 1)
      t.not(tableFiles(folder)[0], start.files[0])
      const next = await HandReader.attach(tree.share(), { memoryBytes: 1 << 20 })
      t.equal(next.grant.slot, 1, 'the slot is free again')
      await next.detach()
      await worker.terminate()
      await tree.close()
    })
  }
}

t.test('after all of it no memory is missing', async (t) => {
  const tree = await open(t.testdir(), options)
  const start = heap.usedBytes
  for (let round = 0; round < 8; round++) {
    const worker = sharingWorker(tree.share())
    await once(worker, 'message')
    await told(worker, ['spin', 'hold', 'pin', 'enter'][round % 4] as string)
    await worker.terminate()
    await until(() => tree.metrics().sharing.attachedThreads === 0)
    // The share and its history stay until the tree closes.
    if (round === 0) continue
    t.ok(heap.usedBytes - start < 1024)
  }
  await tree.close()
})

t.test('threads that end at any moment of attaching and reading leave nothing', async (t) => {
  const tree = await open(t.testdir(), options)
  const handle = tree.share()
  await change(tree, '1')
  const start = heap.usedBytes
  const seed = runSeed()
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  for (let round = 0; round < 12; round++) {
    const worker = sharingWorker(handle)
    worker.on('error', ({ message }) => t.fail(message))
    // Turns of this thread while that one starts, asks, is granted, and spins.
    worker.postMessage('spin')
    for (let turns = random.below(3000); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (random.below(2) === 0) await change(tree, `${round}`)
    await worker.terminate()
    // What it had sent before it ended is heard before its end is.
    await until(() => tree.metrics().sharing.attachedThreads === 0)
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    await until(() => tree.metrics().sharing.attachedThreads === 0)
    t.match(tree.metrics().sharing, { pinnedSeqnos: 0, retiredVersions: 0, retiredBytes: 0 })
  }
  await change(tree, 'last')
  t.ok(Math.abs(heap.usedBytes - start) < 4096)
  await tree.close()
})

t.test('snapshots of threads count like the tree’s own', async (t) => {
  const tree = await open(t.testdir(), options)
  const reader = await HandReader.attach(tree.share())
  tree.insert('a', '1')
  const seqno = tree.visibleSeqno.get()
  const number = reader.pin(seqno)
  t.type(number, 'number')
  t.equal(tree.metrics().sharing.pinnedSeqnos, 1)
  tree.insert('a', '2')
  tree.insert('a', '3')
  await tree.flush()
  await tree.majorCompact()
  t.equal(tree.approximateLen(), 3, 'only what lies below the oldest snapshot goes')
  t.equal(tree.getString('a', { seqno }), '1')
  await tree.majorCompact({ gcWatermark: Number.MAX_SAFE_INTEGER - 1 })
  t.equal(tree.getString('a', { seqno }), '1', 'also where the caller promised that nobody reads')
  await tree.clear()
  t.equal(tree.getString('a', { seqno }), '1', 'and after clear')
  reader.words.unpin(number as number)
  tree.insert('b', '1')
  await tree.flush()
  await tree.majorCompact()
  t.equal(await codeOf(() => tree.get('a', { seqno })), 'VARVE_SEQNO_COLLECTED')
  t.equal(reader.pin(seqno), undefined, 'collected is collected')
  t.equal(tree.metrics().sharing.pinnedSeqnos, 0)
  await reader.detach()
  await tree.close()
})

t.test('a tree closes while threads are inside, and they keep what they see', async (t) => {
  const start = heap.usedBytes
  const tree = await open(t.testdir(), options)
  tree.insert('a', '1')
  const readers = [await HandReader.attach(tree.share()), await HandReader.attach(tree.share())]
  const [inside, holding] = readers as [HandReader, HandReader]
  inside.slot.enter()
  const state = inside.stateAt()
  holding.slot.enter()
  holding.words.hold(holding.stateAt())
  holding.slot.leave()
  const memtables = inside.shared.getU32(state + STATE_MEMTABLE_COUNT)
  await tree.close()
  for (const { share } of readers) {
    t.ok(share.isClosed)
    t.equal(share.history, 0)
  }
  t.equal(inside.shared.getU32(state + STATE_MEMTABLE_COUNT), memtables)
  t.ok(heap.usedBytes - start > MEMTABLE_BYTES)
  await until(() => readers.every(({ notices }) => notices.includes('closed')))
  t.equal((await inside.control.tell('metrics')).error?.code, 'VARVE_CLOSED')
  t.equal((await inside.control.drained()).error?.code, 'VARVE_CLOSED')
  inside.slot.leave()
  await inside.detach()
  t.ok(heap.usedBytes - start > MEMTABLE_BYTES, 'the other one holds it')
  await holding.end()
  await until(() => heap.usedBytes === start)
})

t.test('threads are told of what was retired, once a turn', async (t) => {
  const tree = await open(t.testdir(), options)
  const reader = await HandReader.attach(tree.share())
  await change(tree, '1')
  await until(() => reader.notices.includes('retired'))
  await reader.detach()
  await tree.close()
})
