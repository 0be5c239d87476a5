// One stream of operations, under every option set and with another maintenance schedule each time: the same answers.
// No model: what is compared is the trees with each other. SEED=… replays.
import { createHash } from 'node:crypto'
import t from 'tap'
import { major } from '../../src/main/strategies/major.js'
import { WriteBatch } from '../../src/main/writing/write-batch.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../support/random.js'
import { OPTION_SETS, type OptionSet } from './option-sets.js'
import { makeProgram, makeValue } from './program.js'
import { Session } from './session.js'

const CHECKPOINTS = 8
const WRITES_BETWEEN = 250

const seed = runSeed()
t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

const folder = t.testdir()

type Entries = Iterable<readonly [Buffer, Buffer]>

/** Entries in the order of their bytes; fails where they do not come in that of the set, or backwards. */
function inBytes({ order }: OptionSet, entries: Entries, sign = 1): Entries {
  if (order === undefined) return entries
  const found = [...entries]
  for (const [i, [key]] of found.entries()) {
    const previous = found[i - 1]
    if (previous === undefined || order.compare(previous[0], key) * sign < 0) continue
    throw new Error(`entry ${i} is out of order`)
  }
  return found.sort(([a], [b]) => sign * Buffer.compare(a, b))
}

function hashOf(...scans: Entries[]): string {
  const hash = createHash('sha256')
  for (const entries of scans) {
    for (const [key, value] of entries)
      hash.update(`${key.length} ${value.length} `).update(key).update(value)
    hash.update('end')
  }
  return hash.digest('hex').slice(0, 16)
}

/** Maintenance of some kind, which changes nothing that a reader sees. */
async function maintain({ tree, snapshots }: Session, random: Random): Promise<void> {
  const least = Math.min(tree.visibleSeqno.get(), ...snapshots.map(({ seqno }) => seqno))
  const options = random.pick([{}, { gcWatermark: 0 }, { gcWatermark: least }])
  const kind = random.below(6)
  if (kind === 0) tree.rotateMemtable()
  else if (kind < 3) await tree.flush(options)
  else if (kind === 3) await tree.compact(undefined, options)
  else if (kind === 4) await tree.compact(major({ targetBytes: 2000 }), options)
  else await tree.majorCompact({ targetSize: 1 + random.below(10_000), ...options })
}

/**
 * Deletes a key, and those that begin with it and a byte below 255: by a range, or one by one where the order of the set
 * does not keep them together. What `batch` writes itself stays, alone: its operands have nothing to stand on.
 */
async function removeBehind(
  session: Session,
  batch: WriteBatch,
  keys: readonly Buffer[],
  start: Buffer,
): Promise<void> {
  const end = Buffer.concat([start, Buffer.of(255)])
  if (session.set.order === undefined) {
    batch.removeRange(start, end)
    return
  }
  const before = new WriteBatch()
  for (const key of keys) {
    if (Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0) before.remove(key)
  }
  await applyPatiently(session, before)
}

/** The answers of a tree to the stream of the seed. */
async function answers(set: OptionSet, number: number): Promise<string[]> {
  const fs = set.where === 'memory' ? new MemoryFileSystem() : undefined
  const session = new Session({ root: fs === undefined ? `${folder}/${number}` : '/db', fs }, set)
  const stream = new Random(seed)
  const schedule = new Random((seed + number) >>> 0)
  const keys = makeProgram(seed, 0).keys.filter(({ length }) => length < 1000)
  const found: string[] = []
  await session.open()
  try {
    for (let checkpoint = 0; checkpoint < CHECKPOINTS; checkpoint++) {
      for (let i = 0; i < WRITES_BETWEEN; i++) {
        const batch = new WriteBatch()
        for (let n = stream.below(3); n >= 0; n--) {
          const key = stream.pick(keys)
          const [size, tag] = [stream.u32(), stream.u32()]
          const kind = ((key.at(-1) as number) + checkpoint) % 5
          if (kind === 0) batch.remove(key)
          else if (kind === 1) batch.merge(key, makeValue(size, tag).subarray(0, 60))
          else batch.insert(key, makeValue(size, tag).subarray(0, 20_000))
        }
        if (stream.chance(0.04)) await removeBehind(session, batch, keys, stream.pick(keys))
        await applyPatiently(session, batch)
        if (schedule.chance(0.02)) await maintain(session, schedule)
      }
      if (checkpoint === 3 && stream.chance(0.5)) await session.tree.clear()
      const { tree } = session
      found.push(
        hashOf(
          inBytes(set, tree.iter()),
          inBytes(set, tree.iter({ reverse: true }), -1),
          inBytes(set, tree.prefix(stream.pick(keys).subarray(0, 1))),
        ),
      )
      found.push(hashOf(keys.map((key) => [key, tree.get(key) ?? Buffer.from('none')] as const)))
      session.snapshots.push(tree.snapshot())
    }
    for (const snapshot of session.snapshots) found.push(hashOf(inBytes(set, snapshot.iter())))
    await session.reopen(set, false)
    found.push(hashOf(inBytes(set, session.tree.iter())))
  } finally {
    await session.close()
  }
  return found
}

async function applyPatiently({ tree }: Session, batch: WriteBatch): Promise<void> {
  for (;;) {
    try {
      tree.apply(batch)
      return
    } catch (error) {
      if (!VarveError.is(error, 'VARVE_STALLED')) throw error
      await tree.flush()
    }
  }
}

t.test(
  '`prop_btreemap_oracle`: all option sets give the same answers',
  { timeout: 230_000 },
  async (t) => {
    let wanted: string[] | undefined
    for (const [number, set] of OPTION_SETS.entries()) {
      const found = await answers(set, number)
      wanted ??= found
      t.same(found, wanted, set.name)
    }
  },
)
