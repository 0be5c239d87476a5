// Manifests written by the Rust crate: decoded, and encoded again to the same bytes.
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { describeDigest, sameBytes } from '../../../../src/shared/base/checksum.js'
import { decodeCurrent, encodeCurrent } from '../../../../src/shared/format/current-pointer.js'
import { encodeFrame, readFrame } from '../../../../src/shared/format/frame.js'
import { canonicalDigest } from '../../../../src/shared/format/manifest-footer.js'
import { SnapshotReader } from '../../../../src/shared/format/manifest-snapshot.js'
import {
  applyEdit,
  decodeVersionEdit,
  diffVersions,
  encodeVersionEdit,
} from '../../../../src/shared/format/version-edit.js'
import { decodeVersion, encodeSnapshot } from '../../../../src/shared/format/version-sections.js'
import { goldenPath } from '../../../support/golden.js'
import { codec, describe, memoryFile } from '../../../support/manifests.js'
import { slowHasher } from '../../../support/slow-hasher.js'

const read = (path: string) => Uint8Array.from(readFileSync(goldenPath(path)))
const trees: [string, number][] = [
  ['compat_v5_6_0', 0],
  ['v5/trees/std', 0],
  ['v5/trees/stdcompact', 0],
  ['v5/trees/rotate', 6],
  ['v5/trees/ingest', 0],
  ['v5/trees/blobgc', 0],
]

for (const [tree, id] of trees) {
  t.test(tree, async (t) => {
    const bytes = read(`${tree}/v${id}`)
    const reader = new SnapshotReader(memoryFile(bytes), codec)
    const { version } = decodeVersion(reader, id, 'absolute-consistency', codec)
    const writerName = Buffer.from(reader.section('crate_version')).toString()
    const image = encodeSnapshot(version, { codec, comparatorName: 'default', writerName })
    t.ok(sameBytes(Buffer.concat([image.head, image.body]), bytes), 'the snapshot')

    const current = read(`${tree}/current`)
    const pointer = decodeCurrent(current, 'current')
    t.equal(pointer.snapshotId, id)
    t.ok(sameBytes(canonicalDigest(id, reader.footer, slowHasher), pointer.digest))
    t.ok(sameBytes(encodeCurrent(pointer), current), 'the pointer')

    const log = read(`${tree}/edits-${id}`)
    let now = version
    let position = 0
    while (position < log.length) {
      const frame = readFrame(log, position, slowHasher)
      if (frame.kind !== 'ok') throw new Error(frame.kind)
      const edit = decodeVersionEdit(frame.payload, { file: 'edits', offset: position + 12 })
      const original = log.subarray(position, frame.next)
      t.ok(sameBytes(encodeFrame(encodeVersionEdit(edit), slowHasher), original), 'a record')
      const next = applyEdit(now, edit)
      const mine = encodeFrame(encodeVersionEdit(diffVersions(now, next)), slowHasher)
      t.ok(sameBytes(mine, original), 'the same record from the difference of versions')
      t.equal(describe(applyEdit(now, diffVersions(now, next))), describe(next))
      now = next
      position = frame.next
    }
    for (const run of now.levels.flat()) {
      for (const { id: tableId } of run) t.ok(existsSync(goldenPath(`${tree}/tables/${tableId}`)))
    }
    for (const blob of now.blobFiles.keys()) t.ok(existsSync(goldenPath(`${tree}/blobs/${blob}`)))
    t.matchOnly(now.levels.length, 7)
  })
}

t.test('the documented figures of the 5.6.0 fixture', async (t) => {
  const reader = new SnapshotReader(memoryFile(read('compat_v5_6_0/v0')), codec)
  t.equal(
    describeDigest(canonicalDigest(0, reader.footer, slowHasher)),
    'c550da06b66e832f2fd53856a5fee92d',
  )
  t.same(
    reader.footer.sections.map(({ name, offset, size }) => [name, offset, size]),
    [
      ['format_version', 0x1000, 35],
      ['crate_version', 0x1023, 39],
      ['tree_type', 0x104a, 35],
      ['level_count', 0x106d, 35],
      ['filter_hash_type', 0x1090, 35],
      ['comparator_name', 0x10b3, 41],
      ['tables', 0x10dc, 42],
      ['blob_files', 0x1106, 38],
      ['blob_gc_stats', 0x112c, 38],
      ['restrictions', 0x1152, 38],
    ],
  )
})
