// Cleaning up: what goes, what is set aside, what is never touched.
import t from 'tap'
import { scanDirectory } from '../../../../src/main/manifest/directory-scan.js'
import { readManifest } from '../../../../src/main/manifest/manifest-reader.js'
import { ManifestWriter } from '../../../../src/main/manifest/manifest-writer.js'
import { cleanUp } from '../../../../src/main/manifest/stale-files.js'
import { FaultFileSystem } from '../../../../src/shared/fs/fault-file-system.js'
import type { FileSystem } from '../../../../src/shared/fs/file-system.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { codec, readFile, readOptions, version, writeFile } from '../../../support/manifests.js'

/** A tree of version 1 with table 1, its log, and whatever else a crash might leave. */
function tree(...extra: string[]): MemoryFileSystem {
  const fs = new MemoryFileSystem()
  const writer = ManifestWriter.create(fs, '/db', 0, { codec, comparatorName: 'default' })
  writer.commit(version(1, [1]))
  fs.makeDirectory('/db/blobs')
  for (const path of ['tables/1', ...extra]) writeFile(fs, `/db/${path}`, Uint8Array.of(1))
  return fs
}

function open(fs: FileSystem, mode: 'absolute-consistency' | 'point-in-time-recovery') {
  const manifest = readManifest(fs, '/db', { ...readOptions, mode })!
  return cleanUp(fs, '/db', manifest, scanDirectory(fs, '/db', manifest.version))
}

const names = (fs: FileSystem, path: string) => fs.list(path).map(({ name }) => name)
const leftovers = ['tables/2', 'blobs/0', 'v5', 'edits-5']

t.test('an intact manifest: leftovers are removed, and nothing else', async (t) => {
  const fs = tree(...leftovers, 'vault', 'v', 'edits-x', 'manifest', '.tmp_1_2', 'tables/.DS_Store')
  fs.makeDirectory('/db/v9')
  const report = open(fs, 'absolute-consistency')
  t.equal(report.suspicion, undefined)
  t.same([...report.removed].sort(), leftovers.map((name) => `/db/${name}`).sort())
  t.same(report.setAside, [])
  t.same(
    names(fs, '/db'),
    ['.tmp_1_2', 'blobs', 'current', 'edits-0', 'edits-x', 'manifest', 'tables', 'v'].concat([
      'v0',
      'v9',
      'vault',
    ]),
  )
  t.same(names(fs, '/db/tables'), ['.DS_Store', '1'])
  t.same(open(fs, 'absolute-consistency'), { removed: [], setAside: [], suspicion: undefined })
})

t.test('a shortened manifest condemns nobody', async (t) => {
  const fs = tree(...leftovers)
  const log = readFile(fs, '/db/edits-0')
  writeFile(fs, '/db/edits-0', log.fill(0xee, 30, 31))
  const report = open(fs, 'point-in-time-recovery')
  t.match(report.suspicion, /in part/)
  t.same(report.removed, [])
  t.same(names(fs, '/db/repair-quarantine'), ['blobs-0', 'edits-5', 'tables-1', 'tables-2', 'v5'])
  t.same(names(fs, '/db/tables'), [])
  writeFile(fs, '/db/tables/2', Uint8Array.of(2))
  open(fs, 'point-in-time-recovery')
  t.ok(names(fs, '/db/repair-quarantine').includes('tables-2.1'), 'nothing is overwritten')
})

t.test('a lost log condemns nobody', async (t) => {
  const fs = tree('v5')
  fs.remove('/db/edits-0')
  const report = open(fs, 'absolute-consistency')
  t.match(report.suspicion, /no edit log/)
  t.same(names(fs, '/db/repair-quarantine'), ['tables-1', 'v5'])
  t.same([...readFile(fs, '/db/repair-quarantine/tables-1')], [1])
})

t.test('without a log and without orphans there is nothing suspicious', async (t) => {
  const fs = new MemoryFileSystem()
  ManifestWriter.create(fs, '/db', 0, { codec, comparatorName: 'default' })
  writeFile(fs, '/db/v7', Uint8Array.of(1))
  t.match(open(fs, 'absolute-consistency'), { removed: ['/db/v7'], suspicion: undefined })
})

t.test('the manifest is made durable before anything goes', async (t) => {
  const calls: string[] = []
  const fs = new FaultFileSystem(tree('tables/2'), ({ operation, path }) => {
    if (/sync|remove|rename/.test(operation)) calls.push(`${operation} ${path}`)
    return undefined
  })
  open(fs, 'absolute-consistency')
  t.same(calls, ['sync /db/edits-0', 'syncDirectory /db', 'remove /db/tables/2'])
})
