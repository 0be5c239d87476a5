/** Sharing a tree and attaching to it: what is granted, what is refused, and that all of it comes back. */
import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import {
  type OpenOptions,
  open,
  SequenceNumberCounter,
  type Tree,
} from '../../../../src/main/index.js'
import { MEMTABLE_REUSES_NODES } from '../../../../src/shared/kernel/layout.js'
import { HandReader } from '../../../support/sharing.js'
import { codeOf } from '../../../support/trees.js'

const manual = { maintenance: 'manual', cache: undefined } as const

function used(): number {
  return processEnvironment().heap.usedBytes
}

t.test(
  'a handle is plain data, the same each time, and attaches any number of threads',
  async (t) => {
    const tree = await open(t.testdir())
    const handle = tree.share()
    t.equal(tree.share(), handle)
    t.same(Object.keys(structuredClone(handle)).sort(), ['memory', 'root', 'shareId', 'threadId'])
    const before = used()
    const readers: HandReader[] = []
    for (let i = 0; i < 5; i++) {
      readers.push(await HandReader.attach(structuredClone(handle), { memoryBytes: 1 << 20 }))
    }
    t.equal(tree.metrics().sharing.attachedThreads, 5)
    t.equal(new Set(readers.map(({ grant }) => grant.slot)).size, 5)
    for (const reader of readers) await reader.detach()
    t.equal(tree.metrics().sharing.attachedThreads, 0)
    t.equal(used(), before)
    await tree.close()
  },
)

t.test('a memtable keeps the nodes that readers may be in, from the first reader on', async (t) => {
  const tree = await open(t.testdir(), manual)
  const reuses = (): number | undefined => {
    const { latest, shared } = tree['core']
    if (latest.active === undefined) return undefined
    return shared.getU32(latest.active.address + MEMTABLE_REUSES_NODES)
  }
  const handle = tree.share()
  tree.insert('a', '0')
  t.equal(reuses(), 1, 'nobody is attached')
  const reader = await HandReader.attach(handle, { memoryBytes: 1 << 20 })
  t.equal(reuses(), 0, 'a reader is')
  tree.rotateMemtable()
  t.equal(reuses(), 0, 'in the next one, too')
  tree.insert('b', '1')
  await reader.detach()
  t.equal(reuses(), 0, 'what was kept once is kept')
  tree.rotateMemtable()
  t.equal(reuses(), 1, 'nobody is attached any more')
  await tree.close()
})

t.test('63 threads at most, and what is wrong is said', async (t) => {
  const tree = await open(t.testdir())
  const handle = tree.share()
  const readers: HandReader[] = []
  for (let i = 0; i < 63; i++) {
    readers.push(await HandReader.attach(handle, { memoryBytes: 1 << 20 }))
  }
  const before = used()
  t.equal(await codeOf(() => HandReader.attach(handle)), 'VARVE_UNSUPPORTED')
  t.equal(used(), before, 'nothing is kept of a thread that was refused')
  await readers.pop()?.detach()
  readers.push(await HandReader.attach(handle, { memoryBytes: 1 << 20 }))
  for (const reader of readers) await reader.end()
  for (const memoryBytes of [0, 1.5, 2 ** 29]) {
    t.equal(
      await codeOf(() => HandReader.attach(handle, { memoryBytes })),
      'VARVE_INVALID_ARGUMENT',
    )
  }
  await tree.close()
})

t.test('a closed tree is not shared, nor attached to', async (t) => {
  const tree = await open(t.testdir())
  const handle = tree.share()
  const closing = tree.close()
  t.equal(await codeOf(() => tree.share()), 'VARVE_CLOSED')
  t.equal(await codeOf(() => HandReader.attach(handle)), 'VARVE_CLOSED')
  await closing
  t.equal(await codeOf(() => HandReader.attach(handle)), 'VARVE_CLOSED')
})

t.test('trees that other threads could not read are refused, and told what to do', async (t) => {
  const both = new SequenceNumberCounter()
  class OwnCounter extends SequenceNumberCounter {}
  const compare = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b)
  const refused: [OpenOptions, RegExp][] = [
    [{ fs: 'memory' }, /fs: 'std'/],
    [{ comparator: { name: 'own', compare } }, /comparator .*reference/],
    [{ mergeOperator: { merge: () => Buffer.alloc(0) } }, /mergeOperator .*reference/],
    [{ prefixExtractor: { name: 'own', prefixes: () => [] } }, /prefixExtractor .*reference/],
    [{ visibleSeqno: new OwnCounter() }, /SequenceNumberCounter/],
    [{ seqno: both, visibleSeqno: both }, /two SequenceNumberCounters/],
  ]
  for (const [options, message] of refused) {
    const tree = await open(options.fs === 'memory' ? 'db' : t.testdir(), {
      ...manual,
      ...options,
    } as OpenOptions)
    t.throws(() => tree.share(), { code: 'VARVE_UNSUPPORTED', message })
    await tree.close()
  }
  const shared: OpenOptions[] = [
    { visibleSeqno: new SequenceNumberCounter(5) },
    { compactionFilter: { create: () => ({ filter: () => 'keep' }) } } as unknown as OpenOptions,
  ]
  for (const options of shared) {
    const tree: Tree = await open(t.testdir(), options)
    t.ok(tree.share())
    await tree.close()
  }
})
