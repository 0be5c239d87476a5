/** Windows of a change scan: however small, the same events in the same order; one large seqno is not collected. */
import t from 'tap'
import { processEnvironment } from '../../../../src/main/environment.js'
import { ManifestWriter } from '../../../../src/main/manifest/manifest-writer.js'
import { resolveOptions } from '../../../../src/main/options.js'
import { changesOf } from '../../../../src/main/reading/change-scan.js'
import { TreeCore } from '../../../../src/main/tree-core.js'
import { resolveCode } from '../../../../src/main/user-code-options.js'
import { Version } from '../../../../src/main/version/version.js'
import { WriteBatch } from '../../../../src/main/writing/write-batch.js'
import { Writer } from '../../../../src/main/writing/writer.js'
import { TreeType } from '../../../../src/shared/format/version-model.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../../../support/random.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)
const code = await resolveCode({})

function newCore(): { core: TreeCore; writer: Writer } {
  const settings = resolveOptions({ fs: new MemoryFileSystem(), maintenance: 'manual' })
  const { hasher } = processEnvironment().workspace
  const manifest = ManifestWriter.create(settings.fs, '/db', TreeType.Standard, {
    codec: { hasher },
    comparatorName: 'default',
  })
  const lock = undefined
  const core = new TreeCore({
    root: '/db',
    settings,
    code,
    lock,
    manifest,
    nextTableId: 0,
  })
  const levels = manifest.version.levels.map(() => [])
  const { id, treeType, blobFiles, blobGcStats, restrictions } = manifest.version
  core.start(new Version(id, treeType, levels, { blobFiles, blobGcStats, restrictions }))
  return { core, writer: new Writer(core, () => undefined) }
}

t.test('windows of every size give the same', async (t) => {
  const random = new Random(seed)
  const { core, writer } = newCore()
  const wanted: string[] = []
  for (let step = 0; step < 300; step++) {
    const batch = new WriteBatch()
    // Now and then one seqno holds far more than a window.
    const count = random.chance(0.02) ? 300 : random.below(4) + 1
    for (let i = 0; i < count; i++) {
      const key = `key${random.below(10_000)}`
      if (wanted.includes(`${step} ${key}`)) continue
      wanted.push(`${step} ${key}`)
      batch.insert(key, 'x'.repeat(random.below(40)))
    }
    writer.apply(batch, step)
    if (random.chance(0.05)) core.rotate()
  }
  const view = core.latest
  for (const windowBytes of [1, 1000, 5000, 100_000, 1 << 30]) {
    for (const from of [0, 17, 299, 300]) {
      const events = [...changesOf(core, view, { from, end: 300 }, { isFull: false, windowBytes })]
      const lines = events.map(({ seqno, key }) => `${seqno} ${key}`)
      t.same([...lines].sort(), wanted.filter((line) => Number.parseInt(line, 10) >= from).sort())
      const seqnos = events.map(({ seqno }) => seqno)
      t.same(
        seqnos,
        [...seqnos].sort((a, b) => a - b),
        `${windowBytes} bytes from ${from}: in order`,
      )
    }
  }
  const early = changesOf(core, view, { from: 0, end: 300 }, { isFull: false, windowBytes: 1 })
  early.next()
  early.return(undefined)
  core.close()
})
