/**
 * A thread that reads a tree while its owner writes it as `litmus.ts` tells, and checks each read against its seqno: plain
 * reads, scans, snapshots, iterators and pinned slices that it keeps for a while. Stops when told to; may be terminated.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { attach, type SharedTree, type TreeReader } from '../../src/main/index.js'
import { KEYS, keyOf, roundAt, roundOf } from './litmus.js'
import { Random } from './random.js'

export interface LitmusReaderData {
  readonly handle: SharedTree
  readonly seed: number
  /** What all threads share: 1 once they are to stop; how often they have read. */
  readonly words: Int32Array
}

const [STOP, READS] = [0, 1]

/** What the thread says: that it reads now; and what was wrong, if anything, when it has stopped. */
export type LitmusMessage = { readonly isAttached: true } | { readonly failure: string | undefined }

const { handle, seed, words } = workerData as LitmusReaderData
const random = new Random(seed)

/** Something that stays open for a while: looked at again, and let go of in the end. */
interface Kept extends Disposable {
  check(): void
}

function expect(isSo: boolean, what: () => string): void {
  if (!isSo) throw new Error(what())
}

/** Where a read at any seqno from `before` to `after` sees this round. */
function isSeen(key: number, round: number | undefined, before: number, after: number): boolean {
  for (let seqno = before; seqno <= after; seqno++) if (roundAt(seqno, key) === round) return true
  return false
}

/** All entries as of a seqno, exactly. */
function checkAll(entries: Iterable<[Buffer, Buffer]>, seqno: number, first: number): void {
  let key = first
  const skip = (): void => {
    while (key < KEYS && roundAt(seqno, key) === undefined) key++
  }
  for (const [name, value] of entries) {
    skip()
    expect(String(name) === keyOf(key), () => `at ${seqno}: ${name} where ${keyOf(key)} comes next`)
    const round = roundOf(key, value)
    expect(round === roundAt(seqno, key), () => {
      return `at ${seqno}: ${name} of round ${round}, not ${roundAt(seqno, key)}`
    })
    key++
  }
  skip()
  expect(key === KEYS, () => `at ${seqno}: the scan ends before ${keyOf(key)}`)
}

function checkGet(reader: TreeReader): void {
  const key = random.below(KEYS)
  const before = reader.visibleSeqno
  const value = reader.get(keyOf(key))
  const after = reader.visibleSeqno
  expect(before <= after, () => `the visible seqno goes back from ${before} to ${after}`)
  const round = value === undefined ? undefined : roundOf(key, value)
  expect(isSeen(key, round, before, after), () => {
    return `${keyOf(key)} of round ${round} between ${before} and ${after}: ${roundAt(before, key)} to ${roundAt(after, key)}`
  })
}

function keepSnapshot(reader: TreeReader): Kept {
  const snapshot = reader.snapshot()
  const { seqno } = snapshot
  return {
    check: () => {
      if (random.chance(0.3)) return checkAll(snapshot.range(), seqno, 0)
      const keys = Array.from({ length: 8 }, () => random.below(KEYS))
      const values = snapshot.multiGet(keys.map(keyOf))
      for (const [i, key] of keys.entries()) {
        const value = values[i]
        const round = value === undefined ? undefined : roundOf(key, value)
        expect(round === roundAt(seqno, key), () => {
          return `snapshot at ${seqno}: ${keyOf(key)} of round ${round}, not ${roundAt(seqno, key)}`
        })
      }
    },
    [Symbol.dispose]: () => snapshot[Symbol.dispose](),
  }
}

/** An iterator of a snapshot that is gone when it is read on: its state is held by the iterator alone. */
function keepIterator(reader: TreeReader): Kept {
  const first = random.below(KEYS)
  const snapshot = reader.snapshot()
  const { seqno } = snapshot
  const iterator = snapshot.range({ gte: keyOf(first) })
  const begun: [Buffer, Buffer][] = []
  for (let i = random.below(4); i > 0; i--) {
    const { value, done } = iterator.next()
    if (done !== true) begun.push(value)
  }
  snapshot[Symbol.dispose]()
  let isRead = false
  function* all(): Generator<[Buffer, Buffer]> {
    yield* begun
    yield* iterator
  }
  return {
    check: () => {
      if (isRead) return
      isRead = true
      checkAll(all(), seqno, first)
    },
    [Symbol.dispose]: () => iterator[Symbol.dispose](),
  }
}

function keepSlice(reader: TreeReader): Kept | undefined {
  const key = random.below(KEYS)
  const slice = reader.getPinned(keyOf(key))
  if (slice === undefined) return undefined
  const round = roundOf(key, slice.value)
  return {
    check: () => {
      const now = roundOf(key, slice.value)
      expect(now === round, () => `a pinned value of round ${round} is of round ${now}`)
    },
    [Symbol.dispose]: () => slice[Symbol.dispose](),
  }
}

function run(reader: TreeReader): void {
  const kept: Kept[] = []
  let seen = 0
  while (Atomics.load(words, STOP) === 0) {
    Atomics.add(words, READS, 1)
    const visible = reader.visibleSeqno
    expect(visible >= seen, () => `the visible seqno goes back from ${seen} to ${visible}`)
    seen = visible
    const what = random.below(20)
    if (what < 10) checkGet(reader)
    else if (what < 12) {
      using snapshot = reader.snapshot()
      checkAll(snapshot.range(), snapshot.seqno, 0)
    } else if (what < 17 && kept.length < 12) {
      const one = random.pick([keepSnapshot, keepIterator, keepSlice])(reader)
      if (one !== undefined) kept.push(one)
    } else if (kept.length > 0) {
      const at = random.below(kept.length)
      kept[at]?.check()
      if (random.chance(0.5)) kept.splice(at, 1)[0]?.[Symbol.dispose]()
    }
  }
  for (const one of kept) {
    one.check()
    one[Symbol.dispose]()
  }
}

const reader = await attach(handle, { memoryBytes: 4 << 20 })
const tell = (message: LitmusMessage): void => parentPort?.postMessage(message)
tell({ isAttached: true })
let failure: string | undefined
try {
  run(reader)
} catch (error) {
  failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
}
await reader.detach()
tell({ failure })
