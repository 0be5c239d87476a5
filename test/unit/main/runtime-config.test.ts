/** Settings of a running tree: defaults, swaps, who keeps old ones, and what of them ends up in files. */

import t from 'tap'
import {
  type JobPriorities,
  open,
  type RuntimeConfig,
  type VarveError,
} from '../../../src/main/index.js'
import { RUNTIME_DEFAULTS } from '../../../src/main/runtime-config.js'
import { decodeTree } from '../../support/decoder/index.js'
import { codeOf, tableFiles } from '../../support/trees.js'

const manual = { maintenance: 'manual' } as const

t.test('`runtime_config_integration`: defaults, swaps, and snapshots of them', async (t) => {
  const tree = await open('db', { fs: 'memory', ...manual })
  t.same(tree.runtimeConfig, RUNTIME_DEFAULTS)
  const first = tree.runtimeConfig
  tree.updateRuntimeConfig({ retainFrom: 7 })
  const second = tree.runtimeConfig
  tree.updateRuntimeConfig({ maxSealedMemtables: 9 })
  t.equal(first.retainFrom, RUNTIME_DEFAULTS.retainFrom, 'what was handed out stays as it was')
  t.match(second, { retainFrom: 7, maxSealedMemtables: RUNTIME_DEFAULTS.maxSealedMemtables })
  t.match(tree.runtimeConfig, { retainFrom: 7, maxSealedMemtables: 9 })
  const wrong = { retainFrom: 8, maxSealedMemtables: 0 }
  t.equal(await codeOf(() => tree.updateRuntimeConfig(wrong)), 'VARVE_INVALID_ARGUMENT')
  t.match(tree.runtimeConfig, { retainFrom: 7, maxSealedMemtables: 9 }, 'all of it or nothing')
  const other = await open('other', { fs: 'memory', ...manual })
  t.same(other.runtimeConfig, RUNTIME_DEFAULTS, 'of one tree only')
  await Promise.all([tree.close(), other.close()])
})

t.test('`runtime_config_integration`: nothing of it is persisted', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { ...manual, runtime: { maxSealedMemtables: 5 } })
  tree.updateRuntimeConfig({ seqnoInIndex: true, maxSealedMemtables: 6 })
  tree.insert('a', '1')
  await tree.close()
  const again = await open(folder, manual)
  t.same(again.runtimeConfig, RUNTIME_DEFAULTS)
  await again.close()
})

t.test('`runtime_config_integration`: each table is as it was written', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder, { ...manual, blockSize: 64 })
  const changes: Partial<RuntimeConfig>[] = [
    {},
    { seqnoInIndex: true },
    { seqnoInIndex: false, indexPartitionSpillThreshold: 0 },
    { seqnoInIndex: true },
  ]
  const sectionsOf = (): string[] => {
    const { tables } = decodeTree(folder)
    const features = ['seqno_bounds', 'index']
    return [...tables]
      .sort((one, other) => one.record.id - other.record.id)
      .map(({ table }) => {
        const names = table.sections.map(({ name }) => name)
        return features.filter((name) => names.includes(name)).join(' ')
      })
  }
  for (const [round, change] of changes.entries()) {
    tree.updateRuntimeConfig(change)
    for (let i = 0; i < 50; i++) tree.insert(`key ${i}`, `${round}`)
    await tree.flush({ gcWatermark: 0 })
  }
  const expected = ['', 'seqno_bounds', 'index', 'seqno_bounds index']
  t.same(sectionsOf(), expected)
  await tree.close()
  const again = await open(folder, { ...manual, blockSize: 64, runtime: { seqnoInIndex: true } })
  t.equal(again.getString('key 7'), '3')
  t.same(sectionsOf(), expected, 'opening rewrites none')
  await again.majorCompact()
  t.same(sectionsOf(), ['seqno_bounds'], 'the next merge does')
  t.equal(again.getString('key 7'), '3')
  t.equal(tableFiles(folder).length, 1)
  await again.close()
})

t.test(
  '`runtime_config_integration`: what cannot be is refused, in order, and changes nothing',
  async (t) => {
    const tree = await open('db', { fs: 'memory', ...manual })
    const before = tree.runtimeConfig
    const cases: readonly [unknown, string][] = [
      [{ speed: 1 }, 'TypeError'],
      [{ toString: 1 }, 'TypeError'],
      [{ zoneMap: 1 }, 'TypeError'],
      [{ backpressure: 4 }, 'TypeError'],
      [{ backpressure: { l0Stopp: 4 } }, 'TypeError'],
      [{ backpressure: { toString: 4 } }, 'TypeError'],
      [{ backpressure: { l0Stop: 0 } }, 'RangeError'],
      [{ backpressure: { maxSlowdownMs: -1 } }, 'RangeError'],
      [{ memtableBytes: 1 }, 'RangeError'],
      [{ memtableBytes: '65536' }, 'RangeError'],
      [{ flushConcurrency: 0 }, 'RangeError'],
      [{ compactionConcurrency: 65 }, 'RangeError'],
      [{ storageLimitBytes: -1 }, 'RangeError'],
      [{ jobPriorities: { flush: 101 } }, 'RangeError'],
      [{ jobPriorities: { flush: 1.5 } }, 'RangeError'],
      [{ eccScheme: { xor: -1 } }, 'RangeError'],
      [{ eccScheme: { xor: 1, reedSolomon: [1, 2] } }, 'TypeError'],
      [{ eccScheme: { reedSolomon: [1] } }, 'TypeError'],
      [{ kvChecksums: 'some' }, 'TypeError'],
      [{ deleteStrategy: { adaptive: 101 } }, 'RangeError'],
      // Kinds and limits come first, then ECC, then digests at insert, then what this version has not.
      [{ pageEcc: true, memtableBytes: 1 }, 'RangeError'],
      [{ kvChecksumComputePoint: 'at-insert', pageEcc: true }, 'pageEcc'],
      [{ dataBlockEccOverride: true }, 'pageEcc'],
      [{ kvChecksumsEccOverride: true }, 'pageEcc'],
      [{ columnar: true, kvChecksumComputePoint: 'at-insert' }, 'kvChecksumComputePoint'],
      [{ columnar: true }, 'columnar'],
      [{ eccScheme: { reedSolomon: [4, 2] } }, 'eccScheme'],
      [{ eccGranularity: 'page' }, 'eccGranularity'],
      [{ kvChecksums: { perTable: [1, 9] } }, 'kvChecksums'],
      [{ kvChecksums: { perLevel: 3 } }, 'kvChecksums'],
      [{ kvChecksumAlgo: 'crc32c' }, 'kvChecksumAlgo'],
      [{ blockChecksumAlgo: 'crc32c' }, 'blockChecksumAlgo'],
      [{ manifestFooterMirror: false }, 'manifestFooterMirror'],
      [{ manifestKvChecksums: false }, 'manifestKvChecksums'],
      [{ autoHeal: true }, 'autoHeal'],
      [{ deleteStrategy: 'merge-on-read' }, 'deleteStrategy'],
      [{ disableCowOnSstFiles: true }, 'disableCowOnSstFiles'],
      [{ scrubIntervalMs: 1 }, 'scrubIntervalMs'],
      [{ scrubRateLimit: 1 }, 'scrubRateLimit'],
      [{ blobGc: { ageCutoff: 0.5 } }, 'blobGc'],
      [{ jobPriorities: { scrub: 1 } }, 'jobPriorities.scrub'],
    ]
    for (const [changes, expected] of cases) {
      let found = 'nothing'
      try {
        tree.updateRuntimeConfig({ maxSealedMemtables: 9, ...(changes as object) })
      } catch (error) {
        const { name, code, details } = error as VarveError
        found = code === 'VARVE_UNSUPPORTED' ? `${details['feature']}` : name
      }
      t.equal(found, expected, JSON.stringify(changes))
      t.equal(tree.runtimeConfig, before)
    }
    t.throws(() => tree.updateRuntimeConfig(null as never), TypeError)
    t.same(tree.runtimeConfig, before)
    await t.rejects(open('other', { ...manual, fs: 'memory', runtime: { columnar: true } }), {
      code: 'VARVE_UNSUPPORTED',
    })
    await tree.close()
  },
)

t.test('every default can be given, and what is given is kept as it was', async (t) => {
  const tree = await open('db', { fs: 'memory', ...manual })
  tree.updateRuntimeConfig(RUNTIME_DEFAULTS)
  t.same(tree.runtimeConfig, RUNTIME_DEFAULTS)
  const backpressure = { l0Slowdown: 4 }
  tree.updateRuntimeConfig({ backpressure, jobPriorities: { levels: 60 } as JobPriorities })
  backpressure.l0Slowdown = 5
  t.same(tree.runtimeConfig.backpressure, { l0Slowdown: 4 })
  t.same(tree.runtimeConfig.jobPriorities, { ...RUNTIME_DEFAULTS.jobPriorities, levels: 60 })
  tree.updateRuntimeConfig({ backpressure: { l0Stop: 9 } })
  t.same(tree.runtimeConfig.backpressure, { l0Stop: 9 }, 'what is left out is off again')
  for (const value of Object.values(tree.runtimeConfig)) t.ok(Object.isFrozen(value))
  await tree.close()
})
