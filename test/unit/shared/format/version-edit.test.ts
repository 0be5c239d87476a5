// Version edits: random versions there and back, and every cut refused.
import t from 'tap'
import {
  applyEdit,
  decodeVersionEdit,
  diffVersions,
  encodeVersionEdit,
} from '../../../../src/shared/format/version-edit.js'
import {
  emptyVersion,
  type ManifestVersion,
  TreeType,
} from '../../../../src/shared/format/version-model.js'
import { describe, table, version } from '../../../support/manifests.js'
import { Random, runSeed } from '../../../support/random.js'

const origin = { file: 'edits-0', offset: 12 }

function randomVersion(random: Random, id: number): ManifestVersion {
  let nextId = random.below(5)
  const levels = Array.from({ length: 7 }, () =>
    Array.from({ length: random.below(3) }, () =>
      Array.from({ length: 1 + random.below(3) }, () => table(nextId++, random.below(3))),
    ),
  )
  const some = () => Array.from({ length: random.below(4) }, () => random.below(6)).sort()
  const digest = () => new Uint8Array(16).fill(random.below(2))
  return {
    id,
    treeType: TreeType.Blob,
    levels,
    blobFiles: new Map(some().map((blob) => [blob, digest()])),
    blobGcStats: new Map(
      some().map((blob) => [blob, { count: random.below(2), bytes: 1, storedBytes: 2 }]),
    ),
    restrictions: nextId > 9 ? new Map([[8, random.bytes(3)]]) : new Map(),
  }
}

/**
 * The version without what an edit need not carry: restrictions of tables that are gone, the order
 * of maps.
 */
function comparable(version: ManifestVersion): string {
  const live = new Set(version.levels.flat(2).map(({ id }) => id))
  const sorted = <T>(map: ReadonlyMap<number, T>) => new Map([...map].sort(([a], [b]) => a - b))
  return describe({
    ...version,
    blobFiles: sorted(version.blobFiles),
    blobGcStats: sorted(version.blobGcStats),
    restrictions: new Map([...sorted(version.restrictions)].filter(([id]) => live.has(id))),
  })
}

t.test('applying a difference gives the new version', async (t) => {
  const seed = runSeed()
  t.comment(`SEED=${seed}`)
  const random = new Random(seed)
  for (let i = 0; i < 300; i++) {
    const old = { ...randomVersion(random, i), restrictions: new Map() }
    const next = randomVersion(random, i + 1)
    const bytes = encodeVersionEdit(diffVersions(old, next))
    const edit = decodeVersionEdit(bytes, origin)
    t.same(encodeVersionEdit(edit), bytes)
    if (comparable(applyEdit(old, edit)) !== comparable(next)) t.fail(`round ${i}`)
  }
})

t.test(
  'unchanged parts are left out; emptied statistics are told from unchanged ones',
  async (t) => {
    const old = version(1, [1, 2])
    const same = diffVersions(old, { ...old, id: 2 })
    t.match(same, { changedLevels: [], addedBlobFiles: [], removedBlobFiles: [] })
    t.equal(same.blobGcStats, undefined)
    const some = { ...old, blobGcStats: new Map([[1, { count: 1, bytes: 1, storedBytes: 1 }]]) }
    const reset = diffVersions(some, { ...old, id: 2 })
    t.equal(reset.blobGcStats?.size, 0)
    const back = decodeVersionEdit(encodeVersionEdit(reset), origin)
    t.equal(back.blobGcStats?.size, 0)
    t.equal(applyEdit(some, back).blobGcStats.size, 0)
  },
)

t.test('restrictions are repeated in full, for living tables only', async (t) => {
  const restrictions = new Map([
    [1, Buffer.from('a')],
    [9, Buffer.from('b')],
  ])
  const old = { ...version(1, [1]), restrictions }
  t.same([...diffVersions(old, { ...old, id: 2 }).restrictions.keys()], [1])
})

t.test('an edit may lengthen the list of levels', async (t) => {
  const edit = {
    ...diffVersions(emptyVersion(0), emptyVersion(0, 1)),
    changedLevels: [{ level: 9, runs: [[table(1)], []] }],
  }
  const result = applyEdit(emptyVersion(0), edit)
  t.equal(result.levels.length, 10)
  t.equal(result.levels[9]?.length, 1, 'empty runs vanish')
})

t.test('consumed exactly, in whole', async (t) => {
  const random = new Random(7)
  const bytes = encodeVersionEdit(diffVersions(emptyVersion(1), randomVersion(random, 3)))
  const invalid = { code: 'VARVE_INVALID_HEADER', message: /VersionEdit/ }
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decodeVersionEdit(bytes.subarray(0, length), origin), invalid)
  }
  t.throws(() => decodeVersionEdit(Buffer.concat([bytes, Buffer.alloc(1)]), origin), invalid)
  for (let i = 8; i < bytes.length; i++) {
    const damaged = Uint8Array.from(bytes)
    damaged[i] = 255
    try {
      decodeVersionEdit(damaged, origin)
    } catch (error) {
      t.match(error, { name: 'VarveError', code: /VARVE_INVALID_HEADER|VARVE_UNSUPPORTED/ })
    }
  }
})
