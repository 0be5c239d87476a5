// Files against versions: referenced, orphaned, missing, foreign; and the ids to go on with.
import t from 'tap'
import {
  type LevelRoute,
  requireComplete,
  scanDirectory,
  tablesFolders,
} from '../../../../src/main/manifest/directory-scan.js'
import type { ManifestVersion } from '../../../../src/shared/format/version-model.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { version, writeFile } from '../../../support/manifests.js'

function folder(...paths: string[]): MemoryFileSystem {
  const fs = new MemoryFileSystem()
  for (const name of ['/db/tables', '/db/blobs', '/cold/tables']) fs.makeDirectory(name)
  for (const path of paths) writeFile(fs, path, Uint8Array.of(1))
  return fs
}

const blobs = (version: ManifestVersion, ...ids: number[]): ManifestVersion => ({
  ...version,
  blobFiles: new Map(ids.map((id) => [id, new Uint8Array(16)])),
})

t.test('sorts files out', async (t) => {
  const fs = folder('/db/tables/3', '/db/tables/10', '/db/tables/7', '/db/blobs/4', '/db/blobs/2')
  fs.makeDirectory('/db/tables/folder')
  for (const name of ['.DS_Store', '._3']) writeFile(fs, `/db/tables/${name}`, Uint8Array.of())
  const scan = scanDirectory(fs, '/db', blobs(version(5, [3], [7, 8]), 2))
  t.same([...scan.tables.keys()].sort(), [3, 7])
  t.equal(scan.tables.get(3)?.path, '/db/tables/3')
  t.same(
    scan.orphanTables.map(({ id }) => id),
    [10],
  )
  t.same(scan.missingTables, [{ id: 8, level: 0 }])
  t.same([...scan.blobFiles.keys()], [2])
  t.same(
    scan.orphanBlobFiles.map(({ path }) => path),
    ['/db/blobs/4'],
  )
  t.equal(scan.nextTableId, 11, 'beyond orphans too')
  t.equal(scan.nextBlobFileId, 5)
})

t.test('ids of empty trees', async (t) => {
  const scan = scanDirectory(folder(), '/db', version(0))
  t.match(scan, { nextTableId: 1, nextBlobFileId: 0 })
  t.match(scanDirectory(new MemoryFileSystem(), '/none', version(0)), { nextTableId: 1 })
})

t.test('foreign names abort', async (t) => {
  for (const name of ['notes.txt', '1.sst', '-1', '99999999999999999999', 'x']) {
    t.throws(() => scanDirectory(folder(`/db/tables/${name}`), '/db', version(0)), {
      code: 'VARVE_UNRECOVERABLE',
      details: { file: `/db/tables/${name}` },
    })
    t.throws(() => scanDirectory(folder(`/db/blobs/${name}`), '/db', version(0)), {
      code: 'VARVE_UNRECOVERABLE',
    })
  }
  t.throws(() => scanDirectory(folder('/db/tables/18446744073709551615'), '/db', version(0)), {
    code: 'VARVE_UNSUPPORTED',
  })
})

t.test('names that read as the same id: the first is taken, the second spared', async (t) => {
  const scan = scanDirectory(folder('/db/tables/007', '/db/tables/7'), '/db', version(1, [7]))
  t.equal(scan.tables.get(7)?.path, '/db/tables/007')
  t.match(scan, { orphanTables: [], missingTables: [] })
  t.same(
    scan.duplicates.map(({ path }) => path),
    ['/db/tables/7'],
  )
})

t.test('routes', async (t) => {
  const fs = folder('/db/tables/1', '/cold/tables/2', '/cold/tables/1', '/cold/tables/9')
  const routes: LevelRoute[] = [{ levels: [1, 7], path: '/cold' }]
  const tree = version(1, [1], [2])
  t.same(
    tablesFolders(fs, '/db', [...routes, ...routes]).map(({ path }) => path),
    ['/db/tables', '/cold/tables'],
  )
  const scan = scanDirectory(fs, '/db', tree, routes)
  t.equal(scan.tables.get(1)?.path, '/db/tables/1')
  t.equal(scan.tables.get(2)?.path, '/cold/tables/2')
  t.same(
    scan.orphanTables.map(({ path }) => path),
    ['/cold/tables/9'],
  )
  requireComplete(scan, tree, '/db', routes)

  const without = scanDirectory(fs, '/db', tree)
  const bare = { code: 'VARVE_UNRECOVERABLE', details: { expected: 2, found: 1 } }
  t.throws(() => requireComplete(without, tree, '/db'), bare, 'no routes at all')
  const other: LevelRoute[] = [{ levels: [3, 4], path: '/other' }]
  t.throws(() => requireComplete(without, tree, '/db', other), { code: 'VARVE_ROUTE_MISMATCH' })
  const covering: LevelRoute[] = [{ levels: [0, 4], path: '/other' }]
  t.throws(() => requireComplete(without, tree, '/db', covering), { code: 'VARVE_UNRECOVERABLE' })
})

t.test('missing blob files', async (t) => {
  const tree = blobs(version(1), 5)
  const scan = scanDirectory(folder(), '/db', tree)
  t.throws(() => requireComplete(scan, tree, '/db'), {
    code: 'VARVE_UNRECOVERABLE',
    message: /blob/,
  })
})
