// A file that is written and synced while its bytes are made holds them all, durable, at its end, and tells what failed.
import t from 'tap'
import { FaultFileSystem, failNth, failOn } from '../../../../src/shared/fs/fault-file-system.js'
import { OutgoingFile } from '../../../../src/shared/fs/outgoing-file.js'
import { DelayedFileSystem } from '../../../support/delayed-file-system.js'
import { Random, runSeed } from '../../../support/random.js'
import { readWhole } from '../../../support/tables.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
const MIB = 2 ** 20

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

t.test('in any order of writes and syncs', async (t) => {
  for (let round = 0; round < 20; round++) {
    const random = new Random((seed + round) >>> 0)
    const fs = new DelayedFileSystem(random)
    fs.syncDirectory('/')
    const file = new OutgoingFile(fs.create('/file'), 'normal')
    fs.syncDirectory('/')
    const pieces: Buffer[] = []
    for (let i = random.below(30); i > 0; i--) {
      const piece = Buffer.alloc(1 + random.below(random.pick([10, 2 * MIB])), random.below(256))
      pieces.push(Buffer.from(piece))
      if (random.chance(0.3)) {
        file.write(piece)
        piece.fill(0)
      } else {
        file.writeLater(piece, () => piece.fill(0))
      }
      if (random.chance(0.1)) file.syncSoon()
      if (random.chance(0.3)) await nextTurn()
    }
    await file.end()
    t.equal(fs.underWay, 0)
    const survivor = fs.crashClone({ keepUnsynced: 0, random: () => 0 })
    t.ok(Buffer.concat(pieces).equals(readWhole(survivor, '/file')), `round ${round}`)
  }
})

t.test('pieces are synced while others are written', async (t) => {
  const fs = new DelayedFileSystem(new Random(seed))
  const file = new OutgoingFile(fs.create('/file'), 'normal')
  for (let i = 0; i < 20; i++) {
    file.writeLater(Buffer.alloc(MIB, i), () => undefined)
    for (let turn = 0; turn < 8; turn++) await nextTurn()
  }
  t.ok(fs.counts.syncs >= 1, `${fs.counts.syncs} early syncs`)
  await file.end()
})

t.test('what need not be durable is not synced', async (t) => {
  const fs = new DelayedFileSystem(new Random(seed))
  const file = new OutgoingFile(fs.create('/file'), 'none')
  for (let i = 0; i < 10; i++) file.write(Buffer.alloc(MIB))
  file.syncSoon()
  await file.end()
  t.equal(fs.counts.syncs, 0)
  t.throws(() => file.write(Buffer.alloc(1)), { code: 'VARVE_CLOSED' })
})

t.test('each call that fails makes the end fail, early syncs too', async (t) => {
  let failures = 0
  for (let n = 2; ; n++) {
    const fs = new FaultFileSystem(new DelayedFileSystem(new Random(seed)), failNth(n))
    const file = new OutgoingFile(fs.create('/file'), 'normal')
    let error: unknown
    try {
      for (let i = 0; i < 20; i++) {
        file.writeLater(Buffer.alloc(MIB), () => undefined)
        for (let turn = 0; turn < 8; turn++) await nextTurn()
      }
      file.syncSoon()
    } catch (thrown) {
      error = thrown
    }
    const end = await file.end().catch((thrown: unknown) => thrown)
    if (end === undefined) break
    t.match(end, { code: 'VARVE_IO', details: { errno: 'EIO', file: '/file' } })
    if (error !== undefined) t.equal(error, end, 'the next call throws it')
    t.throws(() => file.write(Buffer.alloc(1)))
    failures++
  }
  t.ok(failures >= 22, `${failures} calls`)
})

t.test('a failure that nobody has asked for is no unhandled rejection', async (t) => {
  const fs = new FaultFileSystem(new DelayedFileSystem(new Random(seed)), failOn('write'))
  const file = new OutgoingFile(fs.create('/file'), 'normal')
  let ended = 0
  file.writeLater(Buffer.alloc(10), () => ended++)
  await file.settled()
  t.equal(ended, 1, 'the bytes are the caller’s again')
  file.abandon()
})
