/**
 * Reads of the operating system's files: through the addon and by Node's own call alike, and by files that a table of
 * descriptors opens and closes on the way.
 */
import * as fs from 'node:fs'
import t from 'tap'
import { addonRead } from '../../../../src/shared/fs/addon-read.js'
import { DescriptorTable } from '../../../../src/shared/fs/descriptor-table.js'
import { plainRead, StdFileSystem } from '../../../../src/shared/fs/std-file-system.js'
import { Random, runSeed } from '../../../support/random.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const BYTES = 10_000

for (const [name, read] of [
  ['addon', addonRead()],
  ['plain', plainRead],
] as const) {
  t.test(name, { skip: read === undefined ? 'not built here' : false }, async (t) => {
    if (read === undefined) return
    const path = `${t.testdir({})}/file`
    const content = random.bytes(BYTES)
    fs.writeFileSync(path, content)
    const descriptor = fs.openSync(path, 'r')
    const shared = new Uint8Array(new SharedArrayBuffer(2 * BYTES))
    let wrong = 0
    for (let round = 0; round < 300; round++) {
      const [at, length, offset] = [
        random.below(BYTES),
        random.below(BYTES),
        random.below(BYTES + 100),
      ]
      shared.fill(7)
      const count = read(descriptor, shared, at, length, offset)
      const expected = content.subarray(offset, offset + length)
      if (count !== expected.length) wrong++
      if (Buffer.compare(shared.slice(at, at + count), expected) !== 0) wrong++
      if (shared[at - 1] === 7 || at === 0) if (shared[at + count] === 7) continue
      wrong++
    }
    t.equal(wrong, 0)
    t.equal(read(descriptor, shared, 0, 0, 0), 0)
    t.throws(() => read(descriptor, shared, BYTES, BYTES + 1, 0), 'outside the bytes')
    fs.closeSync(descriptor)
    t.throws(() => read(descriptor, shared, 0, 1, 0), { code: 'EBADF' })
    const folder = fs.openSync(t.testdir({}), 'r')
    t.throws(() => read(folder, shared, 0, 1, 0), { code: 'EISDIR' })
    fs.closeSync(folder)
  })
}

t.test('a table of descriptors closes the file that was read longest ago', async (t) => {
  const folder = t.testdir({ a: 'a', b: 'b', c: 'c' })
  const table = new DescriptorTable(2)
  const system = new StdFileSystem()
  const [a, b, c] = ['a', 'b', 'c'].map((name) => table.file(system, `${folder}/${name}`))
  const memory = new Uint8Array(4)
  const textOf = (file: typeof a): string => {
    const count = file?.readInto?.(memory, 1, 3, 0) ?? 0
    return Buffer.from(memory.subarray(1, 1 + count)).toString()
  }
  t.equal([a, a, b, a, c].map(textOf).join(''), 'aabac')
  t.same([table.hits, table.misses, table.size], [2, 3, 2])
  // b went, not a.
  t.equal(textOf(a), 'a')
  t.same([table.hits, table.misses], [3, 3])
  a?.close()
  t.equal(table.size, 1)
  t.equal(textOf(a), 'a', 'opened anew')
  t.same([table.hits, table.misses, table.size], [3, 4, 2])
  table.close()
  t.equal(table.size, 0)
  t.equal(textOf(a), 'a')
  table.close()
})
