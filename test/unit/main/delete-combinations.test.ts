/** Deletes of every kind on one key, in every split over buffers and tables, and deletes of what is being read. */

import t from 'tap'
import { major, open, type Tree } from '../../../src/main/index.js'
import { moveDown } from '../../../src/main/strategies/move-down.js'
import { textOf } from '../../support/trees.js'

const memory = { fs: 'memory', maintenance: 'manual' } as const
const KEEP = { gcWatermark: 0 }

type Step = 'insert' | 'remove' | 'range'

const ACTS: Readonly<Record<Step, (tree: Tree, i: number) => void>> = {
  insert: (tree, i) => tree.insert('k', String(i)),
  remove: (tree) => tree.remove('k'),
  range: (tree) => tree.removeRange('a', 'z'),
}

const SEQUENCES: readonly (readonly Step[])[] = [
  ['insert', 'range', 'insert', 'remove'],
  ['insert', 'remove', 'range', 'insert', 'range'],
  ['range', 'insert', 'range', 'remove'],
  ['insert', 'range', 'remove', 'insert'],
  ['insert', 'insert', 'range', 'range', 'remove', 'insert', 'range'],
]

/** What the key holds after each step. */
function expectedOf(steps: readonly Step[]): (string | undefined)[] {
  return [undefined, ...steps.map((step, i) => (step === 'insert' ? String(i) : undefined))]
}

/** What is done with the tables once all are there; each leaves every moment readable. */
const ENDINGS: Readonly<Record<string, (tree: Tree) => Promise<unknown>>> = {
  'as they are': async () => undefined,
  merged: (tree) => tree.compact(major(), KEEP),
  'moved, then merged': async (tree) => {
    await tree.compact(moveDown(0, 4), KEEP)
    tree.insert('other', 'value')
    await tree.flush(KEEP)
    await tree.majorCompact(KEEP)
  },
}

for (const steps of SEQUENCES) {
  t.test(`\`regression_rt_tombstone\`: ${steps.join(', ')}`, async (t) => {
    const expected = expectedOf(steps)
    let wrong = 0
    for (const [ending, end] of Object.entries(ENDINGS)) {
      for (let flushes = 0; flushes < 2 ** steps.length; flushes++) {
        const tree = await open('db', memory)
        for (const [i, step] of steps.entries()) {
          ACTS[step](tree, i)
          if ((flushes >> i) & 1) await tree.flush(KEEP)
        }
        await end(tree)
        const found = expected.map((_, seqno) => tree.getString('k', { seqno }))
        const scanned = expected.map((_, seqno) => textOf(tree.range({ lte: 'k', seqno })))
        const isRight =
          found.join() === expected.join() &&
          scanned.join() === expected.map((value) => (value ? `k=${value}` : '')).join()
        if (!isRight) {
          wrong++
          t.comment(`flushes ${flushes.toString(2)}, ${ending}: ${found.join()}`)
        }
        await tree.close()
      }
    }
    t.equal(wrong, 0)
  })
}

t.test(
  '`tree_delete_loop`: what a prefix or a range yields is deleted while it is read',
  async (t) => {
    for (const isFlushed of [false, true]) {
      for (const isReverse of [false, true]) {
        const tree = await open('db', { ...memory, blockSize: 128 })
        const fill = async (): Promise<void> => {
          for (let i = 0; i < 300; i++) {
            for (const kind of ['a', 'b', 'c']) tree.insert(`${kind}:${i}`, 'value')
          }
          if (isFlushed) await tree.flush()
        }
        await fill()
        for (const [key] of tree.prefix('b:', { reverse: isReverse })) tree.remove(key)
        t.equal(tree.len(), 600)
        t.notOk(tree.containsPrefix('b:'))
        t.equal(Array.from(tree.prefix('a:')).length, 300)
        await fill()
        let deleted = 0
        for (const [key] of tree.range({ gte: 'a:5', lt: 'c:5', reverse: isReverse })) {
          tree.remove(key)
          // Deletes reach the disk while the loop goes on.
          if (++deleted % 100 === 0) await tree.flush()
        }
        t.equal(tree.len(), 900 - deleted)
        t.ok(tree.range({ gte: 'a:5', lt: 'c:5' }).next().done)
        for (const [key] of tree.iter()) tree.remove(key)
        t.ok(tree.isEmpty())
        await tree.majorCompact()
        t.ok(tree.isEmpty())
        await tree.close()
      }
    }
  },
)
