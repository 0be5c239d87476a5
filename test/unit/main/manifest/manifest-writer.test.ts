// Writing manifests: what lands where, in which order, and what happens at the limits.
import t from 'tap'
import { readManifest } from '../../../../src/main/manifest/manifest-reader.js'
import {
  ManifestWriter,
  type ManifestWriterOptions,
} from '../../../../src/main/manifest/manifest-writer.js'
import type { RecoveryMode } from '../../../../src/shared/format/recovery-mode.js'
import type { ManifestVersion } from '../../../../src/shared/format/version-model.js'
import { FaultFileSystem, failOn } from '../../../../src/shared/fs/fault-file-system.js'
import type { FileSystem } from '../../../../src/shared/fs/file-system.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { copyGolden } from '../../../support/golden.js'
import {
  codec,
  describe,
  readFile,
  readOptions,
  version,
  writeFile,
} from '../../../support/manifests.js'

const options: ManifestWriterOptions = { codec, comparatorName: 'default' }

function create(changes: Partial<ManifestWriterOptions> = {}) {
  const fs = new MemoryFileSystem()
  return { fs, writer: ManifestWriter.create(fs, '/db', 0, { ...options, ...changes }) }
}

const read = (fs: FileSystem, mode: RecoveryMode = 'absolute-consistency') =>
  readManifest(fs, '/db', { ...readOptions, mode })!
const names = (fs: FileSystem) => fs.list('/db').map(({ name }) => name)

/** Runs of one table each: `count` of them. */
const runs = (count: number) => Array.from({ length: count }, (_, id) => [id])

t.test('a new tree', async (t) => {
  const { fs, writer } = create()
  t.same(names(fs), ['current', 'tables', 'v0'], 'what the Rust crate makes')
  t.match(read(fs), { snapshotId: 0, isComplete: true, log: { isPresent: false } })
  t.equal(describe(read(fs).version), describe(writer.version))
})

t.test('a new tree over the remains of an unfinished one', async (t) => {
  const fs = new MemoryFileSystem()
  fs.makeDirectory('/db/tables')
  writeFile(fs, '/db/v0', Uint8Array.of(1))
  writeFile(fs, '/db/edits-0', Uint8Array.of(2))
  ManifestWriter.create(fs, '/db', 0, options)
  t.equal(read(fs).version.id, 0)
  t.same([...readFile(fs, '/db/repair-quarantine/edits-0')], [2], 'an old log is not replayed')
})

t.test('the same bytes as the Rust crate', async (t) => {
  const golden = new MemoryFileSystem()
  copyGolden('compat_v5_6_0', golden, '/db')
  const { fs, writer } = create({ writerName: '5.6.0' })
  writer.commit(read(golden).version)
  for (const file of ['v0', 'current', 'edits-0']) {
    t.same(readFile(fs, `/db/${file}`), readFile(golden, `/db/${file}`), file)
  }
})

t.test('`tree_recovery_versions`: appends, then rotates at the threshold', async (t) => {
  const { fs, writer } = create({ rotateBytes: 300 })
  writer.commit(version(1, [1]))
  writer.commit(version(2, [2], [1]))
  t.same(names(fs), ['current', 'edits-0', 'tables', 'v0'])
  t.ok(writer.logBytes < 300)
  writer.commit(version(3, [3], [2], [1]))
  writer.commit(version(4, [1]))
  t.same(names(fs), ['current', 'tables', 'v4'])
  t.equal(writer.snapshotId, 4)
  writer.commit(version(5))
  t.same(names(fs), ['current', 'edits-4', 'tables', 'v4'])
  t.equal(describe(read(fs).version), describe(version(5)))
  writer.close()
  t.throws(() => writer.commit(version(6)), { code: 'VARVE_CLOSED' })
})

t.test('threshold 0 rotates every time', async (t) => {
  const { fs, writer } = create({ rotateBytes: 0 })
  for (let id = 1; id < 5; id++) writer.commit(version(id, [id]))
  t.same(names(fs), ['current', 'tables', 'v4'])
})

t.test('the order of writes and syncs', async (t) => {
  const inner = new MemoryFileSystem()
  const calls: string[] = []
  const fs = new FaultFileSystem(inner, ({ operation, path }) => {
    if (operation !== 'exists') calls.push(`${operation} ${path.replace(/_\d+_\d+$/, '')}`)
    return undefined
  })
  const writer = ManifestWriter.create(fs, '/a/db', 0, { ...options, rotateBytes: 1 })
  const pointer = [
    'create /a/db/.tmp',
    'write /a/db/.tmp',
    'sync /a/db/.tmp',
    'rename /a/db/current',
    'syncDirectory /a/db',
  ]
  const snapshot = (id: number) => [
    ...['create', 'write', 'write', 'writeAt', 'sync'].map((step) => `${step} /a/db/v${id}`),
    'syncDirectory /a/db',
  ]
  t.same(calls.slice(-12), ['remove /a/db/v0', ...snapshot(0), ...pointer])
  calls.length = 0
  writer.commit(version(1, [1]))
  t.same(calls, [
    ...['openAppend', 'write', 'sync'].map((step) => `${step} /a/db/edits-0`),
    'syncDirectory /a/db',
  ])
  calls.length = 0
  writer.commit(version(2, [2]))
  t.same(calls, [...snapshot(2), ...pointer, 'remove /a/db/edits-0', 'remove /a/db/v0'])
})

t.test('a large change rotates; with over 255 runs it goes to the log', async (t) => {
  const { fs, writer } = create({ rotateBytes: 0 })
  const wide = version(
    1,
    Array.from({ length: 2500 }, (_, id) => id),
  )
  writer.commit(wide)
  t.equal(writer.snapshotId, 1)
  t.equal(describe(read(fs).version), describe(wide))
  const deep = version(2, ...runs(300))
  writer.commit(deep)
  t.equal(writer.snapshotId, 1, 'no snapshot holds 300 runs')
  t.equal(describe(read(fs).version), describe(deep))
  const both = version(3, ...runs(2500))
  t.throws(() => writer.commit(both), { code: 'VARVE_UNSUPPORTED', message: /compact first/ })
  writer.commit(version(4, ...runs(255)))
  t.equal(writer.snapshotId, 4, 'a refused change did no harm')
})

t.test('a stray snapshot of the next id is not overwritten', async (t) => {
  const { fs, writer } = create({ rotateBytes: 0 })
  writeFile(fs, '/db/v1', Uint8Array.of(9))
  writer.commit(version(1, [1]))
  t.same([...readFile(fs, '/db/v1')], [9])
  t.equal(read(fs).version.id, 1)
  writer.commit(version(2, [1]))
  t.equal(writer.snapshotId, 2)
})

t.test('a tolerated torn tail is cut before the first change', async (t) => {
  for (const rotateBytes of [1 << 20, 0]) {
    const { fs, writer } = create()
    writer.commit(version(1, [1]))
    writer.close()
    const log = readFile(fs, '/db/edits-0')
    writeFile(fs, '/db/edits-0', Buffer.concat([log, Uint8Array.of(50, 0, 0, 0, 1)]))
    const mode = 'tolerate-corrupted-tail-records'
    const recovered = read(fs, mode)
    t.match(recovered.log, { torn: 'truncated', goodBytes: log.length })
    const resumed = ManifestWriter.resume(fs, '/db', recovered, { ...options, rotateBytes })
    t.equal(readFile(fs, '/db/edits-0').length, log.length + 5, 'nothing happens before')
    resumed.commit(version(2, [2], [1]))
    resumed.commit(version(3, [3], [1]))
    t.equal(describe(read(fs).version), describe(version(3, [3], [1])), 'also in strict mode')
    const copy = readFile(fs, `/db/repair-quarantine/edits-0-${log.length}`)
    t.same([...copy], [50, 0, 0, 0, 1], 'what was cut off is kept')
  }
})

t.test('resuming an intact manifest appends behind it', async (t) => {
  const fs = new MemoryFileSystem()
  copyGolden('v5/trees/std', fs, '/db')
  const before = read(fs)
  const writer = ManifestWriter.resume(fs, '/db', before, options)
  const next: ManifestVersion = { ...before.version, id: before.version.id + 1 }
  writer.commit(next)
  t.equal(describe(read(fs).version), describe(next))
  t.equal(read(fs).log.recordCount, before.log.recordCount + 1)
})

t.test('a failed write fails the writer for good', async (t) => {
  for (const operation of ['sync', 'syncDirectory'] as const) {
    const { fs: inner, writer: first } = create()
    first.close()
    const fs = new FaultFileSystem(inner, failOn(operation, { errno: 'ENOSPC', times: 1 }))
    const writer = ManifestWriter.resume(fs, '/db', read(inner), options)
    t.throws(() => writer.commit(version(1, [1])), { code: 'VARVE_STORAGE_FULL' })
    t.match(writer.failure, { code: 'VARVE_STORAGE_FULL' })
    t.throws(() => writer.commit(version(1, [1])), {
      code: 'VARVE_IO',
      message: /reopen/,
      cause: { code: 'VARVE_STORAGE_FULL' },
    })
    t.equal(writer.version.id, 0)
  }
})

t.test('a full disk fails a commit, and nothing else: what it took is off again', async (t) => {
  const full = { code: 'VARVE_STORAGE_FULL' }
  for (const rotateBytes of [0, 1024 * 1024]) {
    for (const writtenBytes of [0, 7]) {
      const { fs: inner, writer: first } = create()
      first.close()
      const fs = new FaultFileSystem(inner)
      const writer = ManifestWriter.resume(fs, '/db', read(inner), { ...options, rotateBytes })
      writer.commit(version(1, [1]))
      const files = inner.list('/db').map(({ name }) => name)
      fs.setRule(({ operation }) =>
        operation === 'write' ? { errno: 'ENOSPC', writtenBytes } : undefined,
      )
      for (let i = 0; i < 2; i++) t.throws(() => writer.commit(version(2, [1, 2])), full)
      fs.setRule()
      t.equal(writer.failure, undefined)
      t.equal(writer.version.id, 1)
      t.equal(read(inner).version.id, 1)
      t.same(
        inner.list('/db').map(({ name }) => name),
        files,
      )
      writer.commit(version(2, [1, 2]))
      t.equal(describe(read(inner).version), describe(version(2, [1, 2])))
      // What cannot be taken off again fails the writer for good.
      fs.setRule(({ operation }) =>
        ['write', 'truncate', 'remove'].includes(operation) ? { errno: 'ENOSPC' } : undefined,
      )
      t.throws(() => writer.commit(version(3, [1])), full)
      fs.setRule()
      t.throws(() => writer.commit(version(3, [1])), { code: 'VARVE_IO', cause: full })
      writer.close()
    }
  }
})

t.test('an unsound version is our bug', async (t) => {
  const { writer } = create()
  const wrong = { code: 'VARVE_ASSERTION' }
  t.throws(() => writer.commit(version(0)), wrong, 'ids ascend')
  t.throws(() => writer.commit(version(1, [1], [1])), wrong, 'a table twice')
  t.throws(() => writer.commit(version(1, [])), wrong, 'an empty run')
  writer.commit(version(1, [1]))
  const name = 'x'.repeat(257)
  t.throws(() => create({ comparatorName: name }), { code: 'VARVE_INVALID_ARGUMENT' })
})
