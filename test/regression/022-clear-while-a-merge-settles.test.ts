/**
 * A merge looked whether its inputs were cleared meanwhile, and installed a moment later, when its promise was settled. A
 * `clear` in between came to nothing: what was merged was back.
 */
import t from 'tap'
import { open } from '../../src/main/index.js'

t.test('what was cleared while a merge settles stays cleared', async (t) => {
  await using tree = await open('db', { fs: 'memory', maintenance: 'manual' })
  for (const value of ['1', '2']) {
    tree.insert('key', value)
    await tree.flush()
  }
  const { core } = tree as any
  let isCleared = false
  for (const { table } of core.latest.version.tables()) {
    const release = table.release.bind(table)
    // The merge lets go of its inputs when it has looked.
    table.release = () => {
      release()
      if (isCleared) return
      isCleared = true
      queueMicrotask(() => tree.clear())
    }
  }
  await tree.majorCompact()
  t.ok(isCleared)
  t.equal(tree.getString('key'), undefined)
})
