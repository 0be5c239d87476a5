/**
 * The reading steps of programs: each asks the tree and the model the same, and throws where they differ.
 */
import { VarveError } from '../../src/shared/base/errors.js'
import { StdFileSystem } from '../../src/shared/fs/std-file-system.js'
import type { Entry, ModelRange, ModelRangeDelete } from './model.js'
import type { Program, Step } from './program.js'
import { check, type Session } from './session.js'

export function keyOf({ keys }: Program, index: number): Buffer {
  return keys[index % keys.length] as Buffer
}

const brief = (bytes: Uint8Array | undefined): string =>
  bytes === undefined
    ? 'nothing'
    : bytes.length > 24
      ? `${bytes.length} bytes ${Buffer.from(bytes.subarray(0, 16)).toString('hex')}…`
      : `<${Buffer.from(bytes).toString('hex')}>`

function same(found: Uint8Array | undefined, wanted: Buffer | undefined): boolean {
  if (found === undefined || wanted === undefined) return found === wanted
  return wanted.equals(found)
}

export function expectValue(
  what: string,
  key: Buffer,
  found: Uint8Array | undefined,
  wanted: Buffer | undefined,
): void {
  check(
    same(found, wanted),
    () => `${what} of ${brief(key)}: ${brief(found)}, not ${brief(wanted)}`,
  )
}

export function expectEntries(
  what: string,
  found: Iterable<Entry>,
  wanted: readonly Entry[],
): void {
  let at = 0
  for (const [key, value] of found) {
    const entry = wanted[at++]
    check(
      entry?.[0].equals(key) === true && entry[1].equals(value),
      () =>
        `${what}, entry ${at - 1}: ${brief(key)} = ${brief(value)}, not ` +
        `${brief(entry?.[0])} = ${brief(entry?.[1])}`,
    )
  }
  check(at === wanted.length, () => `${what} ends after ${at} of ${wanted.length} entries`)
}

/** The seqno of a plain read, and the options that ask for it: mostly none. */
export function moment(
  session: Session,
  choice: number,
): { seqno: number; options: { seqno?: number } } {
  const { visible } = session
  if (choice % 8 === 0) return { seqno: visible, options: { seqno: visible } }
  if (choice % 8 === 1) {
    return { seqno: Number.MAX_SAFE_INTEGER, options: { seqno: Number.POSITIVE_INFINITY } }
  }
  return { seqno: visible, options: {} }
}

/** A bound: a key of the program, one that nobody writes, or a part of one. */
export function boundOf(program: Program, choice: number): Buffer {
  const key = keyOf(program, choice)
  const form = choice % 5
  if (form === 0) return Buffer.concat([key, Buffer.from([choice % 256])]).subarray(0, 65_535)
  if (form === 1) return key.subarray(0, 1 + (choice % key.length))
  return key
}

/** The bounds of a range delete: mostly near each other, sometimes the wrong way round. */
export function deleteOf(program: Program, [, a, b, c]: Step): ModelRangeDelete {
  const start = boundOf(program, a)
  const near = Buffer.concat([start, Buffer.from([b % 256])]).subarray(0, 65_535)
  return { start, end: c % 3 === 0 ? near : boundOf(program, b) }
}

/** Bounds of every form, inverted ones too. */
export function rangeOf(program: Program, [, a, b, c, d]: Step): ModelRange {
  const low = boundOf(program, a)
  const high = boundOf(program, b)
  return {
    ...([{}, { gt: low }, { gte: low }, { gte: low, gt: low }][c % 4] as ModelRange),
    ...([{}, { lt: high }, { lte: high }, { lte: high, lt: high }][(c >> 3) % 4] as ModelRange),
    ...(d % 2 === 0 ? { reverse: true } : {}),
    ...((d >> 1) % 3 === 0 ? { limit: (d >> 3) % 12 } : {}),
  }
}

export function get(session: Session, program: Program, [, a, b]: Step): void {
  const key = keyOf(program, a)
  const { seqno, options } = moment(session, b)
  expectValue('get', key, session.tree.get(key, options), session.model.get(key, seqno))
}

export function getInto(session: Session, program: Program, [, a, b, c]: Step): void {
  const key = keyOf(program, a)
  const { seqno, options } = moment(session, b)
  const wanted = session.model.get(key, seqno)
  const target = Buffer.alloc(c % 600)
  const length = session.tree.getInto(key, target, options)
  check(length === (wanted?.length ?? -1), () => `getInto gives ${length}, not ${wanted?.length}`)
  if (wanted === undefined) return
  const part = Math.min(length, target.length)
  expectValue('getInto', key, target.subarray(0, part), wanted.subarray(0, part))
  const text = session.tree.getString(key, options)
  check(text === wanted.toString('utf8'), () => `getString of ${brief(key)} differs`)
}

export function multiGet(session: Session, program: Program, [, a, b, c]: Step): void {
  const { seqno, options } = moment(session, b)
  const keys = Array.from({ length: a % 20 }, (_, i) => keyOf(program, c + i * (b % 11)))
  const found = session.tree.multiGet(keys, options)
  check(found.length === keys.length, () => 'multiGet gives one answer for each key')
  keys.forEach((key, i) => {
    expectValue('multiGet', key, found[i], session.model.get(key, seqno))
  })
}

export function contains(session: Session, program: Program, [, a, b]: Step): void {
  // Beside keys of the program, some that are never written: filters answer those.
  const key = b % 3 === 0 ? boundOf(program, a) : keyOf(program, a)
  const { seqno, options } = moment(session, b >> 3)
  const wanted = session.model.get(key, seqno)
  check(
    session.tree.containsKey(key, options) === (wanted !== undefined),
    () => `containsKey of ${brief(key)} differs from ${brief(wanted)}`,
  )
  const size = session.tree.sizeOf(key, options)
  check(size === wanted?.length, () => `sizeOf ${brief(key)}: ${size}, not ${wanted?.length}`)
}

export function containsPrefix(session: Session, program: Program, [, a, b, c]: Step): void {
  const prefix = c % 10 === 0 ? Buffer.alloc(0) : boundOf(program, a)
  const { seqno, options } = moment(session, b)
  const wanted = session.model.prefix(prefix, { limit: 1 }, seqno).length > 0
  check(
    session.tree.containsPrefix(prefix, options) === wanted,
    () => `containsPrefix ${brief(prefix)} is not ${wanted}`,
  )
}

export function range(session: Session, program: Program, step: Step): void {
  const bounds = rangeOf(program, step)
  const { seqno, options } = moment(session, step[3])
  const wanted = session.model.range(bounds, seqno)
  const form = step[4] % 5
  if (form === 0) {
    const keys = [...session.tree.range({ ...bounds, ...options, values: false })]
    const values = wanted.map(([key]) => [key, Buffer.alloc(0)] as const)
    expectEntries(
      'range of keys',
      keys.map((key) => [key, Buffer.alloc(0)] as const),
      values,
    )
  } else if (form === 1) {
    const values = [...session.tree.range({ ...bounds, ...options, keys: false })]
    const found = values.map((value) => [Buffer.alloc(0), value] as const)
    expectEntries(
      'range of values',
      found,
      wanted.map(([, value]) => [Buffer.alloc(0), value] as const),
    )
  } else {
    expectEntries('range', session.tree.range({ ...bounds, ...options }), wanted)
  }
}

export function prefix(session: Session, program: Program, step: Step): void {
  const start = step[1] % 12 === 0 ? Buffer.alloc(0) : boundOf(program, step[1])
  const shape = rangeOf(program, step)
  const bounds = step[2] % 3 === 0 ? shape : { limit: shape.limit, reverse: shape.reverse }
  const { seqno, options } = moment(session, step[3])
  const given = Object.fromEntries(
    Object.entries(bounds).filter(([, value]) => value !== undefined),
  )
  const wanted = session.model.prefix(start, given, seqno)
  expectEntries('prefix', session.tree.prefix(start, { ...given, ...options }), wanted)
}

/** Takes from both ends of `iterator` in the order that `pattern` says. */
export function doubleEnded(session: Session, program: Program, step: Step): void {
  const bounds = rangeOf(program, step)
  const { seqno, options } = moment(session, step[3])
  const rest = [...session.model.range({ ...bounds, limit: undefined }, seqno)]
  const { limit = Number.POSITIVE_INFINITY } = bounds
  using iterator = session.tree.range({ ...bounds, ...options })
  for (let i = 0; i <= rest.length + i; i++) {
    const isBack = ((step[1] >> (i % 28)) & 1) === 1
    const wanted = i >= limit ? undefined : isBack ? rest.pop() : rest.shift()
    const next = isBack ? iterator.nextBack() : iterator.next()
    expectEntries('from both ends', next.done ? [] : [next.value], wanted ? [wanted] : [])
    if (wanted === undefined) return
  }
}

export function edges(session: Session, _: Program, [, a]: Step): void {
  const { seqno, options } = moment(session, a)
  const wanted = session.model.range({}, seqno)
  const first = session.tree.firstKeyValue(options)
  const last = session.tree.lastKeyValue(options)
  expectEntries('firstKeyValue', first ? [first] : [], wanted.slice(0, 1))
  expectEntries('lastKeyValue', last ? [last] : [], wanted.slice(-1))
  check(session.tree.isEmpty(options) === (wanted.length === 0), () => 'isEmpty differs')
}

export function count(session: Session, _: Program, [, a]: Step): void {
  const { seqno, options } = moment(session, a)
  const wanted = session.model.range({}, seqno).length
  const length = session.tree.len(options)
  check(length === wanted, () => `len gives ${length}, not ${wanted}`)
}

/** A read at any older seqno is right, or says that its history is gone; never wrong. */
export function bareRead(session: Session, program: Program, [, a, b, c]: Step): void {
  const key = keyOf(program, a)
  const { visible } = session
  const seqno = c % 9 === 0 ? b % (visible + 1) : Math.max(0, visible - (b % 40))
  try {
    const what = `at seqno ${seqno} of ${visible}`
    expectValue(`get ${what}`, key, session.tree.get(key, { seqno }), session.model.get(key, seqno))
    if (c % 4 === 0) {
      expectEntries(`scan ${what}`, session.tree.iter({ seqno }), session.model.range({}, seqno))
    }
  } catch (error) {
    if (!VarveError.is(error, 'VARVE_SEQNO_COLLECTED') || seqno === visible) throw error
  }
}

/** Every kind of read that yields all entries agrees with the model, and so with every other. */
export async function checkAll(session: Session): Promise<void> {
  const { tree, model, visible } = session
  const all = model.range({}, visible)
  expectEntries('the whole tree', tree.iter(), all)
  expectEntries(
    'all guards',
    Array.from(tree.guards(), (guard) => guard.entry()),
    all,
  )
  expectEntries('one batch of ranges', tree.batchRangeScan([{}]), all)
  const cursor = tree.seekable()
  expectEntries('a cursor', cursor, all)
  cursor.return()
  const later: Entry[] = []
  for await (const chunk of tree.rangeAsync()) later.push(...chunk)
  expectEntries('the whole tree without waiting', later, all)
  const keys = all.map(([key]) => key)
  const together = tree.multiGet(keys)
  const togetherLater = await tree.multiGetAsync(keys)
  all.forEach(([key, value], i) => {
    expectValue('multiGet after all', key, together[i], value)
    expectValue('multiGetAsync after all', key, togetherLater[i], value)
  })
  const reversed = model.range({ reverse: true }, visible)
  expectEntries('the whole tree backwards', tree.iter({ reverse: true }), reversed)
  for (const [key, value] of reversed) expectValue('get after all', key, tree.get(key), value)
}

export function snapshotRead(session: Session, program: Program, [, a, b]: Step): void {
  const snapshot = session.snapshots[a % Math.max(1, session.snapshots.length)]
  if (snapshot === undefined) return
  const key = keyOf(program, b)
  const wanted = session.model.get(key, snapshot.seqno)
  expectValue(`get at the snapshot ${snapshot.seqno}`, key, snapshot.get(key), wanted)
}

export function snapshotScan(session: Session, program: Program, step: Step): void {
  const snapshot = session.snapshots[step[1] % Math.max(1, session.snapshots.length)]
  if (snapshot === undefined) return
  const bounds = rangeOf(program, step)
  const wanted = session.model.range(bounds, snapshot.seqno)
  expectEntries(`range at the snapshot ${snapshot.seqno}`, snapshot.range(bounds), wanted)
}

export function openIterator(session: Session, program: Program, step: Step): void {
  const bounds = { ...rangeOf(program, step), limit: undefined }
  const given = Object.fromEntries(
    Object.entries(bounds).filter(([, value]) => value !== undefined),
  )
  const rest = session.model.range(given, session.visible)
  session.iterators.push({
    iterator: session.tree.range(given),
    rest: rest.map(([key, value]) => [key, value] as const),
  })
}

export function stepIterator(session: Session, _: Program, [, a, b, c]: Step): void {
  const open = session.iterators[a % Math.max(1, session.iterators.length)]
  if (open === undefined) return
  for (let i = 0; i <= b % 9; i++) {
    const isBack = c % 3 === 0 || (c % 3 === 1 && i % 2 === 0)
    const wanted = isBack ? open.rest.pop() : open.rest.shift()
    const next = isBack ? open.iterator.nextBack() : open.iterator.next()
    expectEntries('an open iterator', next.done ? [] : [next.value], wanted ? [wanted] : [])
    if (wanted !== undefined) continue
    session.iterators.splice(session.iterators.indexOf(open), 1)
    return
  }
}

/** Nothing lies in the folder but what belongs to the tree. */
export function checkFolder(session: Session): void {
  const { root, fs = new StdFileSystem() } = session.place
  const names = fs.list(root).map(({ name }) => name)
  const foreign = names.filter(
    (name) => !/^(current|LOCK|seqno-mark|tables|v\d+|edits-\d+)$/.test(name),
  )
  check(foreign.length === 0, () => `the folder holds ${foreign.join(', ')}`)
  const tables = fs.list(`${root}/tables`).length
  const wanted = session.tree.tableCount()
  check(tables === wanted, () => `${tables} files in tables, not ${wanted}`)
}
