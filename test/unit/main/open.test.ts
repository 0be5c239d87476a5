/** Opening and closing: what is created, refused and left alone, by option. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import {
  Cache,
  DescriptorTable,
  type OpenOptions,
  open,
  VarveError,
} from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { codeOf, listing, tableFiles, textOf } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const

t.test('a tree is created where nothing is, with its parent folders', async (t) => {
  const folder = join(t.testdir(), 'a/b/db')
  const tree = await open(folder)
  t.equal(tree.path, folder)
  t.equal(tree.type, 'standard')
  t.ok(tree.isOpen)
  t.ok(tree.isEmpty())
  await tree.close()
  t.notOk(tree.isOpen)
  t.ok(existsSync(join(folder, 'current')))
})

t.test('an empty folder takes a tree', async (t) => {
  const tree = await open(t.testdir())
  tree.insert('a', '1')
  await tree.close()
})

t.test('a file URL names the folder, special characters included', async (t) => {
  const folder = join(t.testdir(), 'a b%20c')
  const tree = await open(pathToFileURL(folder))
  t.equal(tree.path, folder)
  await tree.close()
  t.ok(existsSync(join(folder, 'current')))
})

t.test('a path that is neither text nor URL is a TypeError', async (t) => {
  for (const path of [undefined, 1, null, {}, '']) {
    await t.rejects(open(path as never), TypeError, String(path))
    t.equal(await codeOf(() => open(path as never)), 'VARVE_INVALID_ARGUMENT')
  }
})

t.test('a URL of another scheme is refused', async (t) => {
  await t.rejects(open(new URL('https://example.org/db')), TypeError)
})

t.test('what was written is there after close and open', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder)
  tree.insert('a', '1')
  tree.insert('b', '2')
  tree.remove('a')
  await tree.close()
  const again = await open(folder)
  t.equal(textOf(again.range()), 'b=2')
  t.equal(again.highestSeqno(), 2)
  t.equal(again.seqno.get(), 3, 'seqnos go on behind the highest one')
  await again.close()
})

t.test('createIfMissing: false refuses a missing folder and an empty one', async (t) => {
  const folder = t.testdir()
  const missing = join(folder, 'db')
  t.equal(await codeOf(() => open(missing, { createIfMissing: false })), 'VARVE_NOT_FOUND')
  t.notOk(existsSync(missing), 'and does not create it')
  t.equal(await codeOf(() => open(folder, { createIfMissing: false })), 'VARVE_NOT_FOUND')
  await (await open(missing)).close()
  await (await open(missing, { createIfMissing: false })).close()
})

t.test('errorIfExists refuses a tree, not an empty folder', async (t) => {
  const folder = t.testdir()
  await (await open(folder, { errorIfExists: true })).close()
  const before = listing(folder)
  t.equal(await codeOf(() => open(folder, { errorIfExists: true })), 'VARVE_EXISTS')
  t.same(listing(folder), before, 'nothing was changed')
  await (await open(folder)).close()
})

t.test('readOnly reads, refuses every write and leaves no trace', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, manual)
  tree.insert('a', '1')
  await tree.close()
  writeFileSync(join(folder, 'tables/99'), 'an orphan')
  const before = listing(folder)
  const reader = await open(folder, { readOnly: true })
  t.equal(reader.getString('a'), '1')
  const { WriteBatch } = await import('../../../src/main/index.js')
  const writes: [string, () => unknown][] = [
    ['insert', () => reader.insert('a', '2')],
    ['remove', () => reader.remove('a')],
    ['apply', () => reader.apply(new WriteBatch().insert('a', '2'))],
    ['rotateMemtable', () => reader.rotateMemtable()],
    ['flush', () => reader.flush()],
    ['compact', () => reader.compact()],
    ['majorCompact', () => reader.majorCompact()],
    ['clear', () => reader.clear()],
  ]
  for (const [name, write] of writes) t.equal(await codeOf(write), 'VARVE_READ_ONLY', name)
  await reader.drained()
  await reader.idle()
  await reader.close()
  t.same(listing(folder), before)
})

t.test('readOnly never creates', async (t) => {
  const folder = t.testdir()
  t.equal(await codeOf(() => open(folder, { readOnly: true })), 'VARVE_NOT_FOUND')
  const missing = join(folder, 'db')
  t.equal(await codeOf(() => open(missing, { readOnly: true })), 'VARVE_NOT_FOUND')
  t.same(listing(folder), [])
})

t.test('orphans go when a tree is opened for writing', async (t) => {
  const folder = t.testdir()
  await (await open(folder, manual)).close()
  writeFileSync(join(folder, 'tables/7'), 'an orphan')
  await (await open(folder, manual)).close()
  t.same(tableFiles(folder), [])
})

t.test('table ids behind an orphan are not used again', async (t) => {
  const folder = t.testdir()
  await (await open(folder, manual)).close()
  writeFileSync(join(folder, 'tables/7'), 'an orphan')
  const tree = await open(folder, manual)
  tree.insert('a', '1')
  await tree.flush()
  t.ok((tableFiles(folder)[0] as number) > 7)
  await tree.close()
})

t.test('a tree is never created over the remains of another one', async (t) => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'tables'))
  writeFileSync(join(folder, 'tables/0'), 'data')
  t.not(await codeOf(() => open(folder)), undefined)
  t.ok(existsSync(join(folder, 'tables/0')))
})

t.test('memory: a private tree without files', async (t) => {
  const one = await open('memory-tree', { fs: 'memory' })
  one.insert('a', '1')
  await one.flush()
  t.equal(one.tableCount(), 1)
  const other = await open('memory-tree', { fs: 'memory' })
  t.ok(other.isEmpty(), 'the same name elsewhere is another tree')
  await Promise.all([one.close(), other.close()])
  t.notOk(existsSync('memory-tree'))
})

t.test('fs: a file system object, which outlives the tree', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { fs })
  tree.insert('a', '1')
  await tree.close()
  const again = await open('/db', { fs })
  t.equal(again.getString('a'), '1')
  await again.close()
})

t.test('wrong options are refused with a code, before anything is touched', async (t) => {
  const folder = join(t.testdir(), 'db')
  const types: Record<string, unknown>[] = [
    { fs: 'ftp' },
    { fs: {} },
    { compression: 'snappy' },
    { compression: { zstdDict: 'text' } },
    { compression: { zstdDict: new Uint8Array(0) } },
    { indexCompression: 1 },
    { manifestRecoveryMode: 'hope' },
    { filterFormat: 'v4' },
    { filter: 'all' },
    { runtime: { speed: 1 } },
    { maintenance: 'sometimes' },
    { syncMode: 'never' },
    { cache: {} },
    { descriptorTable: {} },
    { mergeOperator: {} },
    { mergeOperator: () => 1 },
    { strategy: {} },
    { pool: {} },
    { clock: 5 },
    { seqno: {} },
    { visibleSeqno: 1 },
    { readOnly: 'yes' },
    { createIfMissing: 1 },
    { errorIfExists: 'x' },
    { directoryLock: 0 },
    { expectPointReadHits: 1 },
    { manifestLogRotateBytes: 'x' },
    { compresion: 'lz4' },
  ]
  for (const options of types) {
    const name = JSON.stringify(options)
    await t.rejects(open(folder, options as OpenOptions), TypeError, name)
    t.equal(
      await codeOf(() => open(folder, options as OpenOptions)),
      'VARVE_INVALID_ARGUMENT',
      name,
    )
  }
  const ranges: OpenOptions[] = [
    { blockSize: 0 },
    { blockSize: 2 ** 23 },
    { blockSize: 1.5 },
    { blockSize: [] as never },
    { restartInterval: 0 },
    { restartInterval: 256 },
    { indexRestartInterval: [1, 0] },
    { hashRatio: -1 },
    { hashRatio: 9 },
    { hashRatio: Number.NaN },
    { filter: { bitsPerKey: -1 } },
    { filter: { bitsPerKey: 33 } },
    { filter: { falsePositiveRate: 0 } },
    { filter: { falsePositiveRate: 1 } },
    { compression: { zstd: 23 } },
    { compression: { zstd: -129 } },
    { manifestLogRotateBytes: -1 },
    { manifestLogRotateBytes: Number.NaN },
    { runtime: { memtableBytes: 1 } },
    { runtime: { maxSealedMemtables: 0 } },
    { runtime: { retainFrom: -1 } },
    { runtime: { compactionConcurrency: 1.5 } },
  ]
  for (const options of ranges) {
    const name = JSON.stringify(options)
    await t.rejects(open(folder, options), RangeError, name)
    t.equal(await codeOf(() => open(folder, options)), 'VARVE_INVALID_ARGUMENT', name)
  }
  await t.rejects(open(folder, null as never), TypeError, 'null')
  await t.rejects(open(folder, 'fast' as never), TypeError, 'text')
  t.notOk(existsSync(folder), 'nothing was created')
})

t.test('options that are not built yet are refused by name', async (t) => {
  const names = [
    'kvSeparation',
    'encryption',
    'ecc',
    'levelRoutes',
    'locator',
    'pinning',
    'partitioning',
    'logger',
  ]
  for (const name of names) {
    try {
      await open(join(t.testdir(), 'db'), { [name]: {} })
      t.fail(name)
    } catch (error) {
      t.ok(VarveError.is(error, 'VARVE_UNSUPPORTED'))
      t.match(error, { details: { option: name }, kind: 'invalid' })
    }
  }
})

t.test('a failed open leaves shared parts usable', async (t) => {
  const folder = t.testdir()
  await (await open(folder)).close()
  writeFileSync(join(folder, 'current'), 'nonsense')
  using cache = new Cache({ capacityBytes: 1 << 20 })
  const descriptorTable = new DescriptorTable(4)
  const options = { cache, descriptorTable }
  t.not(await codeOf(() => open(folder, options)), undefined)
  t.not(await codeOf(() => open(folder, options)), 'VARVE_LOCKED', 'the lock was let go')
  const other = await open(join(folder, 'other'), options)
  other.insert('a', '1')
  await other.flush()
  t.equal(other.getString('a'), '1')
  await other.close()
})
