// What every file system must do alike: the contract of `file-system.ts`, over the system's files
// and over memory.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import t from 'tap'
import { VarveError } from '../../src/shared/base/errors.js'
import { FaultFileSystem } from '../../src/shared/fs/fault-file-system.js'
import { type FileSystem, isMissing, parentPath } from '../../src/shared/fs/file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { StdFileSystem } from '../../src/shared/fs/std-file-system.js'

const bytes = (text: string) => Buffer.from(text)

function put(fs: FileSystem, path: string, text: string): void {
  const file = fs.create(path)
  file.write(bytes(text))
  file.sync('normal')
  file.close()
}

function content(fs: FileSystem, path: string): string {
  const file = fs.openRead(path)
  const target = new Uint8Array(file.size())
  file.read(target, 0)
  file.close()
  return Buffer.from(target).toString()
}

function thrown(run: () => unknown): VarveError {
  try {
    run()
  } catch (error) {
    if (VarveError.is(error)) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const factories: [string, () => { fs: FileSystem; root: string }][] = [
  ['std', () => ({ fs: new StdFileSystem(), root: mkdtempSync(`${tmpdir()}/varve-`) })],
  ['memory', () => rooted(new MemoryFileSystem())],
  ['fault, passing', () => rooted(new FaultFileSystem(new MemoryFileSystem()))],
]

function rooted(fs: FileSystem): { fs: FileSystem; root: string } {
  fs.makeDirectory('/db')
  return { fs, root: '/db' }
}

for (const [name, open] of factories) {
  t.test(name, async (t) => {
    t.test('writes, reads and knows lengths', async (t) => {
      const { fs, root } = open()
      const file = fs.create(`${root}/a`)
      file.write(bytes('hello '))
      file.write(bytes('world'))
      file.writeAt(bytes('J'), 0)
      file.sync('full')
      file.close()
      file.close()
      const reader = fs.openRead(`${root}/a`)
      t.equal(reader.size(), 11)
      t.equal(reader.path, `${root}/a`)
      const target = new Uint8Array(8)
      t.equal(reader.read(target, 6), 5, 'short only at the end')
      t.equal(Buffer.from(target.subarray(0, 5)).toString(), 'world')
      t.equal(reader.read(target, 11), 0)
      t.equal(reader.read(target, 4000), 0)
      const shared = new Uint8Array(new SharedArrayBuffer(5))
      t.equal(reader.read(shared, 0), 5, 'straight into shared memory')
      t.equal(Buffer.from(shared).toString(), 'Jello')
      reader.close()
      t.equal(thrown(() => reader.size()).code, 'VARVE_CLOSED')
      t.equal(thrown(() => file.write(bytes('x'))).code, 'VARVE_CLOSED')
    })

    t.test('makes folders exclusively, and removes empty ones', async (t) => {
      const { fs, root } = open()
      fs.createDirectory(`${root}/new`)
      t.equal(thrown(() => fs.createDirectory(`${root}/new`)).details['errno'], 'EEXIST')
      t.equal(thrown(() => fs.createDirectory(`${root}/no/where`)).details['errno'], 'ENOENT')
      put(fs, `${root}/new/file`, 'x')
      t.equal(thrown(() => fs.removeDirectory(`${root}/new`)).details['errno'], 'ENOTEMPTY')
      fs.remove(`${root}/new/file`)
      fs.removeDirectory(`${root}/new`)
      fs.removeDirectory(`${root}/new`)
      t.notOk(fs.exists(`${root}/new`))
      put(fs, `${root}/plain`, 'x')
      t.equal(thrown(() => fs.removeDirectory(`${root}/plain`)).details['errno'], 'ENOTDIR')
    })

    t.test('a second name outlives the first one', async (t) => {
      const { fs, root } = open()
      put(fs, `${root}/a`, 'shared')
      fs.link?.(`${root}/a`, `${root}/b`)
      t.equal(thrown(() => fs.link?.(`${root}/a`, `${root}/b`)).details['errno'], 'EEXIST')
      t.equal(thrown(() => fs.link?.(`${root}/none`, `${root}/c`)).details['errno'], 'ENOENT')
      fs.remove(`${root}/a`)
      t.equal(content(fs, `${root}/b`), 'shared')
    })

    t.test('copies off the thread, onto nothing that is there', async (t) => {
      const { fs, root } = open()
      if (fs.copyLater === undefined) return
      put(fs, `${root}/a`, 'twice')
      await fs.copyLater(`${root}/a`, `${root}/b`, 'normal')
      t.equal(content(fs, `${root}/b`), 'twice')
      await t.rejects(fs.copyLater(`${root}/a`, `${root}/b`, 'normal'), { code: 'VARVE_IO' })
      await t.rejects(fs.copyLater(`${root}/none`, `${root}/c`, 'normal'), { code: 'VARVE_IO' })
    })

    t.test('writes and syncs off the thread, in the order of the calls', async (t) => {
      const { fs, root } = open()
      const file = fs.create(`${root}/a`)
      if (file.writeLater === undefined || file.syncLater === undefined) return
      const first = file.writeLater(new Uint8Array(100_000).fill(65))
      file.write(bytes('in between'))
      const second = file.writeLater(bytes('last'))
      await Promise.all([first, second])
      await file.syncLater('normal')
      await fs.syncDirectoryLater?.(root)
      const left = file.writeLater(bytes(', and closed meanwhile'))
      file.close()
      await left
      t.equal(
        content(fs, `${root}/a`),
        `${'A'.repeat(100_000)}in betweenlast, and closed meanwhile`,
      )
      await t.rejects(file.writeLater(bytes('x')), { code: 'VARVE_CLOSED' })
      await t.rejects(file.syncLater('normal'), { code: 'VARVE_CLOSED' })
      const missing = fs.syncDirectoryLater?.(`${root}/none`)
      if (missing !== undefined) await t.rejects(missing, { code: 'VARVE_IO' })
    })

    t.test('creates exclusively', async (t) => {
      const { fs, root } = open()
      put(fs, `${root}/a`, 'one')
      const error = thrown(() => fs.create(`${root}/a`))
      t.equal(error.code, 'VARVE_IO')
      t.equal(error.details['errno'], 'EEXIST')
      t.equal(error.details['file'], `${root}/a`)
      t.equal(content(fs, `${root}/a`), 'one')
    })

    t.test('appends behind what is there, and overwrites where asked', async (t) => {
      const { fs, root } = open()
      for (const piece of ['ab', 'cd']) {
        const file = fs.openAppend(`${root}/log`)
        file.write(bytes(piece))
        file.close()
      }
      const file = fs.openAppend(`${root}/log`)
      file.write(bytes('ef'))
      file.writeAt(bytes('X'), 1)
      file.write(bytes('g'))
      file.close()
      t.equal(content(fs, `${root}/log`), 'aXcdefg')
    })

    t.test('tells missing from everything else', async (t) => {
      const { fs, root } = open()
      for (const run of [
        () => fs.openRead(`${root}/none`),
        () => fs.list(`${root}/none`),
        () => fs.rename(`${root}/none`, `${root}/other`),
        () => fs.truncate(`${root}/none`, 0),
        () => fs.create(`${root}/none/a`),
        () => fs.syncDirectory(`${root}/none`),
      ]) {
        const error = thrown(run)
        t.equal(error.code, 'VARVE_IO')
        t.ok(isMissing(error))
      }
      put(fs, `${root}/a`, 'x')
      t.notOk(isMissing(thrown(() => fs.create(`${root}/a`))))
      t.equal(fs.exists(`${root}/none`), false)
      t.equal(fs.exists(`${root}/a/b`), false)
      t.equal(fs.exists(`${root}/a`), true)
      t.equal(fs.exists(root), true)
      fs.remove(`${root}/none`)
    })

    t.test('lists names in byte order with their kinds', async (t) => {
      const { fs, root } = open()
      fs.makeDirectory(`${root}/x/y/z`)
      fs.makeDirectory(`${root}/x/y`)
      for (const file of ['b', 'a', 'é', 'B', '10', '9']) put(fs, `${root}/${file}`, '')
      t.same(
        fs.list(root).map((entry) => [entry.name, entry.isDirectory, entry.isFile]),
        [
          ['10', false, true],
          ['9', false, true],
          ['B', false, true],
          ['a', false, true],
          ['b', false, true],
          ['x', true, false],
          ['é', false, true],
        ],
      )
    })

    t.test('renames over a file; open handles keep the old one', async (t) => {
      const { fs, root } = open()
      put(fs, `${root}/current`, 'old')
      put(fs, `${root}/temporary`, 'new')
      const reader = fs.openRead(`${root}/current`)
      fs.rename(`${root}/temporary`, `${root}/current`)
      t.equal(content(fs, `${root}/current`), 'new')
      t.notOk(fs.exists(`${root}/temporary`))
      const target = new Uint8Array(3)
      reader.read(target, 0)
      t.equal(Buffer.from(target).toString(), 'old')
      fs.remove(`${root}/current`)
      t.notOk(fs.exists(`${root}/current`))
      t.equal(reader.size(), 3)
      reader.close()
    })

    t.test('truncates shorter and longer', async (t) => {
      const { fs, root } = open()
      put(fs, `${root}/a`, 'abcdef')
      fs.truncate(`${root}/a`, 2)
      t.equal(content(fs, `${root}/a`), 'ab')
      fs.truncate(`${root}/a`, 4)
      t.equal(content(fs, `${root}/a`), 'ab\0\0')
    })

    t.test('locks once, also against itself, until released', async (t) => {
      const { fs, root } = open()
      const lock = fs.lock(`${root}/LOCK`)
      const error = thrown(() => fs.lock(`${root}/LOCK`))
      t.equal(error.code, 'VARVE_LOCKED')
      t.equal(error.kind, 'conflict')
      t.equal(error.details['file'], `${root}/LOCK`)
      lock.release()
      lock.release()
      fs.lock(`${root}/LOCK`).release()
      t.equal(content(fs, `${root}/LOCK`), '', 'the lock file stays, and stays empty')
    })

    t.test('tells how much space there is', async (t) => {
      const { fs, root } = open()
      if (fs.availableSpace === undefined) return
      t.ok(fs.availableSpace(root) > 0)
      put(fs, `${root}/a`, 'x')
      t.ok(fs.availableSpace(`${root}/a`) > 0, 'for a file too')
      t.ok(isMissing(thrown(() => fs.availableSpace?.(`${root}/none`))))
    })

    t.test('syncs folders', async () => {
      const { fs, root } = open()
      fs.syncDirectory(root)
    })
  })
}

t.test('a name that is not UTF-8 fails the listing', async (t) => {
  const root = mkdtempSync(`${tmpdir()}/varve-`)
  try {
    writeFileSync(Buffer.concat([bytes(`${root}/`), Buffer.from([0xff, 0x31])]), '')
  } catch {
    t.pass('this machine refuses such names by itself')
    return
  }
  t.match(thrown(() => new StdFileSystem().list(root)).message, /not UTF-8/)
})

t.test('parentPath', async (t) => {
  t.equal(parentPath('/a/b/c'), '/a/b')
  t.equal(parentPath('/a'), '/')
})
