/** What is published to other threads: for each seqno the state that the tree itself would read, and what is visible. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import {
  open,
  SequenceNumberCounter,
  type Snapshot,
  type Tree,
  VarveError,
} from '../../../../src/main/index.js'
import type { TreeCore } from '../../../../src/main/tree-core.js'
import { HistoryWords } from '../../../../src/shared/memory/history-words.js'
import { ShareWords } from '../../../../src/shared/memory/share-words.js'
import { Random, runSeed } from '../../../support/random.js'
import { HandReader } from '../../../support/sharing.js'
import { codeOf } from '../../../support/trees.js'
import { testWorkspace } from '../../../support/workspace.js'

function coreOf(tree: Tree): TreeCore {
  return (tree as unknown as { readonly core: TreeCore }).core
}

/** The state that the tree would read; 0 where it says that it was collected. */
function expected(core: TreeCore, seqno: number): number {
  try {
    return core.history.at(seqno).stateAddress
  } catch {
    return 0
  }
}

function check(t: Test, tree: Tree, reader: HandReader, when: string): void {
  const core = coreOf(tree)
  reader.slot.enter()
  const history = new HistoryWords(reader.shared, reader.share.history)
  const visible = tree.visibleSeqno.get()
  const wrong: number[] = []
  for (let seqno = 0; seqno <= visible + 2; seqno++) {
    const state = history.stateAt(seqno)
    if (state !== expected(core, seqno)) wrong.push(seqno)
    if (state === 0 && seqno >= core.latest.exactFrom) wrong.push(seqno)
  }
  const latest = history.latest
  reader.slot.leave()
  t.same(wrong, [], when)
  t.equal(reader.share.visible, visible, `${when}: visible`)
  t.match(latest, {
    stateAddress: core.latest.stateAddress,
    collectedBelow: core.latest.collectedBelow,
  })
}

t.test('any program: what is published is what the tree would choose', async (t) => {
  const seed = runSeed()
  t.comment(`seed ${seed}`)
  const random = new Random(seed)
  for (let program = 0; program < 6; program++) {
    const tree = await open(t.testdir({ [`tree${program}`]: {} }), { maintenance: 'manual' })
    const reader = await HandReader.attach(tree.share())
    const snapshots: Snapshot[] = []
    const pins: number[] = []
    const steps: Readonly<Record<string, () => unknown>> = {
      write: () => tree.insert(`key${random.below(20)}`, 'value'),
      more: () => {
        for (let i = 0; i < 5; i++) tree.merge(`key${random.below(20)}`, 'operand')
      },
      delete: () => tree.removeRange('key1', 'key15'),
      rotate: () => tree.rotateMemtable(),
      flush: () => tree.flush(random.below(2) === 0 ? {} : { gcWatermark: random.below(40) }),
      compact: () => tree.compact(),
      major: () =>
        tree.majorCompact(random.below(2) === 0 ? {} : { gcWatermark: random.below(60) }),
      clear: () => tree.clear(),
      drop: () => tree.dropRange({ gte: 'key1', lt: 'key9' }),
      ingest: async () => {
        const ingestion = tree.ingestion()
        ingestion.write('key3', 'ingested')
        const finished = ingestion.finish()
        if (random.below(2) === 0) tree.insert('key4', 'meanwhile')
        await finished
      },
      snapshot: () => snapshots.push(tree.snapshot()),
      pin: () => {
        const number = reader.pin(random.below(tree.visibleSeqno.get() + 1))
        if (number !== undefined) pins.push(number)
      },
      unpin: () => {
        snapshots.pop()?.[Symbol.dispose]()
        const number = pins.pop()
        if (number !== undefined) reader.words.unpin(number)
      },
      outside: () => {
        // A seqno of the caller's own, made visible later.
        const seqno = tree.seqno.next()
        tree.insert('key7', 'own', seqno)
        tree.visibleSeqno.fetchMax(seqno + 1)
      },
    }
    const names = Object.keys(steps)
    const done: string[] = []
    for (let step = 0; step < 60; step++) {
      const name = names[random.below(names.length)] as string
      done.push(name)
      await steps[name]?.()
      for (const { seqno } of snapshots) if (expected(coreOf(tree), seqno) === 0) t.fail('lost')
      for (const seqno of reader.words.pinned()) {
        if (expected(coreOf(tree), seqno) === 0) t.fail(`a pin was lost: ${done.join(' ')}`)
      }
      check(t, tree, reader, `program ${program}: ${done.slice(-8).join(' ')}`)
    }
    for (const snapshot of snapshots) snapshot[Symbol.dispose]()
    await reader.detach()
    await tree.close()
  }
})

t.test('a share for which there is no memory closes, and the tree goes on', async (t) => {
  const tree = await open(t.testdir(), { maintenance: 'manual' })
  const reader = await HandReader.attach(tree.share())
  tree.insert('a', '1')
  const { heap } = coreOf(tree).workspace
  const allocate = heap.allocate
  t.teardown(() => Object.assign(heap, { allocate }))
  // A rotation takes memory for the memtable, the state that names it, and the history that names that.
  let count = 0
  heap.allocate = (bytes, from) => {
    if (++count === 3) throw new VarveError('VARVE_OUT_OF_MEMORY', 'no memory')
    return allocate.call(heap, bytes, from)
  }
  t.ok(tree.rotateMemtable())
  t.ok(reader.share.isClosed)
  t.equal(reader.share.history, 0)
  t.equal(tree.getString('a'), '1')
  t.equal(await codeOf(() => HandReader.attach(tree.share())), 'VARVE_CLOSED')
  await reader.detach()
  await tree.close()
})

t.test('several trees may share the counter that says what is visible', async (t) => {
  const visibleSeqno = new SequenceNumberCounter(2 ** 32 - 2)
  const folder = t.testdir({ a: {}, b: {} })
  const trees = [
    await open(`${folder}/a`, { visibleSeqno }),
    await open(`${folder}/b`, { visibleSeqno }),
  ]
  const readers = await Promise.all(trees.map((tree) => HandReader.attach(tree.share())))
  for (let i = 0; i < 5; i++) {
    const value = visibleSeqno.next() + 1
    for (const { share } of readers) t.equal(share.visible, value)
  }
  visibleSeqno.set(7)
  for (const { share } of readers) t.equal(share.visible, 7, 'also backwards')
  await trees[0]?.close()
  visibleSeqno.fetchMax(2 ** 40)
  t.same(
    readers.map(({ share }) => share.visible),
    [7, 2 ** 40],
    'a closed tree is told nothing',
  )
  for (const reader of readers) await reader.detach()
  await trees[1]?.close()
})

t.test('the visible seqno is whole across 2^32, at full speed', async (t) => {
  const { shared } = testWorkspace(1)
  const words = new ShareWords(shared, 65_536 * 4)
  words.clear()
  const stop = words.address + 512
  const progress = stop + 64
  shared.setU32(stop, 0)
  shared.setU32(progress, 0)
  const code = `
    import { workerData, parentPort } from 'node:worker_threads'
    const { SharedMemory } = await import(workerData.sharedMemory)
    const { ShareWords } = await import(workerData.shareWords)
    const shared = new SharedMemory(workerData.memory)
    const words = new ShareWords(shared, workerData.address)
    let last = 0
    let wrong = 0
    let seen = 0
    parentPort.postMessage('ready')
    while (!shared.isSet(workerData.stop)) {
      const value = words.visible
      const high = Math.floor(value / 2 ** 32)
      const low = value % 2 ** 32
      if (value !== 0 && (low < high * 1000 || low > high * 1000 + 2)) wrong++
      if (value < last) wrong++
      if (value > last) Atomics.store(shared.i32, workerData.progress >>> 2, ++seen)
      last = value
    }
    parentPort.postMessage({ wrong, seen })
  `
  const from = (path: string): string => new URL(path, import.meta.url).href
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), {
    workerData: {
      memory: shared.memory,
      address: words.address,
      stop,
      progress,
      sharedMemory: from('../../../../src/shared/memory/shared-memory.js'),
      shareWords: from('../../../../src/shared/memory/share-words.js'),
    },
  })
  await once(worker, 'message')
  for (let block = 0; block < 50; block++) {
    const before = shared.loadU32(progress)
    for (let high = block * 10_000 + 1; high <= (block + 1) * 10_000; high++) {
      for (let i = 0; i < 3; i++) words.setVisible(high * 2 ** 32 + high * 1000 + i)
    }
    // Until it has had a look: nothing says that it runs at the same time.
    while (shared.loadU32(progress) === before) Atomics.wait(shared.i32, progress >>> 2, before, 1)
  }
  shared.raise(stop)
  const [{ wrong, seen }] = (await once(worker, 'message')) as [{ wrong: number; seen: number }]
  t.equal(wrong, 0)
  t.ok(seen >= 50, 'it has looked meanwhile')
  await worker.terminate()
})
