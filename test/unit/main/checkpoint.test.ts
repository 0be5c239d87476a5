/** Checkpoints: a folder that opens as a tree of its own, whatever happens to its source meanwhile and afterwards. */
import { mkdirSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type OpenOptions, open, type Tree } from '../../../src/main/index.js'
import { FaultFileSystem, failNth } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { StdFileSystem } from '../../../src/shared/fs/std-file-system.js'
import { CountingFileSystem } from '../../support/counting-file-system.js'
import { decodeTree } from '../../support/decoder/index.js'
import { codeOf, visibleLines } from '../../support/trees.js'

const manual = { maintenance: 'manual', blockSize: 256 } as const

/** Three tables, one of them in the last level, and something in memory. */
async function fill(tree: Tree): Promise<void> {
  for (let i = 0; i < 300; i++) tree.insert(`key${String(i).padStart(4, '0')}`, `value ${i}`)
  await tree.flush()
  await tree.majorCompact()
  for (let i = 0; i < 300; i += 3) tree.remove(`key${String(i).padStart(4, '0')}`)
  await tree.flush({ gcWatermark: 0 })
  for (let i = 0; i < 300; i += 5) tree.insert(`key${String(i).padStart(4, '0')}`, 'newer')
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(path, bytes)
}

async function openedLines(path: string, options: OpenOptions = {}): Promise<string[]> {
  await using copy = await open(path, { ...manual, ...options })
  return visibleLines(copy)
}

t.test(
  '`checkpoint_pitr`: it holds everything written before it, and the crate could open it',
  async (t) => {
    const folder = t.testdir()
    await using tree = await open(join(folder, 'db'), manual)
    await fill(tree)
    const visible = tree.visibleSeqno.get()
    const wanted = visibleLines(tree)
    const info = await tree.createCheckpoint(join(folder, 'copy'))
    t.equal(info.seqno, visible)
    t.equal(info.sstFiles, tree.tableCount())
    t.equal(info.blobFiles, 0)
    t.equal(info.totalBytes, tree.diskSpace())
    t.same(readdirSync(info.path).sort(), ['current', 'tables', `v${info.versionId}`])
    const decoded = decodeTree(info.path)
    t.equal(decoded.version.levels.flat(2).length, info.sstFiles, 'by the independent decoder')
    t.same(await openedLines(info.path), wanted)
  },
)

t.test(
  '`checkpoint_pitr`: both trees go their own ways, and share no file that is ever truncated',
  async (t) => {
    const folder = t.testdir()
    const tree = await open(join(folder, 'db'), manual)
    await fill(tree)
    const wanted = visibleLines(tree)
    await tree.createCheckpoint(join(folder, 'copy'))
    await using copy = await open(join(folder, 'copy'), manual)
    await tree.clear()
    tree.insert('only', 'here')
    await tree.flush()
    t.same(visibleLines(copy), wanted, 'clearing the source changes nothing')
    copy.insert('only', 'there')
    await copy.flush()
    await copy.majorCompact()
    t.equal(tree.getString('only'), 'here')
    await tree.close()
    t.equal(copy.len(), wanted.length + 1)
  },
)

t.test('`checkpoint_pitr`: versions of the past stay readable in it', async (t) => {
  const folder = t.testdir()
  const options = { ...manual, runtime: { retainFrom: 0 } }
  await using tree = await open(join(folder, 'db'), options)
  tree.insert('a', '1')
  const before = tree.visibleSeqno.get()
  tree.insert('a', '2')
  await tree.createCheckpoint(join(folder, 'copy'))
  await using copy = await open(join(folder, 'copy'), options)
  t.equal(copy.getString('a', { seqno: before }), '1')
  t.equal(copy.getString('a'), '2')
})

t.test('`checkpoint_pitr`: files that a compaction drops stay until it is complete', async (t) => {
  const memory = new MemoryFileSystem()
  let tree: Tree | undefined
  let compaction: Promise<unknown> | undefined
  const seen: number[] = []
  // At the first link a major compaction starts; the checkpoint goes on turn by turn, by copying.
  const fs = new FaultFileSystem(memory, ({ operation, path }) => {
    if (operation === 'create' && path.startsWith('/copy/tables')) {
      compaction ??= tree?.majorCompact()
      seen.push(memory.list('/db/tables').length)
    }
    return operation === 'link' ? { errno: 'EXDEV' } : undefined
  })
  tree = await open('/db', { ...manual, fs })
  await fill(tree)
  const wanted = visibleLines(tree)
  const info = await tree.createCheckpoint('/copy')
  await compaction
  t.ok(
    seen.every((count) => count >= info.sstFiles),
    'nothing went while it was made',
  )
  t.equal(memory.list('/db/tables').length, 1, 'and all of it afterwards')
  t.same(await openedLines('/copy', { fs: memory }), wanted)
  await tree.close()
})

t.test('links, reflinks and copies hold the same bytes', async (t) => {
  const folder = t.testdir()
  const ways: Readonly<Record<string, OpenOptions>> = {
    linked: { runtime: { useReflinkForCheckpoint: false } },
    cloned: {},
    copied: { fs: new CountingFileSystem(new StdFileSystem()) },
  }
  for (const [name, options] of Object.entries(ways)) {
    await using tree = await open(join(folder, `${name}-db`), { ...manual, ...options })
    await fill(tree)
    const wanted = visibleLines(tree)
    await tree.createCheckpoint(join(folder, name))
    if (name === 'linked') {
      const [table] = readdirSync(join(folder, name, 'tables'))
      t.equal(statSync(join(folder, name, 'tables', String(table))).nlink, 2)
    }
    t.same(await openedLines(join(folder, name)), wanted, name)
  }
})

t.test('`checkpoint_pitr`: what is in the way is refused and stays as it was', async (t) => {
  const folder = t.testdir({ there: { file: 'mine' } })
  await using tree = await open(join(folder, 'db'), manual)
  t.equal(await codeOf(() => tree.createCheckpoint(join(folder, 'there'))), 'VARVE_EXISTS')
  t.same(readdirSync(join(folder, 'there')), ['file'])
  t.equal(await codeOf(() => tree.createCheckpoint(join(folder, 'no/where'))), 'VARVE_NOT_FOUND')
  t.equal(await codeOf(() => tree.createCheckpoint('')), 'VARVE_INVALID_ARGUMENT')
  t.equal(
    await codeOf(() => tree.createCheckpoint(3 as unknown as string)),
    'VARVE_INVALID_ARGUMENT',
  )
})

t.test('two at once, one of an empty tree, and relative paths', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...manual, fs })
  const empty = await tree.createCheckpoint('/empty')
  t.equal(empty.sstFiles, 0)
  t.same(await openedLines('/empty', { fs }), [])
  tree.insert('a', '1')
  const both = await Promise.all([tree.createCheckpoint('/one'), tree.createCheckpoint('/./two')])
  t.same(
    both.map(({ path }) => path),
    ['/one', '/two'],
  )
  for (const { path } of both) t.same(await openedLines(path, { fs }), visibleLines(tree))
  await tree.close()
})

t.test(
  '`checkpoint_pitr`: a checkpoint without `current`, or with a damaged one, refuses to open',
  async (t) => {
    const folder = t.testdir()
    await using tree = await open(join(folder, 'db'), manual)
    await fill(tree)
    for (const name of ['missing', 'damaged']) {
      const { path } = await tree.createCheckpoint(join(folder, name))
      if (name === 'missing') unlinkSync(join(path, 'current'))
      else flipByte(join(path, 'current'), 10)
      const code = await codeOf(() => open(path, manual))
      t.match(
        code,
        /^VARVE_(IO|UNRECOVERABLE|CHECKSUM_MISMATCH|INVALID_HEADER|MANIFEST_INVALID)$/,
        name,
      )
    }
  },
)

t.test(
  '`checkpoint_pitr`: a failure at any step leaves nothing behind, and the source as it was',
  async (t) => {
    const memory = new MemoryFileSystem()
    const prepared = await open('/db', { ...manual, fs: memory })
    await fill(prepared)
    await prepared.close()
    for (let n = 1; ; n++) {
      const disk = memory.crashClone({ keepUnsynced: 1, random: () => 0 })
      const fs = new FaultFileSystem(disk)
      const tree = await open('/db', { ...manual, fs })
      const wanted = visibleLines(tree)
      const base = fs.callCount
      fs.setRule(failNth(base + n))
      const code = await codeOf(() => tree.createCheckpoint('/copy'))
      const isOver = fs.callCount < base + n
      fs.setRule()
      if (code === undefined) t.same(await openedLines('/copy', { fs: disk }), wanted)
      else t.notOk(disk.exists('/copy'), `call ${n}: ${code}`)
      t.same(visibleLines(tree), wanted)
      await tree.close()
      if (isOver) break
    }
  },
)

t.test('cut off before any call, it opens whole or not at all', async (t) => {
  const memory = new MemoryFileSystem()
  const disks: MemoryFileSystem[] = []
  const fs = new FaultFileSystem(memory, () => {
    for (const keepUnsynced of [0, 1])
      disks.push(memory.crashClone({ keepUnsynced, random: () => 0.5 }))
    return undefined
  })
  const tree = await open('/db', { ...manual, fs })
  await fill(tree)
  await tree.flush()
  disks.length = 0
  const wanted = visibleLines(tree)
  await tree.createCheckpoint('/copy')
  disks.push(memory.crashClone({ keepUnsynced: 0, random: () => 0.5 }))
  await tree.close()
  let whole = 0
  for (const disk of disks) {
    t.same(await openedLines('/db', { fs: disk }), wanted, 'the source')
    if (!disk.exists('/copy')) continue
    try {
      const lines = await openedLines('/copy', { fs: disk, createIfMissing: false })
      t.same(lines, wanted)
      whole++
    } catch (error) {
      t.match((error as { code: string }).code, /^VARVE_/)
    }
  }
  t.ok(whole > 0 && disks.length > whole)
})

t.test('closing waits for it', async (t) => {
  const folder = t.testdir()
  mkdirSync(join(folder, 'x'))
  const tree = await open(join(folder, 'db'), {
    ...manual,
    fs: new CountingFileSystem(new StdFileSystem()),
  })
  await fill(tree)
  const code = codeOf(() => tree.createCheckpoint(join(folder, 'copy')))
  await tree.close()
  const outcome = await code
  if (outcome === undefined) t.equal((await openedLines(join(folder, 'copy'))).length > 0, true)
  else t.equal(outcome, 'VARVE_CLOSED')
})
