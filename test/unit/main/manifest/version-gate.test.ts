// What is not a V5 tree, or not this one, is refused, and nothing on disk changes.
import t from 'tap'
import { replaceCurrent } from '../../../../src/main/manifest/current-file.js'
import { readManifest } from '../../../../src/main/manifest/manifest-reader.js'
import { ManifestWriter } from '../../../../src/main/manifest/manifest-writer.js'
import { ByteWriter } from '../../../../src/shared/format/byte-writer.js'
import { canonicalDigest } from '../../../../src/shared/format/manifest-footer.js'
import { encodeSnapshotImage } from '../../../../src/shared/format/manifest-snapshot.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { copyGolden } from '../../../support/golden.js'
import { codec, readOptions, writeFile } from '../../../support/manifests.js'

const empty = () => {
  const fs = new MemoryFileSystem()
  fs.makeDirectory('/db')
  return fs
}
const read = (fs: MemoryFileSystem) => readManifest(fs, '/db', readOptions)

t.test('`tree_v1_load_fixture`: V1', async (t) => {
  const fs = new MemoryFileSystem()
  copyGolden('v1_tree', fs, '/db')
  t.throws(() => read(fs), { code: 'VARVE_INVALID_VERSION', details: { version: 1 } })
})

t.test('`tree_recovery_versions`: V2', async (t) => {
  const fs = empty()
  fs.makeDirectory('/db/segments')
  t.equal(read(fs), undefined, 'a folder of that name alone says nothing')
  writeFile(fs, '/db/levels', Uint8Array.of(1))
  t.throws(() => read(fs), { code: 'VARVE_INVALID_VERSION', details: { version: 2 } })
})

t.test('`tree_recovery_versions`: V3 and V4 archives', async (t) => {
  for (const version of [3, 4]) {
    for (const padding of [0, 5000]) {
      const fs = empty()
      const archive = new ByteWriter().zeros(padding)
      archive.u8(version)
      const toc = archive.length
      archive.bytes(Buffer.from('TOC!')).u32(1).u64(padding).u64(1).u16(14)
      archive.bytes(Buffer.from('format_version'))
      const length = archive.length - toc
      archive.bytes(Buffer.from('SFA!')).u8(1).u8(0).zeros(16).u64(toc).u64(length)
      writeFile(fs, '/db/v3', archive.finish())
      replaceCurrent(fs, '/db', { snapshotId: 3, digest: new Uint8Array(16) }, 'normal')
      t.throws(() => read(fs), { code: 'VARVE_INVALID_VERSION', details: { version } })
      writeFile(fs, '/db/v3', archive.zeros(1).finish())
      t.throws(() => read(fs), { code: /VARVE_UNRECOVERABLE|VARVE_MANIFEST_INVALID/ })
    }
  }
})

t.test('no pointer: empty, unfinished, or remains', async (t) => {
  t.equal(readManifest(new MemoryFileSystem(), '/nowhere', readOptions), undefined)
  const fs = empty()
  for (const name of ['LOCK', 'edits-7', 'notes.txt', 'vault', 'v', 'v0']) {
    writeFile(fs, `/db/${name}`, Uint8Array.of(1))
    t.equal(read(fs), undefined, name)
  }
  fs.makeDirectory('/db/tables')
  fs.makeDirectory('/db/blobs')
  writeFile(fs, '/db/tables/.DS_Store', Uint8Array.of(1))
  t.equal(read(fs), undefined, 'what a crash while creating leaves')
  for (const name of ['v1', 'tables/0', 'blobs/0']) {
    writeFile(fs, `/db/${name}`, Uint8Array.of(1))
    t.throws(() => read(fs), { code: 'VARVE_IO', details: { reason: 'invalid-data' } }, name)
    fs.remove(`/db/${name}`)
  }
})

/** A tree whose snapshot states something else. */
function altered(changes: Record<string, string | Uint8Array | undefined>): MemoryFileSystem {
  const fs = empty()
  ManifestWriter.create(fs, '/db', 0, { codec, comparatorName: 'default' }).close()
  const sections = Object.entries({
    format_version: Uint8Array.of(5),
    tree_type: Uint8Array.of(0),
    level_count: Uint8Array.of(7),
    filter_hash_type: Uint8Array.of(0),
    comparator_name: 'default',
    tables: new Uint8Array(8).fill(7, 0, 1),
    blob_files: new Uint8Array(4),
    blob_gc_stats: new Uint8Array(4),
    ...changes,
  })
  const image = encodeSnapshotImage(
    sections.flatMap(([name, payload]) =>
      payload === undefined ? [] : [{ name, payload: Buffer.from(payload) }],
    ),
    codec,
  )
  writeFile(fs, '/db/v0', Buffer.concat([image.head, image.body]))
  const digest = canonicalDigest(0, image.footer, codec.hasher)
  replaceCurrent(fs, '/db', { snapshotId: 0, digest }, 'normal')
  return fs
}

type Expected = { code: string; details?: Record<string, unknown> }

t.test('`tree_recovery_versions`: what the snapshot says about itself', async (t) => {
  const none = new Uint8Array(0)
  const rows: [Record<string, string | Uint8Array | undefined>, Expected | undefined][] = [
    [{}, undefined],
    [{ comparator_name: undefined, later: 'x' }, undefined],
    [{ format_version: undefined }, { code: 'VARVE_MANIFEST_INVALID' }],
    [{ format_version: none }, { code: 'VARVE_INVALID_HEADER' }],
    [{ format_version: Uint8Array.of(0) }, { code: 'VARVE_INVALID_VERSION' }],
    [{ format_version: Uint8Array.of(6), tree_type: none }, { code: 'VARVE_INVALID_VERSION' }],
    [{ format_version: Uint8Array.of(4) }, { code: 'VARVE_INVALID_VERSION' }],
    [
      { format_version: Uint8Array.of(4), tree_type: Uint8Array.of(2) },
      { code: 'VARVE_INVALID_TAG', details: { what: 'TreeType', found: 2 } },
    ],
    [{ tree_type: none }, { code: 'VARVE_INVALID_HEADER', details: { what: 'tree_type' } }],
    [{ level_count: none }, { code: 'VARVE_INVALID_HEADER', details: { what: 'level_count' } }],
    [{ level_count: Uint8Array.of(6) }, { code: 'VARVE_INVALID_HEADER' }],
    [
      { filter_hash_type: Uint8Array.of(0, 0) },
      { code: 'VARVE_INVALID_HEADER', details: { what: 'filter_hash_type' } },
    ],
    [{ comparator_name: 'x'.repeat(257) }, { code: 'VARVE_DECOMPRESSED_SIZE' }],
    [{ comparator_name: Uint8Array.of(255) }, { code: 'VARVE_INVALID_HEADER' }],
    [
      { comparator_name: 'u64be' },
      { code: 'VARVE_COMPARATOR_MISMATCH', details: { stored: 'u64be', supplied: 'default' } },
    ],
    [{ tables: undefined }, { code: 'VARVE_UNRECOVERABLE' }],
    [{ restrictions: none }, { code: 'VARVE_INVALID_HEADER' }],
  ]
  for (const [changes, expected] of rows) {
    const fs = altered(changes)
    const name = JSON.stringify(Object.keys(changes))
    if (expected === undefined) t.equal(read(fs)?.version.id, 0, name)
    else t.throws(() => read(fs), expected, name)
  }
})
