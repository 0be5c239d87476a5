// Random programs under every strategy, with several compactions at once: every answer is the model's, and every version
// that is installed keeps the invariants of levels (support/version-audit.ts). SEED=… replays.
import { mkdirSync } from 'node:fs'
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import {
  type CompactionStrategy,
  eccHeal,
  fifo,
  leveled,
  major,
  moveDown,
  open,
  pullDown,
  sizeTiered,
} from '../../src/main/index.js'
import { KEY_BYTES_MAX } from '../../src/shared/base/limits.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../support/random.js'
import { type Audit, auditChoices, auditInstalls } from '../support/version-audit.js'
import type { OptionSet } from './option-sets.js'
import { makeProgram, type Step } from './program.js'
import { runProgram } from './runner.js'

const KIB = 1024
const STEPS = 600
/** A write buffer is sealed after so many steps: most programs write too little to fill them. */
const STEPS_A_FLUSH = 7
const CONCURRENCY = 3

const seed = runSeed()
t.comment(`SEED=${seed}`)
t.setTimeout(240_000)

/** Lets levels down at random as far as their callers must: never past a level with data. */
function cascade(random: Random): CompactionStrategy {
  return {
    name: 'move-down and pull-down',
    choose(version, state) {
      const filled = [...version.levels.keys()].filter(
        (level) => (version.levels[level] as readonly unknown[]).length > 0,
      )
      const from = filled[random.below(Math.max(1, filled.length))]
      const last = version.levels.length - 1
      if (from === undefined || from === last) return { kind: 'nothing' }
      const next = filled.find((level) => level > from) ?? last
      const to = from + 1 + random.below(next - from)
      return (random.chance(0.5) ? moveDown(from, to) : pullDown(from, to)).choose(version, state)
    },
    pendingBytes: () => 0,
  }
}

/** Everything into one run, once there is more than that: automatic maintenance must come to rest. */
function untilOneRun(): CompactionStrategy {
  const all = major({ targetBytes: 8 * KIB })
  return {
    ...all,
    choose: (version, state) =>
      version.levels.flat().length <= 1 ? { kind: 'nothing' } : all.choose(version, state),
  }
}

/** Rewrites tables at random, each once. */
function healing(random: Random): CompactionStrategy {
  const below = leveled({ targetBytes: 4 * KIB, l0Threshold: 2, levelRatios: [3] })
  const seen = new Set<number>()
  const waiting: number[] = []
  const heal = eccHeal(
    { take: () => waiting.shift(), putBack: (id) => void waiting.push(id) },
    { targetBytes: 2 * KIB },
  )
  return {
    name: 'ecc-heal beside leveled',
    choose(version, state) {
      for (const { id } of version.levels.flat(2)) {
        if (seen.has(id)) continue
        seen.add(id)
        if (random.chance(0.2)) waiting.push(id)
      }
      const choice = heal.choose(version, state)
      return choice.kind === 'nothing' ? below.choose(version, state) : choice
    },
    pendingBytes: (version) => below.pendingBytes(version),
  }
}

const STRATEGIES: Readonly<Record<string, (random: Random) => CompactionStrategy>> = {
  leveled: () => leveled({ targetBytes: 4 * KIB, l0Threshold: 2, levelRatios: [3] }),
  'leveled, a table for every block': () =>
    leveled({ targetBytes: 1, l0Threshold: 1, levelRatios: [2] }),
  'leveled, dynamic': () =>
    leveled({ targetBytes: 2 * KIB, l0Threshold: 2, levelRatios: [2], dynamicLevelBytes: true }),
  'leveled, multi-level': () =>
    leveled({ targetBytes: 2 * KIB, l0Threshold: 2, levelRatios: [2, 3], multiLevel: true }),
  'leveled, L0 merged eagerly': () =>
    leveled({ targetBytes: 8 * KIB, l0Threshold: 4, levelRatios: [4], eagerL0: true }),
  'size-tiered': () => sizeTiered({ minMergeWidth: 2, targetBytes: 8 * KIB }),
  'size-tiered, short of space': () =>
    sizeTiered({ maxSpaceAmplificationPercent: 25, targetBytes: 4 * KIB, sizeRatio: 3 }),
  'fifo that keeps all': () => fifo({ limit: Number.MAX_SAFE_INTEGER }),
  major: untilOneRun,
  'move-down and pull-down': cascade,
  'ecc-heal': healing,
}

const { heap } = processEnvironment()
const heapAtStart = heap.usedBytes
const folder = t.testdir()
let count = 0

for (const [name, make] of Object.entries(STRATEGIES)) {
  for (const where of ['memory', 'disk'] as const) {
    t.test(`${name}, in ${where}`, { timeout: 60_000 }, async (t) => {
      const number = count++
      const watched = auditChoices(make(new Random(seed + number)))
      const set: OptionSet = {
        name,
        where,
        options: {
          strategy: watched.strategy,
          blockSize: 256,
          runtime: {
            memtableBytes: 128 * KIB,
            compactionConcurrency: CONCURRENCY,
            compactionThreads: where === 'disk' ? 2 : 1,
            subcompactionMinBytes: 16 * KIB,
          },
        },
      }
      const root = where === 'disk' ? `${folder}/${number}` : '/db'
      if (where === 'disk') mkdirSync(root)
      const fs = where === 'disk' ? undefined : new MemoryFileSystem()
      const audits: Audit[] = []
      const plain = makeProgram((seed + 7000 + number) >>> 0, STEPS)
      const rotate: Step = ['rotate', 0, 0, 0, 0]
      // To open again is to open under another set, and another strategy.
      const kept = plain.steps.filter(([kind]) => kind !== 'reopen')
      const steps = kept.flatMap((step, i) => (i % STEPS_A_FLUSH === 0 ? [step, rotate] : [step]))
      // A merge in slices cannot yet cut a range tombstone right behind a key of the greatest length.
      const keys = plain.keys.filter(({ length }) => where === 'memory' || length < KEY_BYTES_MAX)
      const program = { ...plain, keys, steps }
      const failure = await runProgram(program, set, { root, fs }, (tree) => {
        audits.push(auditInstalls(tree))
      })
      const installs = audits.reduce((sum, audit) => sum + audit.installs, 0)
      const bad = audits.find((audit) => audit.failure !== undefined)?.failure
      t.equal(failure?.error.stack, undefined, `SEED=${seed}: the answers are the model's`)
      t.equal(bad?.message, undefined, `SEED=${seed}: ${installs} versions keep the invariants`)
      t.equal(watched.failure?.message, undefined, 'no choice touches what another one works on')
      t.ok(installs > 0)
      t.comment(`${JSON.stringify(watched.choices)}, at most ${watched.hiddenMax} tables hidden`)
      t.equal(heap.usedBytes, heapAtStart, 'the shared memory is given back')
    })
  }
}

t.test('the audit sees data that went below older data', async (t) => {
  await using tree = await open('/db', { fs: 'memory', maintenance: 'manual' })
  const audit = auditInstalls(tree)
  for (const to of [6, 3]) {
    tree.insert('key', `on its way to L${to}`)
    await tree.flush()
    await tree.compact(moveDown(0, to))
  }
  t.equal(audit.failure, undefined)
  t.ok(audit.installs >= 4)
  tree.insert('key', 'newest')
  await tree.flush()
  await tree.compact(moveDown(0, 5))
  t.match(audit.failure?.message, /lies below/)
})
