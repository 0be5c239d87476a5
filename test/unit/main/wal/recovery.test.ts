/** Hostile logs: every bit flipped, every length cut, segments lost; and damage told from what a crash leaves. */
import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import { openLogged } from '../../../../src/main/wal/index.js'
import type { LogRecord } from '../../../../src/main/wal/record.js'
import { type LogRecoveryMode, recoverLog } from '../../../../src/main/wal/recovery.js'
import { SEGMENT_HEADER_BYTES } from '../../../../src/main/wal/segment-header.js'
import { VarveError } from '../../../../src/shared/base/errors.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { codeOf } from '../../../support/trees.js'

const FOLDER = '/db/wal'
const { hasher } = processEnvironment().workspace

function read(fs: MemoryFileSystem, path: string): Buffer {
  const file = fs.openRead(path)
  const bytes = Buffer.alloc(file.size())
  file.read(bytes, 0)
  file.close()
  return bytes
}

/** A folder of these segments. */
function logOf(segments: ReadonlyMap<string, Buffer>): MemoryFileSystem {
  const fs = new MemoryFileSystem()
  fs.makeDirectory(FOLDER)
  for (const [name, bytes] of segments) {
    const file = fs.create(`${FOLDER}/${name}`)
    file.write(bytes)
    file.close()
  }
  return fs
}

function recover(fs: MemoryFileSystem, mode: LogRecoveryMode = 'refuse', tables: number[] = []) {
  const recovered = recoverLog({
    ...{ fs, folder: FOLDER, hasher, mode, syncMode: 'normal' },
    tableSeqnos: new Set(tables),
  })
  return { ...recovered, records: [...recovered.replay()] }
}

const seqnosOf = (records: readonly LogRecord[]): number[] => records.map(({ seqno }) => seqno)

/** Six writes, each on disk before the next: seqnos 0 … 5. */
async function sixWrites(segmentBytes: number): Promise<Map<string, Buffer>> {
  const fs = new MemoryFileSystem()
  const db = await openLogged('/db', {
    tree: { fs, maintenance: 'manual' },
    durability: 'disk',
    segmentBytes,
  })
  for (let i = 0; i < 6; i++) await db.insert(`key${i}`, 'v'.repeat(150))
  const segments = new Map(
    fs.list(FOLDER).map(({ name }) => [name, read(fs, `${FOLDER}/${name}`)] as const),
  )
  await db.close()
  return segments
}

/** Where each record of a segment begins, and whether it is a write. */
function recordStarts(bytes: Buffer): { at: number; isWrite: boolean }[] {
  const starts: { at: number; isWrite: boolean }[] = []
  for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; ) {
    starts.push({ at, isWrite: (bytes[at + 16] as number) < 16 })
    at += 16 + bytes.readUInt32LE(at + 12)
  }
  return starts
}

t.test('every flipped bit of a log ends in an error, or in what no sync vouches for', async (t) => {
  const segments = await sixWrites(1 << 20)
  const [[name, bytes] = ['', Buffer.alloc(0)]] = segments
  const starts = recordStarts(bytes)
  t.equal(starts.length, 11, 'six writes, and five records between them that say what is synced')
  // The record before the last write vouches for all before it, but nothing for itself.
  const vouchedEnd = starts.at(-2)?.at as number
  const outcomes = { refused: 0, cut: 0 }
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = Buffer.from(bytes)
    const at = bit >> 3
    flipped[at] = (flipped[at] as number) ^ (1 << (bit & 7))
    const fs = logOf(new Map([[name, flipped]]))
    if (at < vouchedEnd) {
      let error: unknown
      try {
        recover(fs)
      } catch (caught) {
        error = caught
      }
      const isRight =
        VarveError.is(error) &&
        /^VARVE_(CHECKSUM_MISMATCH|INVALID_HEADER)$/.test(error.code) &&
        error.details['file'] === `${FOLDER}/${name}` &&
        (error.details['offset'] as number) <= at
      if (!isRight) t.fail(`bit ${bit}: ${error}`)
      if (!read(fs, `${FOLDER}/${name}`).equals(flipped)) t.fail(`bit ${bit}: changed by a refusal`)
      outcomes.refused++
      if (at < SEGMENT_HEADER_BYTES) continue
      const stopped = recover(fs, 'stop-at-damage')
      const expected = starts.filter(
        (start, i) => start.isWrite && (starts[i + 1]?.at ?? bytes.length) <= at,
      )
      if (stopped.records.length !== expected.length) t.fail(`bit ${bit}: stopped wrongly`)
      if (
        stopped.cut?.writes !== 6 - expected.length &&
        stopped.cut?.writes !== 5 - expected.length
      ) {
        t.fail(`bit ${bit}: ${stopped.cut?.writes} writes behind`)
      }
    } else {
      const { records, cut } = recover(fs)
      if (seqnosOf(records).join() !== '0,1,2,3,4') t.fail(`bit ${bit}: ${seqnosOf(records)}`)
      if (cut === undefined) t.fail(`bit ${bit}: not told`)
      const again = recover(fs)
      if (seqnosOf(again.records).join() !== '0,1,2,3,4' || again.cut) t.fail(`bit ${bit}: not cut`)
      outcomes.cut++
    }
  }
  t.ok(outcomes.refused > 1000 && outcomes.cut > 1000)
})

t.test('every truncation of the last segment loses what it cut, and no more', async (t) => {
  const [[name, bytes] = ['', Buffer.alloc(0)]] = await sixWrites(1 << 20)
  const starts = recordStarts(bytes)
  for (let length = 0; length < bytes.length; length++) {
    const fs = logOf(new Map([[name, bytes.subarray(0, length)]]))
    const { records, cut } = recover(fs)
    const whole = starts.filter(
      (start, i) => start.isWrite && (starts[i + 1]?.at ?? bytes.length) <= length,
    )
    if (records.length !== whole.length) t.fail(`${length}: ${records.length} writes`)
    const isTorn = length > SEGMENT_HEADER_BYTES && !starts.some(({ at }) => at === length)
    if ((cut !== undefined) !== isTorn) t.fail(`${length}: ${JSON.stringify(cut)}`)
  }
  t.pass()
})

t.test('damage in front of another segment is real, whatever vouches', async (t) => {
  const segments = await sixWrites(1024)
  const names = [...segments.keys()]
  t.equal(names.length, 2)
  const [first, second] = names as [string, string]
  const bytes = segments.get(first) as Buffer
  t.equal(recover(logOf(segments)).records.length, 6)
  for (let length = 0; length < bytes.length; length++) {
    const cut = new Map(segments).set(first, bytes.subarray(0, length))
    const code = await codeOf(() => recover(logOf(cut)))
    if (code !== 'VARVE_CHECKSUM_MISMATCH' && code !== 'VARVE_INVALID_HEADER') {
      t.fail(`${length}: ${code}`)
    }
  }
  for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] as number) ^ 0x10
    const fs = logOf(new Map(segments).set(first, flipped))
    if ((await codeOf(() => recover(fs))) !== 'VARVE_CHECKSUM_MISMATCH') t.fail(`flip ${at}`)
    const stopped = recover(fs, 'stop-at-damage')
    if (stopped.records.some(({ seqno }, i) => seqno !== i)) t.fail(`flip ${at}: not a prefix`)
    if (!fs.exists(`${FOLDER}/${second}.cut`)) t.fail(`flip ${at}: the rest is not kept`)
    if (recover(fs).records.length !== stopped.records.length) t.fail(`flip ${at}: not cut`)
  }
  t.pass()
})

t.test('a missing segment is a loss only where it held something', async (t) => {
  const segments = await sixWrites(1024)
  const [first, second] = [...segments.keys()] as [string, string]
  const only = (name: string) => new Map([[name, segments.get(name) as Buffer]])
  t.equal(await codeOf(() => recover(logOf(only(second)))), 'VARVE_UNRECOVERABLE')
  t.equal(recover(logOf(only(first))).records.length, 5, 'the last one cannot be missed')
  const { records } = recover(logOf(only(second)), 'refuse', [5])
  t.same(records, [], 'a table holds seqno 5, so all before it, too')
})

t.test(
  'the highest seqno of a table tells what is persisted, if it is that of a write',
  async (t) => {
    const segments = await sixWrites(1 << 20)
    const replayed = (tables: number[]) =>
      seqnosOf(recover(logOf(segments), 'refuse', tables).records)
    t.same(replayed([]), [0, 1, 2, 3, 4, 5])
    t.same(replayed([2]), [3, 4, 5])
    t.same(replayed([0, 3, 1]), [4, 5])
    t.same(replayed([3, 900]), [4, 5], 'an ingested table has a number of its own')
    t.same(replayed([5]), [])
  },
)

t.test('a copied record is no record', async (t) => {
  const [[name, bytes] = ['', Buffer.alloc(0)]] = await sixWrites(1 << 20)
  const starts = recordStarts(bytes).map(({ at }) => at)
  const copy = Buffer.concat([bytes, bytes.subarray(starts[0], starts[1])])
  const { records, cut } = recover(logOf(new Map([[name, copy]])))
  t.equal(records.length, 6)
  t.match(cut, { offset: bytes.length, writes: 0 })
  const renamed = new Map([['0000000009.wal', bytes]])
  t.equal(await codeOf(() => recover(logOf(renamed))), 'VARVE_INVALID_HEADER')
})

t.test('a file full of beginnings is refused, not searched for ever', async (t) => {
  const [[name, bytes] = ['', Buffer.alloc(0)]] = await sixWrites(1 << 20)
  const start = bytes.subarray(SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + 4)
  const hostile = Buffer.concat([
    bytes.subarray(0, SEGMENT_HEADER_BYTES),
    Buffer.alloc(200_000, Buffer.concat([start, Buffer.alloc(9), Buffer.from([0, 2, 0])])),
  ])
  t.equal(await codeOf(() => recover(logOf(new Map([[name, hostile]])))), 'VARVE_CHECKSUM_MISMATCH')
})

t.test('foreign files in the folder are left alone', async (t) => {
  const fs = logOf(new Map([['notes.txt', Buffer.from('mine')]]))
  t.equal(recover(fs).records.length, 0)
  t.ok(fs.exists(`${FOLDER}/notes.txt`))
})

t.test('a refused log closes the tree again, with nothing changed', async (t) => {
  const fs = new MemoryFileSystem()
  const options = { tree: { fs, maintenance: 'manual' } } as const
  const db = await openLogged('/db', { ...options, durability: 'disk' })
  await db.insert('a', '1')
  await db.insert('b', '2')
  await db.close({ flush: 'discard' })
  const path = `${FOLDER}/${fs.list(FOLDER)[0]?.name}`
  const bytes = read(fs, path)
  bytes[60] = (bytes[60] as number) ^ 1
  const file = fs.openAppend(path)
  file.writeAt(bytes, 0)
  file.close()
  t.equal(await codeOf(() => openLogged('/db', options)), 'VARVE_CHECKSUM_MISMATCH')
  t.ok(read(fs, path).equals(bytes))
  const stopped = await openLogged('/db', { ...options, recovery: 'stop-at-damage' })
  t.match(stopped.recovery, { replayed: 0, cut: { file: path, writes: 1 } })
  await stopped.close()
})
