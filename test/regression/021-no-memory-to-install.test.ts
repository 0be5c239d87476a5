// The memory for a new super version was taken behind the commit to the manifest. Where there was none, the tables of a
// flush were removed as if nobody named them, and the tree did not open any more.
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { open } from '../../src/main/index.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

const { heap } = processEnvironment()

/** Takes all that the shared memory has. */
function takeAll(): number[] {
  const pieces: number[] = []
  for (let bytes = 1 << 30; bytes >= 64; ) {
    try {
      pieces.push(heap.allocate(bytes))
    } catch (error) {
      if (!VarveError.is(error, 'VARVE_OUT_OF_MEMORY')) throw error
      bytes >>= 1
    }
  }
  return pieces
}

t.test('an installation that has no memory changes nothing, on the disk either', async (t) => {
  const used = heap.usedBytes
  const fs = new MemoryFileSystem()
  const taken: number[] = []
  let isFull = true
  const beforeFlush = async (): Promise<void> => {
    if (isFull) taken.push(...takeAll())
  }
  const tree = await open('/db', { fs, maintenance: 'manual', beforeFlush })
  tree.insert('a', '1')
  await t.rejects(tree.flush(), { code: 'VARVE_OUT_OF_MEMORY' })
  taken.push(...takeAll())
  await t.rejects(tree.clear(), { code: 'VARVE_OUT_OF_MEMORY' })
  for (const piece of taken) heap.free(piece)
  t.equal(String(tree.get('a')), '1')
  t.same(fs.list('/db/tables'), [], 'what nobody names is gone')
  isFull = false
  await tree.flush()
  await tree.close()
  const again = await open('/db', { fs })
  t.equal(String(again.get('a')), '1')
  await again.close()
  t.equal(heap.usedBytes, used)
})
