/**
 * The reading steps of programs that go beyond gets and ranges: pinned values, guards, cursors that seek, batches of
 * ranges, and everything that does not wait for the disk. Each asks the tree and the model the same.
 */
import type { Entry, ModelRange } from './model.js'
import type { Program, Step } from './program.js'
import { boundOf, expectEntries, expectValue, keyOf, moment, rangeOf } from './reads.js'
import { check, type Session } from './session.js'

const SLICES_MAX = 8

/** Reads a value pinned, and looks at those that were read before: none may have changed. */
export function pinned(session: Session, program: Program, [, a, b, c]: Step): void {
  const key = keyOf(program, a)
  const { seqno, options } = moment(session, b)
  const wanted = session.model.get(key, seqno)
  const slice = session.tree.getPinned(key, options)
  expectValue('getPinned', key, slice?.value, wanted)
  if (slice !== undefined && wanted !== undefined) session.slices.push({ slice, wanted })
  for (const open of session.slices)
    expectValue('a pinned value', key, open.slice.value, open.wanted)
  while (session.slices.length > c % SLICES_MAX) session.slices.shift()?.slice[Symbol.dispose]()
}

export async function getLater(session: Session, program: Program, [, a, b]: Step): Promise<void> {
  const key = keyOf(program, a)
  const { seqno, options } = moment(session, b)
  const wanted = session.model.get(key, seqno)
  expectValue('getAsync', key, await session.tree.getAsync(key, options), wanted)
}

export function multiGetLater(
  session: Session,
  program: Program,
  [, a, b, c, d]: Step,
): Promise<void> {
  const { seqno, options } = momentBeside(session, b, d)
  const keys = Array.from({ length: a % 40 }, (_, i) => keyOf(program, c + i * (b % 11)))
  const wanted = keys.map((key) => session.model.get(key, seqno))
  const read = session.tree.multiGetAsync(keys, options).then((found) => {
    keys.forEach((key, i) => {
      expectValue('multiGetAsync', key, found[i], wanted[i])
    })
  })
  return beside(session, read, d)
}

export function rangeLater(session: Session, program: Program, step: Step): Promise<void> {
  const bounds = rangeOf(program, step)
  const { seqno, options } = momentBeside(session, step[3], step[4])
  const wanted = session.model.range(bounds, seqno)
  const chunks = session.tree.rangeAsync({ ...bounds, ...options })
  const read = (async () => {
    const found: Entry[] = []
    for await (const chunk of chunks) {
      check(chunk.length > 0, () => 'rangeAsync yields an empty chunk')
      found.push(...chunk)
      if (step[4] % 11 === 0 && found.length > step[4] % 50) {
        expectEntries('a part of rangeAsync', found, wanted.slice(0, found.length))
        return
      }
    }
    expectEntries('rangeAsync', found, wanted)
  })()
  return beside(session, read, step[4])
}

const isBeside = (choice: number): boolean => choice % 3 === 0

/** A moment for a read that may run beside what comes next: "the latest" would take in what is written meanwhile. */
function momentBeside(session: Session, choice: number, way: number): ReturnType<typeof moment> {
  const found = moment(session, choice)
  const isLatest = found.options.seqno === Number.POSITIVE_INFINITY
  return isLatest && isBeside(way) ? { seqno: session.visible, options: {} } : found
}

/** Waits for a read, or lets it run beside what comes next: its result is that of now. */
async function beside(session: Session, read: Promise<void>, choice: number): Promise<void> {
  if (isBeside(choice)) session.start(read)
  else await read
}

export function guards(session: Session, program: Program, step: Step): void {
  const bounds = rangeOf(program, step)
  const { seqno, options } = moment(session, step[3])
  const wanted = session.model.range(bounds, seqno)
  const found = Array.from(session.tree.guards({ ...bounds, ...options }))
  expectEntries(
    'guards',
    found.map((guard) => guard.entry()),
    wanted,
  )
  found.forEach((guard, i) => {
    const size = wanted[i]?.[1].length
    check(guard.size() === size, () => `a guard's size is ${guard.size()}, not ${size}`)
  })
}

/** The part of a step's bounds that cursors and batches take. */
function intervalOf(program: Program, step: Step): ModelRange {
  const { limit: _limit, reverse: _reverse, ...interval } = rangeOf(program, step)
  return interval
}

/** Walks and seeks a cursor beside a place in the model's list. */
export function seekable(session: Session, program: Program, step: Step): void {
  const compare = session.set.order?.compare ?? Buffer.compare
  const interval = intervalOf(program, step)
  const { seqno, options } = moment(session, step[3])
  const entries = session.model.range(interval, seqno)
  const cursor = session.tree.seekable({ ...interval, ...options })
  // The number of the entry behind the cursor.
  let at = 0
  for (let i = 0; i < 12 + (step[4] % 20); i++) {
    const choice = (step[1] >> (i % 17)) + 31 * i + step[4]
    const form = choice % 7
    if (form < 2) {
      const key = boundOf(program, choice * 7919)
      const isBehind = form === 1
      if (isBehind) cursor.seekToForPrev(key)
      else cursor.seekTo(key)
      at = entries.filter(([other]) => {
        const order = compare(other, key)
        return order < 0 || (order === 0 && isBehind)
      }).length
    } else if (form < 4) {
      const { done, value } = cursor.next()
      const wanted = entries[at]
      expectEntries('a cursor’s next', done ? [] : [value], wanted ? [wanted] : [])
      at = Math.min(at + 1, entries.length)
    } else if (form < 6) {
      const { done, value } = cursor.prev()
      const wanted = entries[at - 1]
      expectEntries('a cursor’s prev', done ? [] : [value], wanted ? [wanted] : [])
      at = Math.max(at - 1, 0)
    } else {
      const wanted = entries[at]?.[0] ?? Buffer.alloc(0)
      expectValue('peekKey', wanted, cursor.peekKey(), entries[at]?.[0])
    }
  }
  cursor.return()
}

/** Intervals between sorted keys of the program. */
export function batchRanges(session: Session, program: Program, [, a, b, c]: Step): void {
  const compare = session.set.order?.compare ?? Buffer.compare
  const { seqno, options } = moment(session, b)
  const keys = Array.from({ length: 2 * (1 + (a % 6)) }, (_, i) => keyOf(program, c + i * (b % 97)))
  keys.sort(compare)
  const intervals: ModelRange[] = []
  for (let i = 0; i < keys.length; i += 2) {
    const [low, high] = [keys[i] as Buffer, keys[i + 1] as Buffer]
    const lower = (c >> i) % 2 === 0 && i > 0 ? { gt: low } : { gte: low }
    intervals.push({ ...lower, lt: high })
  }
  const found = session.tree.batchRangeScan(intervals, options)
  const wanted = intervals.flatMap((interval) => session.model.range(interval, seqno))
  expectEntries('batchRangeScan', found, wanted)
}

/** The newest version that a trace shows below the seqno decides what a get finds, if no range delete does. */
export function trace(session: Session, program: Program, [, a]: Step): void {
  const key = keyOf(program, a)
  const seqno = session.visible
  const versions = session.tree.trace(key).filter((version) => version.seqno < seqno)
  const newest = versions.reduce<(typeof versions)[number] | undefined>(
    (best, version) => (best === undefined || version.seqno > best.seqno ? version : best),
    undefined,
  )
  // Operands are folded, which a trace does not do.
  if (newest?.kind === 'mergeOperand') return
  const isHidden = (newest?.seqno ?? 0) < session.model.coverOf(key, seqno)
  const value = newest?.kind === 'value' && !isHidden ? newest.value : undefined
  expectValue('the newest traced version', key, value, session.model.get(key, seqno))
}
