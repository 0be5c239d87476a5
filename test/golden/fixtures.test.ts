/**
 * The engine against every golden fixture: what the crate wrote opens, read-only and writable, and shows exactly what
 * the fixture says, at several seqnos; it survives compaction and takes further writes; what this version cannot read
 * is refused with its reason. A read-only open changes nothing on disk.
 */

import { cpSync, existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { open, type Tree, VarveError } from '../../src/main/index.js'
import { decodeTree, fromHex, Model, type ModelEntry, toHex } from '../support/decoder/index.js'
import {
  codeOf,
  concatenation,
  copyTree,
  linesOfPairs,
  listing,
  visibleLines,
} from '../support/trees.js'
import { fixtureFolders, goldenFolder, linesOf, subfolders } from './fixtures.js'

/** Reads go back to the first seqno: nothing was collected. */
const manual = {
  maintenance: 'manual',
  mergeOperator: concatenation,
  runtime: { retainFrom: 0 },
} as const
const LATEST = Number.MAX_SAFE_INTEGER

/** What has to be visible, by seqno. */
type Expectation = readonly { readonly seqno: number; readonly lines: readonly string[] }[]

const concatenate = (
  _key: Uint8Array,
  base: Uint8Array | undefined,
  operands: readonly Uint8Array[],
): Uint8Array => Buffer.concat([base ?? Buffer.alloc(0), ...operands])

const isThere = (path: string): boolean => existsSync(path) || existsSync(`${path}.gz`)

/** The state by the plain model over what the fixture lists; range tombstones come from the independent decoder. */
function modelOf(folder: string): Model {
  const { tables, model } = decodeTree(folder)
  const entries = tables.flatMap(({ record: { id } }): ModelEntry[] => {
    const own = join(folder, `expect-${id}.txt`)
    return linesOf(isThere(own) ? own : join(folder, '../plain/expect-0.txt')).map((line) => {
      const [key, seqno, kind, value] = line.split(' ')
      return {
        key: fromHex(key as string),
        seqno: BigInt(seqno as string),
        kind: Number(kind),
        value: fromHex(value ?? ''),
        rank: 0,
      }
    })
  })
  const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)
  return new Model(entries, model.rangeTombstones, compare, concatenate)
}

function expectedOfTable(folder: string): Expectation {
  const model = modelOf(folder)
  const stored = [...model.entries, ...model.rangeTombstones].map(({ seqno }) => Number(seqno))
  const highest = Math.max(...stored)
  const lowest = Math.min(...stored)
  const middle = Math.floor((lowest + highest) / 2)
  const seqnos = new Set([0, 1, lowest + 1, middle, middle + 1, highest, highest + 1, LATEST])
  return [...seqnos].map((seqno) => ({ seqno, lines: linesOfPairs(model.visible(BigInt(seqno))) }))
}

function expectedOfTree(folder: string): Expectation {
  const names = readdirSync(folder).filter((name) => /^expect(-\d+)?\.txt$/.test(name))
  return names.map((name) => {
    const seqno = Number(/\d+/.exec(name)?.[0] ?? LATEST)
    return { seqno, lines: linesOf(join(folder, name)) }
  })
}

function check(test: Pick<typeof t, 'ok'>, tree: Tree, expected: Expectation, when: string): void {
  for (const { seqno, lines } of expected) {
    const shown = visibleLines(tree, seqno)
    const isSame = shown.join('\n') === lines.join('\n')
    test.ok(
      isSame,
      `${when}: ${lines.length} entries at ${seqno === LATEST ? 'the latest' : seqno}`,
    )
  }
}

/** Keys that must be absent although they lie among the present ones: filters and indexes get to say no. */
function checkAbsent(test: Pick<typeof t, 'same'>, tree: Tree): void {
  const keys = Array.from(tree.range({ values: false, limit: 2_000 }))
  const present = new Set(keys.map(toHex))
  const others = keys.map((key) => Buffer.concat([key, Buffer.of(0)]))
  const found = others.filter((key) => !present.has(toHex(key)) && tree.containsKey(key))
  test.same(found, [], 'keys behind present ones are absent')
}

function suite(name: string, source: string, expectationOf: () => Expectation): void {
  t.test(`\`compat_corpus\`: ${name}`, async (t) => {
    const expected = expectationOf()
    t.ok(expected.length > 0, 'the fixture states what is visible')
    const folder = copyTree(source, join(t.testdir(), 'db'))

    const before = listing(folder)
    const reader = await open(folder, { ...manual, readOnly: true })
    check(t, reader, expected, 'read-only')
    checkAbsent(t, reader)
    t.equal(await codeOf(() => reader.insert('a', 'b')), 'VARVE_READ_ONLY')
    await reader.close()
    t.same(listing(folder), before, 'a read-only open changes nothing on disk')

    const writer = await open(folder, manual)
    check(t, writer, expected, 'writable')
    const latest = [{ seqno: LATEST, lines: visibleLines(writer) }]
    await writer.close()

    const compacting = await open(folder, manual)
    await compacting.majorCompact()
    check(t, compacting, latest, 'after major compaction')
    await compacting.close()

    const again = await open(folder, manual)
    check(t, again, latest, 'reopened')
    const [victim = Buffer.from('nothing')] = again.range({ values: false, limit: 1 })
    again.insert('\0first', 'here')
    again.remove(victim)
    const first = linesOfPairs([[Buffer.from('\0first'), Buffer.from('here')]])
    const changed = [...first, ...(latest[0]?.lines.slice(1) ?? [])]
    t.same(visibleLines(again), changed, 'takes writes on top')
    await again.flush()
    t.same(visibleLines(again), changed, 'and flushes them')
    await again.majorCompact()
    await again.close()
    const last = await open(folder, { ...manual, readOnly: true })
    t.same(visibleLines(last), changed, 'and keeps them')
    await last.close()
  })
}

/** A folder that must be refused, whichever way it is opened, with nothing changed. */
function refused(name: string, source: string, code: string, reason: RegExp): void {
  t.test(`${name} is refused`, async (t) => {
    const folder = join(t.testdir(), 'db')
    if (code === 'VARVE_INVALID_VERSION') cpSync(source, folder, { recursive: true })
    else copyTree(source, folder)
    const before = listing(folder)
    for (const readOnly of [true, false]) {
      const how = readOnly ? 'read-only' : 'writable'
      try {
        await (await open(folder, { ...manual, readOnly, directoryLock: false })).close()
        t.fail(`${how}: it was opened`)
      } catch (error) {
        t.ok(VarveError.is(error, code as 'VARVE_UNSUPPORTED'), `${how}: ${String(error)}`)
        t.match((error as Error).message, reason, 'the message says why')
        t.match((error as Error).message, folder, 'and names the place')
      }
      t.same(listing(folder), before, 'nothing was changed on disk')
    }
    t.equal(await codeOf(() => open(folder, manual)), code, 'with a lock as well')
    const left = listing(folder).filter((line) => !line.startsWith('LOCK'))
    t.same(left, before, 'which leaves a LOCK file at most')
  })
}

function isBlobTree(folder: string): boolean {
  return existsSync(join(folder, 'blobs'))
}

for (const fixtures of fixtureFolders()) {
  const which = fixtures === goldenFolder ? 'repository' : 'complete'
  for (const folder of subfolders(join(fixtures, 'v5/tables'))) {
    const name = `${which}: table ${basename(folder)}`
    if (isBlobTree(folder)) refused(name, folder, 'VARVE_UNSUPPORTED', /blob files/)
    else if (basename(folder) === 'columnar') refused(name, folder, 'VARVE_UNSUPPORTED', /columnar/)
    else suite(name, folder, () => expectedOfTable(folder))
  }
  for (const folder of subfolders(join(fixtures, 'v5/trees'))) {
    const name = `${which}: tree ${basename(folder)}`
    const inner = join(folder, 'db')
    const place = existsSync(inner) ? inner : folder
    if (isBlobTree(place)) refused(name, place, 'VARVE_UNSUPPORTED', /blob files/)
    else suite(name, place, () => expectedOfTree(folder))
  }
  suite(`${which}: the golden tree of release 5.6.0`, join(fixtures, 'compat_v5_6_0'), () => {
    const number = (i: number): string => String(i).padStart(4, '0')
    const pairs = Array.from({ length: 20 }, (_, i): [Buffer, Buffer] => {
      return [Buffer.from(`k${number(i)}`), Buffer.from(`v${number(i)}-golden`)]
    })
    return [
      { seqno: LATEST, lines: linesOfPairs(pairs) },
      { seqno: 5, lines: linesOfPairs(pairs.slice(0, 5)) },
      { seqno: 0, lines: [] },
    ]
  })
  refused(
    `${which}: a V1 database`,
    join(fixtures, 'v1_tree'),
    'VARVE_INVALID_VERSION',
    /V1|version 1/,
  )
}
