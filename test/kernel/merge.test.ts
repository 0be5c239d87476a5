/** The merge kernel against its twin, as scans of every version show it: every entry in order. */
import t from 'tap'
import { SCAN_EVERY_VERSION } from '../../src/shared/kernel/layout.js'
import { mergeVersions } from '../../src/shared/kernel/reference/merge.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import { KernelMerge, type MergeSource } from '../support/kernel-merge.js'
import { runScan } from '../support/kernel-scan.js'
import { Random, runSeed } from '../support/random.js'
import { difference, randomKeys, randomVersions } from '../support/versions.js'
import { testWorkspace } from '../support/workspace.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)
const workspace = testWorkspace(64)

function randomSources(count: number): MergeSource[] {
  const keys = randomKeys(random, 1 + random.below(random.pick([1, 10, 80])))
  const seqnoMax = random.pick([3, 40, 2 ** 45])
  return Array.from({ length: count }, (): MergeSource => {
    const some = keys.filter(() => random.chance(0.5))
    const globalSeqno = random.chance(0.2) ? random.below(1000) : 0
    const shape = { seqnoMin: globalSeqno, seqnoMax: seqnoMax + globalSeqno, versionsMax: 4 }
    const versions = randomVersions(random, some, shape)
    const type = random.chance(0.3) ? 'memtable' : 'blocks'
    return { type, versions, blockEntries: 1 + random.below(random.pick([1, 3, 40])), globalSeqno }
  })
}

function check(sources: readonly MergeSource[], isReverse: boolean): string | undefined {
  const merge = new KernelMerge(workspace, sources, isReverse)
  const found = runScan(workspace, merge, { flags: SCAN_EVERY_VERSION, isReverse })
  merge.dispose()
  return difference(
    found.versions,
    mergeVersions(
      sources.map(({ versions }) => versions),
      isReverse,
    ),
  )
}

for (const isReverse of [false, true]) {
  t.test(isReverse ? 'in reverse' : 'forward', async (t) => {
    const wrong: string[] = []
    for (let round = 0; round < 250; round++) {
      const problem = check(randomSources(random.below(21)), isReverse)
      if (problem !== undefined) wrong.push(problem)
    }
    t.strictSame(wrong, [])
  })

  t.test(
    `equal entries: the newer source first, ${isReverse ? 'in reverse' : 'forward'}`,
    async (t) => {
      const wrong: string[] = []
      for (let round = 0; round < 50; round++) {
        const keys = randomKeys(random, 5)
        const sources = Array.from({ length: 2 + random.below(8) }, (_, rank): MergeSource => {
          const versions = keys.map((key): Version => {
            return { key, seqno: 7, kind: 0, value: Uint8Array.of(rank) }
          })
          // Within one memtable the entry inserted last comes first.
          const twice = versions.flatMap((one) => [{ ...one, value: Uint8Array.of(99, rank) }, one])
          const isMemtable = random.chance(0.5)
          return {
            type: isMemtable ? 'memtable' : 'blocks',
            versions: isMemtable ? twice : versions,
            blockEntries: 1 + random.below(3),
            globalSeqno: random.below(8),
          }
        })
        const problem = check(sources, isReverse)
        if (problem !== undefined) wrong.push(problem)
      }
      t.strictSame(wrong, [])
    },
  )
}

t.test('no source, and sources without entries', async (t) => {
  const empty: MergeSource = { type: 'memtable', versions: [], blockEntries: 1, globalSeqno: 0 }
  for (const isReverse of [false, true]) {
    t.equal(check([], isReverse), undefined)
    t.equal(check([empty, { ...empty, type: 'blocks' }, empty], isReverse), undefined)
  }
})
