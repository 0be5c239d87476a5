// A sink gathers small pieces into large writes, has them done off the thread, and goes on doing so.
import t, { type Test } from 'tap'
import { digestOf } from '../../../../src/shared/base/checksum.js'
import type { WritableFile } from '../../../../src/shared/fs/file-system.js'
import { OutgoingFile } from '../../../../src/shared/fs/outgoing-file.js'
import { FileSink } from '../../../../src/shared/table/file-sink.js'
import { DelayedFileSystem } from '../../../support/delayed-file-system.js'
import { Random, runSeed } from '../../../support/random.js'
import { readWhole } from '../../../support/tables.js'
import { testWorkspace } from '../../../support/workspace.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
const MIB = 2 ** 20
const PIECE_BYTES = 64 * 1024
/** Of a sink: while so many are under way, it writes on the thread. */
const BUFFER_COUNT = 3

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Written {
  readonly fs: DelayedFileSystem
  /** Writes on the thread. */
  readonly ownWrites: number
  readonly whole: Buffer
}

/** Appends the pieces, with a turn where the sink asks for one, and completes the file. */
async function write(test: Test, pieces: Iterable<Buffer>): Promise<Written> {
  const workspace = testWorkspace(32)
  const used = workspace.heap.usedBytes
  const fs = new DelayedFileSystem(new Random(seed))
  const created = fs.create('/file')
  let ownWrites = 0
  const counted: WritableFile = {
    ...created,
    write(bytes) {
      ownWrites++
      created.write(bytes)
    },
  }
  const sink = new FileSink(workspace)
  const file = new OutgoingFile(counted, 'normal')
  sink.open(file)
  const all: Buffer[] = []
  for (const piece of pieces) {
    all.push(piece)
    sink.append(piece)
    if (sink.takeHandOver()) await nextTurn()
  }
  const digest = sink.finish()
  await file.end()
  const whole = Buffer.concat(all)
  test.same(digest, digestOf(workspace.hasher, whole), 'the digest is that of the whole file')
  sink.dispose()
  test.equal(workspace.heap.usedBytes, used, 'its memory is given back')
  return { fs, ownWrites, whole }
}

function* evenPieces(bytes: number): Generator<Buffer> {
  for (let i = 0; i < bytes / PIECE_BYTES; i++) yield Buffer.alloc(PIECE_BYTES, i)
}

t.test('writes leave the thread again once all buffers were under way', async (t) => {
  const { fs, ownWrites, whole } = await write(t, evenPieces(48 * MIB))
  t.ok(whole.equals(readWhole(fs, '/file')))
  t.ok(ownWrites > 0, `${ownWrites} writes on the thread: all buffers were under way at once`)
  t.ok(fs.counts.writes > 3 * BUFFER_COUNT, `${fs.counts.writes} off the thread`)
})

t.test('after a large piece small ones are gathered as before', async (t) => {
  const pieces = [Buffer.alloc(3 * MIB, 1), ...evenPieces(16 * MIB)]
  const { fs, ownWrites, whole } = await write(t, pieces)
  t.ok(whole.equals(readWhole(fs, '/file')))
  const count = fs.counts.writes + ownWrites
  t.ok(count <= 16 + 3, `${count} writes for 16 buffers and a large piece`)
})
