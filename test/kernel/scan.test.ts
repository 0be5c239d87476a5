/** The scan kernel against its twin: both directions, every flag, batches down to one tiny row. */
import t from 'tap'
import {
  EVENT_BATCH_FULL,
  EVENT_NO_SPACE,
  EVENT_OPERAND,
  EVENT_WANTS_BLOCK,
  KIND_MERGE_OPERAND,
  KIND_VALUE,
  SCAN_EVERY_VERSION,
  SCAN_KEYS_ONLY,
} from '../../src/shared/kernel/layout.js'
import { scanVersions } from '../../src/shared/kernel/reference/scan.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { KernelMerge, type MergeSource } from '../support/kernel-merge.js'
import { runScan, type ScanCall } from '../support/kernel-scan.js'
import { Random, runSeed } from '../support/random.js'
import { difference, randomKeys, randomVersions } from '../support/versions.js'
import { testWorkspace } from '../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(64)
const seen = new Map<number, number>()

function randomSources(): MergeSource[] {
  const keys = randomKeys(random, 1 + random.below(random.pick([1, 4, 40])))
  const mostlyOperands = [KIND_MERGE_OPERAND, KIND_MERGE_OPERAND, KIND_VALUE]
  const kinds = random.chance(0.2) ? { kinds: mostlyOperands } : {}
  return Array.from({ length: 1 + random.below(6) }, (): MergeSource => {
    const some = keys.filter(() => random.chance(0.6))
    const shape = { seqnoMin: 0, seqnoMax: 60, versionsMax: 4, ...kinds }
    return {
      type: random.chance(0.4) ? 'memtable' : 'blocks',
      versions: randomVersions(random, some, shape),
      blockEntries: 1 + random.below(random.pick([1, 4])),
      globalSeqno: 0,
    }
  })
}

/** What the kernel should hand out: operands by their key, and of keys alone no value bytes. */
function expectedRows(versions: readonly Version[], flags: number): Version[] {
  const none = new Uint8Array(0)
  return versions.map((version) => {
    if (version.kind === KIND_MERGE_OPERAND && (flags & SCAN_EVERY_VERSION) === 0) {
      return { key: version.key, seqno: 0, kind: KIND_MERGE_OPERAND, value: none }
    }
    if ((flags & SCAN_KEYS_ONLY) === 0) return version
    return { ...version, value: new Uint8Array(version.value.length) }
  })
}

function check(sources: readonly MergeSource[], call: ScanCall): string | undefined {
  const { isReverse, bound, flags, seqno = Number.MAX_SAFE_INTEGER } = call
  const merge = new KernelMerge(workspace, sources, isReverse)
  const { versions, events } = runScan(workspace, merge, call)
  merge.dispose()
  for (const [event, count] of events) seen.set(event, (seen.get(event) ?? 0) + count)
  const expected = scanVersions(
    sources.map((source) => source.versions),
    {
      lower: isReverse ? bound : undefined,
      upper: isReverse ? undefined : bound,
      seqno,
      isReverse,
      everyVersion: (flags & SCAN_EVERY_VERSION) !== 0,
    },
  )
  return difference(versions, expectedRows(expected, flags))
}

for (const isReverse of [false, true]) {
  t.test(isReverse ? 'in reverse' : 'forward', async (t) => {
    const wrong: string[] = []
    seen.clear()
    for (let round = 0; round < 400; round++) {
      const sources = randomSources()
      const keys = sources.flatMap(({ versions }) => versions.map(({ key }) => key))
      const near = keys.length === 0 ? Uint8Array.of(1) : random.pick(keys)
      const some = random.pick([near, Uint8Array.from([...near, 0]), random.bytes(2)])
      const isInclusive = random.chance(0.5)
      const bound = random.chance(0.3) ? undefined : { key: some, isInclusive }
      const call: ScanCall = {
        flags: random.pick([0, 0, SCAN_KEYS_ONLY, SCAN_EVERY_VERSION, 3]),
        isReverse,
        seqno: random.pick([0, 1, random.below(62), random.below(62), 2 ** 53 - 1]),
        bound,
        capacity: random.pick([8, 40, 64, 100, 200, 1000, 100_000]),
        rowsMax: random.pick([1, 2, 3, 16, 0xffff_ffff]),
      }
      const problem = check(sources, call)
      if (problem !== undefined) wrong.push(problem)
    }
    t.strictSame(wrong, [])
    for (const event of [EVENT_WANTS_BLOCK, EVENT_BATCH_FULL, EVENT_NO_SPACE, EVENT_OPERAND]) {
      t.ok((seen.get(event) ?? 0) > 20, `event ${event} came ${seen.get(event)} times`)
    }
  })
}

/** One key after the other, each with its kinds newest first; seqnos fall from 9. */
function program(keys: readonly string[]): MergeSource[] {
  const versions = keys.flatMap((kinds, number) =>
    [...kinds].map((letter, age): Version => {
      const kind = 'VTWMI'.indexOf(letter)
      const value = kind === 1 || kind === 2 ? [] : [...letter.repeat(3 + age)].map(() => number)
      return { key: Uint8Array.of(65, number), seqno: 9 - age, kind, value: Uint8Array.from(value) }
    }),
  )
  return [{ type: 'blocks', versions, blockEntries: 1, globalSeqno: 0 }]
}

t.test('operands first, in the middle, last, alone; tombstones around them', async (t) => {
  const programs = [
    ['M'],
    ['MV', 'V', 'V'],
    ['V', 'MV', 'V'],
    ['V', 'V', 'MMV'],
    ['M', 'M', 'M'],
    ['T', 'M', 'T'],
    ['VM', 'TM', 'WM', 'IM'],
    ['MT', 'MW', 'MI'],
    ['TV', 'WV', 'T', 'W'],
  ]
  for (const keys of programs) {
    const wrong: string[] = []
    for (const isReverse of [false, true]) {
      for (const capacity of [8, 32, 64, 96, 4096]) {
        for (const rowsMax of [1, 2, 100]) {
          for (const seqno of [0, 7, 8, 9, 10]) {
            const call = { flags: 0, isReverse, capacity, rowsMax, seqno }
            const problem = check(program(keys), call)
            if (problem !== undefined) wrong.push(problem)
          }
        }
      }
    }
    t.strictSame(wrong, [], keys.join(' '))
  }
})

t.test('a version behind the bound ends the scan, seen or not', async (t) => {
  // The source is never asked for the blocks behind the one that holds the first key out of bounds.
  const sources = program(['V', 'V', 'V', 'V', 'V', 'V'])
  for (const isReverse of [false, true]) {
    const merge = new KernelMerge(workspace, sources, isReverse)
    const bound = { key: Uint8Array.of(65, 3), isInclusive: isReverse }
    const { events } = runScan(workspace, merge, { flags: 0, isReverse, bound, seqno: 0 })
    t.equal(events.get(EVENT_WANTS_BLOCK), 3, isReverse ? 'in reverse' : 'forward')
    merge.dispose()
  }
})
