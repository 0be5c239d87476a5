// What survives a power cut, and what may.
import t from 'tap'
import { type FileSystem, isMissing } from '../../../../src/shared/fs/file-system.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../../../support/random.js'

function read(fs: FileSystem, path: string): string | undefined {
  try {
    const file = fs.openRead(path)
    const target = new Uint8Array(file.size())
    file.read(target, 0)
    return Buffer.from(target).toString('latin1')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

const DROP = { keepUnsynced: 0, random: () => 0.5 }
const KEEP = { keepUnsynced: 1, random: () => 0.5 }

t.test('bytes and names need a sync each', async (t) => {
  const fs = new MemoryFileSystem()
  fs.makeDirectory('/db')
  const file = fs.create('/db/a')
  file.write(Buffer.from('durable'))
  file.sync('normal')
  t.equal(read(fs.crashClone(DROP), '/db/a'), undefined, 'the name was never synced')
  fs.syncDirectory('/db')
  t.equal(read(fs.crashClone(DROP), '/db/a'), undefined, 'nor that of its folder')
  fs.syncDirectory('/')
  t.equal(read(fs.crashClone(DROP), '/db/a'), 'durable')
  file.write(Buffer.from(' and not'))
  file.writeAt(Buffer.from('D'), 0)
  t.equal(read(fs.crashClone(DROP), '/db/a'), 'durable', 'an overwrite leaves the synced bytes')
  t.equal(read(fs.crashClone(KEEP), '/db/a'), 'Durable and not')
  fs.truncate('/db/a', 1)
  t.equal(read(fs.crashClone(DROP), '/db/a'), 'durable')
  fs.truncate('/db/a', 9)
  t.equal(read(fs.crashClone(DROP), '/db/a'), 'durable')
  fs.rename('/db/a', '/db/b')
  t.equal(read(fs.crashClone(DROP), '/db/a'), 'durable')
  t.equal(read(fs.crashClone(DROP), '/db/b'), undefined)
  t.equal(read(fs.crashClone(KEEP), '/db/a'), undefined)
  fs.syncDirectory('/db')
  t.equal(read(fs.crashClone(DROP), '/db/b'), 'durable')
  fs.remove('/db/b')
  t.equal(read(fs.crashClone(DROP), '/db/b'), 'durable')
  t.equal(read(fs, '/db/b'), undefined)
})

t.test('a torn append keeps the synced part and any mix of sectors behind it', async (t) => {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  const fs = new MemoryFileSystem()
  const file = fs.create('/a')
  file.write(Buffer.alloc(700, 'a'))
  file.sync('normal')
  fs.syncDirectory('/')
  file.write(Buffer.alloc(3000, 'b'))
  const seen = { old: 0, whole: 0, torn: 0 }
  for (let i = 0; i < 300; i++) {
    const options = { keepUnsynced: 0.5, random: () => random.below(1e6) / 1e6 }
    const text = read(fs.crashClone(options), '/a') ?? ''
    if (!/^a{700}[b\0]*$/.test(text)) t.fail('bytes that nobody wrote')
    if (text.length === 700) seen.old++
    else if (text.length === 3700 && !text.includes('\0')) seen.whole++
    else seen.torn++
  }
  t.ok(seen.old > 20 && seen.whole > 20 && seen.torn > 20, JSON.stringify(seen))
})

t.test('a crash drops directory locks', async (t) => {
  const fs = new MemoryFileSystem()
  fs.lock('/LOCK')
  fs.syncDirectory('/')
  t.throws(() => fs.lock('/LOCK'), { code: 'VARVE_LOCKED' })
  fs.crashClone(DROP).lock('/LOCK').release()
})
