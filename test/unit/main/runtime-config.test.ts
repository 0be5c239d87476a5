/** Settings of a running tree: defaults, swaps, who keeps old ones, and what of them ends up in files. */

import t from 'tap'
import { open, type RuntimeConfig } from '../../../src/main/index.js'
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
