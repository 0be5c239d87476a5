// Reading manifests: real trees, every damaged byte of every file, the replay table, and that
// nothing is written.
import t from 'tap'
import { readManifest } from '../../../../src/main/manifest/manifest-reader.js'
import { VarveError } from '../../../../src/shared/base/errors.js'
import { FRAME_HEADER_BYTES } from '../../../../src/shared/format/frame.js'
import { RECOVERY_MODES, type RecoveryMode } from '../../../../src/shared/format/recovery-mode.js'
import { TreeType } from '../../../../src/shared/format/version-model.js'
import { FaultFileSystem } from '../../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../../src/shared/fs/memory-file-system.js'
import { StdFileSystem } from '../../../../src/shared/fs/std-file-system.js'
import { copyGolden, goldenPath } from '../../../support/golden.js'
import { describe, readFile, readOptions, writeFile } from '../../../support/manifests.js'

function golden(tree: string): MemoryFileSystem {
  const fs = new MemoryFileSystem()
  copyGolden(tree, fs, '/db')
  return fs
}

/** A file system that fails every call that would change anything. */
function readOnly(fs: MemoryFileSystem): FaultFileSystem {
  const reads = ['openRead', 'read', 'size', 'exists', 'list']
  return new FaultFileSystem(fs, ({ operation }) =>
    reads.includes(operation) ? undefined : { errno: 'EROFS' },
  )
}

const read = (fs: MemoryFileSystem, mode: RecoveryMode = 'absolute-consistency') =>
  readManifest(readOnly(fs), '/db', { ...readOptions, mode })

const outcome = (fs: MemoryFileSystem, mode?: RecoveryMode) => {
  try {
    const manifest = read(fs, mode)
    if (manifest === undefined) return 'nothing'
    const torn = manifest.isComplete ? '' : ` torn ${manifest.log.torn}`
    return `version ${manifest.version.id}${torn}`
  } catch (error) {
    if (!VarveError.is(error)) throw error
    return error.code
  }
}

t.test('the trees of the Rust crate', async (t) => {
  t.equal(outcome(golden('compat_v5_6_0')), 'version 1')
  const rotated = readManifest(new StdFileSystem(), goldenPath('v5/trees/rotate'), readOptions)
  t.match(rotated, { snapshotId: 6, isComplete: true, log: { isPresent: true, torn: undefined } })
  t.ok((rotated?.version.id ?? 0) > 6, 'the log leads on from the snapshot')
  const packed = readManifest(new StdFileSystem(), goldenPath('v5/trees/std'), readOptions)
  const ids = packed?.version.levels[0]?.map((run) => run.map(({ id }) => id))
  t.same(ids, [[3], [2], [1], [0, 4, 5]], 'the documented packing of level 0')
})

t.test('every byte of every manifest file flipped, under every mode', async (t) => {
  const whole = read(golden('v5/trees/stdcompact'))!
  const prefixes = new Set<string>()
  const fs = golden('v5/trees/stdcompact')
  const log = readFile(fs, '/db/edits-0')
  const starts = [0]
  for (let at = 0; at < log.length; ) {
    at += FRAME_HEADER_BYTES + (log[at] ?? 0) + 256 * (log[at + 1] ?? 0)
    starts.push(at)
  }
  for (const end of starts) {
    writeFile(fs, '/db/edits-0', log.subarray(0, end))
    prefixes.add(describe(read(fs)!.version))
  }
  t.equal(prefixes.size, starts.length)
  t.ok(prefixes.has(describe(whole.version)))
  for (const file of ['current', 'v0', 'edits-0']) {
    const bytes = readFile(golden('v5/trees/stdcompact'), `/db/${file}`)
    const damaged = golden('v5/trees/stdcompact')
    const step = file === 'v0' ? 7 : 1
    for (let i = 0; i < bytes.length; i += step) {
      const copy = bytes.slice()
      copy[i] = (copy[i] ?? 0) ^ 0x21
      writeFile(damaged, `/db/${file}`, copy)
      for (const mode of RECOVERY_MODES) {
        try {
          const version = describe(read(damaged, mode)!.version)
          if (!prefixes.has(version)) t.fail(`wrong data: ${file} ${i} ${mode}`)
          if (file !== 'edits-0' && version !== describe(whole.version)) t.fail(`${file} ${i}`)
          if (mode === 'absolute-consistency' && version !== describe(whole.version)) t.fail()
        } catch (error) {
          if (!VarveError.is(error)) throw error
          t.match(error.details['file'], /^\/db\//, error.code)
        }
      }
    }
    for (let length = 0; length < bytes.length; length += step) {
      writeFile(damaged, `/db/${file}`, bytes.subarray(0, length))
      const result = outcome(damaged)
      const isPrefix = file === 'edits-0' && starts.includes(length)
      const isMirrored = file === 'v0' && length >= 4472
      t.match(result, isPrefix || isMirrored ? /^version/ : /^VARVE_/, `${file} cut at ${length}`)
    }
  }
})

t.test('`tree_recovery_versions`: the replay table, by mode', async (t) => {
  const rows = (change: (log: Buffer) => Uint8Array) => {
    const fs = golden('v5/trees/std')
    writeFile(fs, '/db/edits-0', change(Buffer.from(readFile(fs, '/db/edits-0'))))
    return RECOVERY_MODES.map((mode) => outcome(fs, mode))
  }
  const last = 'VARVE_MANIFEST_TORN'
  const whole = read(golden('v5/trees/std'))!
  const end = whole.version.id
  const count = whole.log.recordCount
  t.equal(whole.log.goodBytes, whole.log.fileBytes)
  const all = `version ${end}`
  t.same(
    rows((log) => log),
    [all, all, all, all],
  )
  for (const tail of [1, 2, 3, 5, 12, 40]) {
    const torn = `version ${end} torn truncated`
    const partial = Buffer.concat([Uint8Array.of(200, 0, 0, 0), Buffer.alloc(40)]).subarray(0, tail)
    t.same(
      rows((log) => Buffer.concat([log, partial])),
      [last, torn, torn, torn],
      `${tail} bytes`,
    )
  }
  const shorter = `version ${end - 1} torn truncated`
  t.same(
    rows((log) => log.subarray(0, -1)),
    [last, shorter, shorter, shorter],
  )
  const mismatch = `version ${end - 1} torn checksum-mismatch`
  const flipLast = (log: Buffer) => log.fill(0xee, log.length - 1)
  t.same(rows(flipLast), [last, last, mismatch, mismatch])
  const zeros = `version ${end} torn checksum-mismatch`
  t.same(
    rows((log) => Buffer.concat([log, Buffer.alloc(600)])),
    [last, last, zeros, zeros],
  )
  const header = `version ${end} torn bad-header`
  const huge = Uint8Array.of(1, 0, 1, 0, 9, 9)
  t.same(
    rows((log) => Buffer.concat([log, huge])),
    [last, last, header, header],
  )
  const first = `version 0 torn checksum-mismatch`
  t.same(
    rows((log) => log.fill(0xee, 20, 21)),
    [last, last, first, first],
  )
  t.same(
    rows(() => Buffer.alloc(0)),
    Array(4).fill('version 0'),
  )
  t.ok(count > 3)
})

t.test('the torn error names kind and place', async (t) => {
  const fs = golden('compat_v5_6_0')
  const log = readFile(fs, '/db/edits-0')
  writeFile(fs, '/db/edits-0', Buffer.concat([log, Uint8Array.of(7)]))
  t.throws(() => read(fs), {
    code: 'VARVE_MANIFEST_TORN',
    details: { kind: 'truncated', file: '/db/edits-0', offset: 82 },
  })
})

t.test('an intact record that cannot be decoded aborts in every mode', async (t) => {
  const { encodeFrame } = await import('../../../../src/shared/format/frame.js')
  const fs = golden('compat_v5_6_0')
  const log = readFile(fs, '/db/edits-0')
  const odd = encodeFrame(Uint8Array.of(1, 2, 3), readOptions.codec.hasher)
  writeFile(fs, '/db/edits-0', Buffer.concat([log, odd]))
  for (const mode of RECOVERY_MODES) t.equal(outcome(fs, mode), 'VARVE_INVALID_HEADER')
})

t.test(
  '`tree_recovery_versions`: the pointer belongs to one snapshot, which must be there',
  async (t) => {
    const fs = golden('compat_v5_6_0')
    writeFile(fs, '/db/v0', readFile(golden('v5/trees/std'), '/db/v0'))
    t.equal(outcome(fs), 'VARVE_CHECKSUM_MISMATCH')
    fs.remove('/db/v0')
    t.throws(() => read(fs), { code: 'VARVE_MANIFEST_INVALID', details: { file: '/db/v0' } })
  },
)

t.test('the tree type is checked, either way', async (t) => {
  const asType = (tree: string, treeType: TreeType) => () =>
    readManifest(golden(tree), '/db', { ...readOptions, treeType })
  const wrong = { code: 'VARVE_UNRECOVERABLE', details: { what: 'tree_type' } }
  t.throws(asType('v5/trees/std', TreeType.Blob), wrong)
  t.throws(asType('v5/trees/blobgc', TreeType.Standard), wrong)
  t.equal(asType('v5/trees/blobgc', TreeType.Blob)()?.version.blobFiles.size, 2)
})
