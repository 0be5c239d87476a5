/** A reader in another thread answers every read method as the tree itself does, under every set of options. */
import t, { type Test } from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import {
  Cache,
  DescriptorTable,
  mergeOperators,
  open,
  type Tree,
} from '../../../../src/main/index.js'
import { OPTION_SETS, type OptionSet } from '../../../model/option-sets.js'
import { Random, runSeed } from '../../../support/random.js'
import { readEverything, readEverythingLater } from '../../../support/read-everything.js'
import { ReaderThread } from '../../../support/reader-threads.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
t.setTimeout(180_000)
const { heap } = processEnvironment()

function randomKey(): Buffer {
  const number = random.below(150)
  return Buffer.from(`${random.pick(['a', 'ab/', 'b', 'user/'])}${number}`.padEnd(9, '-'))
}

/** Writes of every kind, in tables of several levels and in memory. */
async function writeSome(tree: Tree, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const key = randomKey()
    const choice = random.below(20)
    if (choice < 11) tree.insert(key, Buffer.alloc(random.below(60), key))
    else if (choice < 14) tree.merge(key, random.bytes(8))
    else if (choice < 16) tree.remove(key)
    else if (choice < 17) tree.removeWeak(key)
    else if (choice < 18)
      tree.removeRange(key, Buffer.concat([key.subarray(0, 3), Buffer.of(0xff)]))
    else tree.insert(key, Buffer.alloc(random.below(2000), i))
    if (random.chance(0.02)) await tree.flush()
    if (random.chance(0.01)) await tree.compact()
  }
}

async function compare(t: Test, tree: Tree, thread: ReaderThread, name: string): Promise<void> {
  const keys = Array.from({ length: 25 }, randomKey)
  const seed = random.u32()
  const questions = { keys, seqno: Number.POSITIVE_INFINITY, seed }
  t.same(await thread.ask('everything', questions), readEverything(tree, questions), name)
  t.same(await thread.ask('later', questions), await readEverythingLater(tree, questions), name)
  const visible = { ...questions, seqno: tree.visibleSeqno.get() }
  t.same(
    await thread.ask('snapshot', questions),
    readEverything(tree, visible),
    `${name}, snapshot`,
  )
  const key = String(keys[0])
  t.equal(await thread.ask('trace', key), JSON.stringify(tree.trace(key)), `${name}, trace`)
}

/** Sets whose code is an object of the test's thread alone. */
const LOCAL = /a plain object|in an order of its own$|operator in reverse order/

function openSet(
  folder: string,
  { options, cacheBytes, cacheOptions, descriptors }: OptionSet,
): Promise<Tree> {
  return open(folder, {
    ...options,
    ...(cacheBytes === undefined
      ? {}
      : { cache: new Cache({ capacityBytes: cacheBytes, ...cacheOptions }) }),
    ...(descriptors === undefined ? {} : { descriptorTable: new DescriptorTable(descriptors) }),
    ...(options.mergeOperator === undefined ? { mergeOperator: mergeOperators.append } : {}),
    maintenance: 'manual',
  })
}

for (const set of OPTION_SETS) {
  t.test(set.name, async (t) => {
    const used = heap.usedBytes
    const tree = await openSet(t.testdir(), set)
    try {
      if (LOCAL.test(set.name)) {
        t.throws(() => tree.share(), { code: 'VARVE_UNSUPPORTED' })
        return
      }
      await writeSome(tree, 150)
      const thread = await ReaderThread.start(tree.share(), { memoryBytes: 2 << 20 })
      try {
        await compare(t, tree, thread, 'at first')
        await writeSome(tree, 100)
        await compare(t, tree, thread, 'after more writes')
        await tree.majorCompact()
        await compare(t, tree, thread, 'compacted')
        const from = tree.visibleSeqno.get()
        await writeSome(tree, 30)
        t.same(
          await thread.ask('changes', from),
          Array.from(tree.scanSinceSeqno(from, { partial: true }), (event) =>
            JSON.stringify(event),
          ),
          'changes',
        )
      } finally {
        await thread.ask('detach')
        await thread.terminate()
      }
    } finally {
      await tree.close()
    }
    if (set.cacheBytes === undefined) t.equal(heap.usedBytes, used, 'nothing is left in memory')
  })
}
