/**
 * The compaction kernel against its twin over random versions and settings, with merge operators,
 * range tombstones and filters, and the rows of semantics.md 18.7.
 */
import t from 'tap'
import {
  EVENT_BLOCK_FULL,
  EVENT_HASHES_FULL,
  EVENT_NO_SPACE,
  EVENT_ROTATE,
  EVENT_WANTS_BLOCK,
  EVENT_YIELD,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../../src/shared/kernel/layout.js'
import {
  EVENT_FILTER,
  EVENT_FOLD,
  EVENT_FOLD_SPACE,
} from '../../src/shared/kernel/layout-compaction.js'
import {
  type CompactionRules,
  compactVersions,
} from '../../src/shared/kernel/reference/compaction-stream.js'
import { compareBytes } from '../../src/shared/kernel/reference/memtable.js'
import { groupByKey, mergeVersions } from '../../src/shared/kernel/reference/merge.js'
import type { ReferenceRange } from '../../src/shared/kernel/reference/ranges.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { xxh3Bits64 } from '../../src/shared/kernel/reference/xxh3.js'
import { RangeList } from '../../src/shared/table/range-set.js'
import {
  type CompactedTable,
  type CompactionCall,
  runCompaction,
} from '../support/kernel-compaction.js'
import { KernelMerge, type MergeSource } from '../support/kernel-merge.js'
import { Random, runSeed } from '../support/random.js'
import { publishRanges as publish } from '../support/ranges.js'
import { difference, isTombstone, randomKeys, randomVersions } from '../support/versions.js'
import { testWorkspace } from '../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(128)
const seen = new Map<number, number>()
const publishRanges = (ranges: readonly ReferenceRange[]) => publish(workspace, ranges)

/** One line of semantics.md 18.7: versions of one key, newest first, as `V5 T3`. */
function parse(text: string): Version[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word): Version => {
      const kind = 'VTWMI'.indexOf(word[0]!)
      const value = isTombstone(kind) ? '' : word
      return {
        key: Buffer.from('k'),
        seqno: Number(word.slice(1)),
        kind,
        value: Buffer.from(value),
      }
    })
}

const format = (versions: readonly Version[]): string =>
  versions.map(({ kind, seqno }) => `${'VTWMI'[kind]}${seqno}`).join(' ')

function source(versions: readonly Version[], blockEntries: number): MergeSource {
  return { type: 'blocks', versions, blockEntries, globalSeqno: 0 }
}

type Row = readonly [input: string, watermark: number, last: 'yes' | 'no' | 'any', output: string]

const rows: readonly Row[] = [
  ['V5 V3', 4, 'any', 'V5'],
  ['V5 V4', 4, 'any', 'V5 V4'],
  ['T5 V3', 4, 'no', 'T5'],
  ['T5 V3', 4, 'yes', ''],
  ['T5 V4', 4, 'yes', 'T5 V4'],
  ['T5', 0, 'yes', ''],
  ['W5 V3 V1', 4, 'any', ''],
  ['W5 T3 V1', 4, 'any', 'W5'],
  ['W5 V4', 4, 'no', 'W5 V4'],
  ['V6 M3 V1', 5, 'any', 'V6'],
  ['M6 I2', 7, 'any', 'M6 I2'],
  // No operator: operands pass as they are, and what they stand on stays with them.
  ['M6 M5 V2', 7, 'any', 'M6 M5 V2'],
  ['M6 M5', 7, 'any', 'M6 M5'],
  ['M6 M3 V1', 5, 'any', 'M6 M3 V1'],
  ['M6 V3 V1', 5, 'any', 'M6 V3'],
  ['M6 T4 V2', 7, 'no', 'M6 T4'],
  ['M6 T4 V2', 7, 'yes', 'M6'],
  // The rules of 18 and 18.5 that the table leaves out.
  ['V5', 9, 'any', 'V5'],
  ['T5', 9, 'no', 'T5'],
  ['W5', 9, 'no', 'W5'],
  ['W5', 0, 'yes', ''],
  ['W5 I3 V1', 4, 'any', ''],
  ['W5 M3 V1', 4, 'any', 'W5'],
  // A tombstone behind the pair may hide what lies in a table elsewhere: it stays.
  ['W5 V4 T3 V2', 6, 'no', 'T3'],
  ['W5 V4 T3 V2', 6, 'yes', ''],
  ['W5 V4 W3', 6, 'no', 'W3'],
  ['W5 V4 W3 V2', 6, 'any', ''],
  ['W5 V4 V3 W2 T1', 6, 'no', 'W2'],
  // So does a weak one below a value, which may be cancelled itself one day.
  ['V5 W4', 6, 'no', 'V5 W4'],
  ['V5 W4', 6, 'yes', 'V5'],
  ['V5 V4 T3 W2 V1', 6, 'any', 'V5'],
  ['V7 V6 W4 W3 V2', 8, 'no', 'V7 W4'],
  ['T5 W4', 6, 'no', 'T5'],
  ['W5 W4 V3', 5, 'any', 'W5'],
  ['W5 W4 V3', 4, 'any', 'W5'],
  ['V5 V4 V3 V2 V1', 3, 'any', 'V5 V4 V3'],
  ['T5 T4 T3', 0, 'no', 'T5 T4 T3'],
  ['T5 T4 T3', 0, 'yes', 'T5 T4'],
]

/** Joins what it is given: `base+a+b`, the base `-` where there is none. */
const joined: NonNullable<CompactionCall['fold']> = (base, operands) =>
  Buffer.from(
    [base ?? Buffer.from('-'), ...operands]
      .map((value) => Buffer.from(value).toString('latin1'))
      .join('+'),
    'latin1',
  )

type FoldRow = readonly [
  input: string,
  covered: number | undefined,
  watermark: number,
  last: 'yes' | 'no' | 'any',
  output: string,
]

/** With an operator; `covered` is the seqno of a range tombstone over the key. The values are shown. */
const foldRows: readonly FoldRow[] = [
  ['M6 M5 V2', undefined, 7, 'any', 'V6=V2+M5+M6'],
  ['M6 M5', undefined, 7, 'any', 'M6=-+M5+M6'],
  ['M6 M3 V1', undefined, 5, 'any', 'M6=M6 V3=V1+M3'],
  ['V6 M3 V1', undefined, 5, 'any', 'V6=V6'],
  ['M6 T4 V2', undefined, 7, 'no', 'V6=-+M6'],
  ['M6 I2', undefined, 7, 'any', 'M6=M6 I2=I2'],
  ['V3', 5, 6, 'yes', ''],
  ['V3', 6, 6, 'yes', 'V3=V3'],
  ['M7 V3', 5, 8, 'yes', 'V7=-+M7'],
  ['M7 V3', 5, 8, 'no', 'V7=-+M7'],
  // Beside the table: boundaries, watermarks between, lone operands.
  ['M7 M6 M4 V3', 5, 8, 'no', 'V7=-+M6+M7'],
  ['M7 M5 V3', 5, 8, 'no', 'V7=-+M5+M7'],
  ['M7 V3', 7, 8, 'no', 'V7=-+M7'],
  ['M7 V3', 8, 9, 'no', 'V7=V3+M7'],
  ['M7 V3', 8, 9, 'yes', ''],
  ['M7 V3', 8, 8, 'yes', 'V7=V3+M7'],
  ['M7', undefined, 9, 'any', 'M7=M7'],
  ['M7 W5 V3', undefined, 9, 'any', 'V7=-+M7'],
  ['M7 M6 I2 V1', undefined, 9, 'any', 'M7=M7 M6=M6 I2=I2'],
  ['M9 M8 M3 M2 V1', undefined, 5, 'any', 'M9=M9 M8=M8 V3=V1+M2+M3'],
  ['M9 M8 M3 M2', undefined, 5, 'any', 'M9=M9 M8=M8 M3=-+M2+M3'],
]

t.test('the worked examples with a merge operator and range tombstones', async (t) => {
  for (const [input, covered, watermark, last, output] of foldRows) {
    for (const evicts of last === 'any' ? [false, true] : [last === 'yes']) {
      const bounds = { start: Buffer.from('a'), end: Buffer.from('z') }
      const ranges = covered === undefined ? [] : [{ ...bounds, seqno: covered }]
      const state = publishRanges(ranges)
      const rules = { watermark, evicts, applies: evicts, fold: joined }
      const merge = new KernelMerge(workspace, [source(parse(input), 1)], false)
      const call = { ...rules, blockSize: 1, rangesAddress: state.address }
      const { tables } = runCompaction(workspace, merge, call)
      merge.dispose()
      state.dispose()
      const show = (versions: readonly Version[]): string =>
        versions.map((one) => `${format([one])}=${Buffer.from(one.value)}`).join(' ')
      const found = tables.flatMap(({ blocks }) => blocks.flat())
      const name = `${input}, range ${covered}, w = ${watermark}${evicts ? ', last level' : ''}`
      t.equal(show(found), output, name)
      t.equal(
        show(compactVersions(parse(input), { ...rules, ranges })),
        output,
        `the twin: ${name}`,
      )
    }
  }
})

t.test('a boundary that is not durable yet ends a fold, and nothing goes', async (t) => {
  const ranges = [{ start: Buffer.from('a'), end: Buffer.from('z'), seqno: 5 }]
  const list = new RangeList(workspace, ranges)
  const fold = joined
  const call = { watermark: 9, evicts: false, fold, blockSize: 1, unsureAddress: list.address }
  const merge = new KernelMerge(workspace, [source(parse('M8 M7 M4 V3'), 1)], false)
  const { tables } = runCompaction(workspace, merge, call)
  merge.dispose()
  list.dispose()
  const found = tables.flatMap(({ blocks }) => blocks.flat())
  t.equal(format(found), 'M8 V4')
  t.equal(String(Buffer.from(found[0]!.value)), '-+M7+M8')
})

t.test('an operator that refuses loses nothing', async (t) => {
  for (const input of ['M6 M5 V2 V1', 'M6 M5', 'M6 T4 V2', 'M6 M4 I2 V1', 'M6 M5 W3 V2']) {
    const merge = new KernelMerge(workspace, [source(parse(input), 1)], false)
    const call = { watermark: 9, evicts: false, fold: () => undefined, blockSize: 1 }
    const { tables } = runCompaction(workspace, merge, call)
    merge.dispose()
    const found = tables.flatMap(({ blocks }) => blocks.flat())
    const wanted = compactVersions(parse(input), { watermark: 9, evicts: false })
    t.equal(format(found), format(wanted), input)
  }
})

t.test('the worked examples of semantics.md 18.7', async (t) => {
  for (const [input, watermark, last, output] of rows) {
    for (const evicts of last === 'any' ? [false, true] : [last === 'yes']) {
      for (const blockEntries of [1, 10]) {
        const merge = new KernelMerge(workspace, [source(parse(input), blockEntries)], false)
        const call = { watermark, evicts, blockSize: 1 }
        const { tables } = runCompaction(workspace, merge, call)
        merge.dispose()
        const found = tables.flatMap(({ blocks }) => blocks.flat())
        t.equal(format(found), output, `${input}, w = ${watermark}${evicts ? ', last level' : ''}`)
      }
      const twin = compactVersions(parse(input), { watermark, evicts })
      t.equal(format(twin), output, `the twin: ${input}`)
    }
  }
})

/** What the meta block of a table of these versions says. */
function sumsOf(versions: readonly Version[]): CompactedTable['sums'] {
  const count = (test: (version: Version) => boolean): number => versions.filter(test).length
  const seqnos = versions.map(({ seqno }) => seqno)
  const pairs = groupByKey(versions).flatMap((group) => {
    return group.filter((version, i) => {
      const newer = group[i - 1]
      return newer?.kind === KIND_WEAK_TOMBSTONE && version.kind === KIND_VALUE
    })
  })
  return {
    itemCount: versions.length,
    keyCount: groupByKey(versions).length,
    tombstoneCount: count(({ kind }) => isTombstone(kind)),
    weakCount: count(({ kind }) => kind === KIND_WEAK_TOMBSTONE),
    weakReclaimable: pairs.length,
    keyBytes: versions.reduce((sum, { key }) => sum + key.length, 0),
    valueBytes: versions.reduce((sum, { value }) => sum + value.length, 0),
    seqnoMin: seqnos.reduce((least, seqno) => Math.min(least, seqno)),
    seqnoMax: seqnos.reduce((most, seqno) => Math.max(most, seqno)),
  }
}

/** Checks one written table: sizes of its blocks, sums, hashes. */
function judgeTable({ blocks, hashes, sums }: CompactedTable, call: CompactionCall): string[] {
  const wrong: string[] = []
  const payload = (block: readonly Version[]): number =>
    block.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
  blocks.forEach((block, i) => {
    if (payload(block.slice(0, -1)) >= call.blockSize) wrong.push(`block ${i} is too large`)
    if (i + 1 < blocks.length && payload(block) < call.blockSize) wrong.push(`block ${i} is short`)
  })
  const versions = blocks.flat()
  const expected = sumsOf(versions)
  if (JSON.stringify(sums) !== JSON.stringify(expected)) {
    wrong.push(`sums ${JSON.stringify(sums)}, not ${JSON.stringify(expected)}`)
  }
  const keys = call.hashCapacity ? groupByKey(versions).map(([version]) => version!.key) : []
  const wanted = keys.map(xxh3Bits64)
  if (hashes.join() !== wanted.join()) wrong.push('other hashes than those of the keys')
  return wrong
}

function check(
  sources: readonly MergeSource[],
  call: CompactionCall & Partial<CompactionRules>,
): string[] {
  const merge = new KernelMerge(workspace, sources, false)
  const { tables, events, entriesIn, entriesDropped } = runCompaction(workspace, merge, call)
  merge.dispose()
  for (const [event, count] of events) seen.set(event, (seen.get(event) ?? 0) + count)
  const merged = mergeVersions(sources.map(({ versions }) => versions))
  const expected = compactVersions(merged, call)
  const found = tables.flatMap(({ blocks }) => blocks.flat())
  const wrong = tables.flatMap((table) => judgeTable(table, call))
  const problem = difference(found, expected)
  if (problem !== undefined) wrong.push(problem)
  if (entriesIn !== merged.length) wrong.push(`${entriesIn} in, not ${merged.length}`)
  if (entriesDropped !== merged.length - expected.length) wrong.push(`${entriesDropped} dropped`)
  for (let i = 1; i < tables.length; i++) {
    const [last, first] = [tables[i - 1]!.blocks.at(-1)!.at(-1)!, tables[i]!.blocks[0]![0]!]
    if (Buffer.compare(last.key, first.key) === 0) wrong.push('a key lies in two tables')
  }
  return wrong
}

function randomSources(): MergeSource[] {
  const keys = randomKeys(random, 1 + random.below(random.pick([1, 5, 40])))
  const kinds = random.chance(0.3)
    ? { kinds: [KIND_VALUE, KIND_TOMBSTONE, KIND_WEAK_TOMBSTONE] }
    : {}
  // Few seqnos, so that sources hold the same (key, seqno).
  const seqnoMax = random.pick([2, 8, 30])
  return Array.from({ length: 1 + random.below(6) }, (): MergeSource => {
    const shape = { seqnoMin: 0, seqnoMax, versionsMax: 4, ...kinds }
    return {
      type: random.chance(0.3) ? 'memtable' : 'blocks',
      versions: randomVersions(random, keys, shape),
      blockEntries: 1 + random.below(random.pick([1, 5])),
      globalSeqno: 0,
    }
  })
}

/** The sources without what an earlier one holds under the same key and seqno. */
function withoutTwins(sources: readonly MergeSource[]): MergeSource[] {
  const met = new Set<string>()
  return sources.map((one) => {
    const versions = one.versions.filter(({ key, seqno }) => {
      const name = `${Buffer.from(key).toString('hex')} ${seqno}`
      if (met.has(name)) return false
      met.add(name)
      return true
    })
    return { ...one, versions }
  })
}

function someRanges(seqnoMax: number): ReferenceRange[] {
  const bounds = randomKeys(random, 4)
  return Array.from({ length: random.below(4) }, (): ReferenceRange => {
    const pair = [random.pick(bounds), random.pick(bounds)].sort(compareBytes)
    const end = Uint8Array.from([...pair[1]!, 0])
    return { start: pair[0]!, end, seqno: random.below(seqnoMax + 2) }
  })
}

/** Refuses some groups, by what is in them. */
const moody: NonNullable<CompactionCall['fold']> = (base, operands) => {
  const sum = operands.reduce((total, { length }) => total + length, operands.length)
  return sum % 5 === 0 ? undefined : joined(base, operands)
}

/** A verdict by key and seqno, so that equal versions get equal ones. */
const strict: NonNullable<CompactionCall['filter']> = ({ key, seqno }) => {
  const sum = key.reduce((total, byte) => total + byte, seqno * 7)
  const verdicts = ['keep', 'keep', 'remove', 'removeWeak', 'destroy'] as const
  return verdicts[sum % 6] ?? { replace: Buffer.from(`other ${sum}`) }
}

t.test('random versions with operators, range tombstones and filters', async (t) => {
  const wrong: string[] = []
  seen.clear()
  for (let round = 0; round < 1500; round++) {
    // What is twice there, a filter sees twice once the first one is destroyed: its tests have no such thing.
    const filters = random.chance(0.4)
    const sources = filters ? withoutTwins(randomSources()) : randomSources()
    const [ranges, unsure] = [someRanges(30), someRanges(30)]
    const state = publishRanges(ranges)
    const list = new RangeList(workspace, unsure)
    const problems = check(sources, {
      watermark: random.pick([0, random.below(32), 2 ** 53 - 1]),
      evicts: random.chance(0.5),
      isExact: random.chance(0.5),
      ranges,
      unsure,
      rangesAddress: state.address,
      unsureAddress: list.address,
      applies: random.chance(0.5),
      ...(random.chance(0.7) ? { fold: random.pick([joined, moody]) } : {}),
      ...(filters ? { filter: strict } : {}),
      blockSize: random.pick([1, 100, 4096]),
      rotates: () => random.chance(0.3),
    })
    wrong.push(...problems.map((problem) => `round ${round}: ${problem}`))
    state.dispose()
    list.dispose()
  }
  t.strictSame(wrong.slice(0, 5), [])
  for (const event of [EVENT_FOLD, EVENT_FOLD_SPACE, EVENT_FILTER]) {
    t.ok((seen.get(event) ?? 0) > 100, `event ${event} came ${seen.get(event)} times`)
  }
})

t.test('random versions and settings', async (t) => {
  const wrong: string[] = []
  for (let round = 0; round < 700; round++) {
    const rotation = random.pick([0, 0.3, 1])
    wrong.push(
      ...check(randomSources(), {
        watermark: random.pick([0, 1, random.below(32), 2 ** 53 - 1]),
        evicts: random.chance(0.5),
        isExact: random.chance(0.5),
        blockSize: random.pick([1, 20, 100, 4096]),
        restartInterval: random.pick([1, 2, 16]),
        hashRatio: random.pick([0, 1.33]),
        bufferBytes: random.pick([64, 300, 10_000]),
        hashCapacity: random.pick([0, 1, 3, 1000]),
        rotates: () => random.chance(rotation),
      }),
    )
  }
  t.strictSame(wrong.slice(0, 5), [])
  const events = [
    EVENT_WANTS_BLOCK,
    EVENT_BLOCK_FULL,
    EVENT_ROTATE,
    EVENT_NO_SPACE,
    EVENT_HASHES_FULL,
  ]
  for (const event of events) {
    t.ok((seen.get(event) ?? 0) > 20, `event ${event} came ${seen.get(event)} times`)
  }
})

t.test('the loop comes back once in a while even where it writes nothing', async (t) => {
  seen.clear()
  const versions = Array.from({ length: 200_000 }, (_, i): Version => {
    const key = Uint8Array.of(i >> 16, i >> 8, i)
    return { key, seqno: 5, kind: KIND_TOMBSTONE, value: new Uint8Array(0) }
  })
  const call = { watermark: 9, evicts: true, blockSize: 4096 }
  t.strictSame(check([source(versions, 200_000)], call), [])
  t.equal(seen.get(EVENT_YIELD), 3)
})
