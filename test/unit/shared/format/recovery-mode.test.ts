// The tables of format-manifest-blob.md 9: every defect of a section under every mode.
import t from 'tap'
import type { VarveError } from '../../../../src/shared/base/errors.js'
import {
  decodeBlobGcStats,
  encodeBlobGcStats,
} from '../../../../src/shared/format/blob-gc-stats.js'
import { decodeBlobList, encodeBlobList } from '../../../../src/shared/format/blob-list.js'
import { encodeFrame } from '../../../../src/shared/format/frame.js'
import { RECOVERY_MODES, type RecoveryMode } from '../../../../src/shared/format/recovery-mode.js'
import {
  decodeRestrictionList,
  encodeRestrictionList,
} from '../../../../src/shared/format/restriction-list.js'
import { decodeTableList, encodeTableList } from '../../../../src/shared/format/table-list.js'
import { version } from '../../../support/manifests.js'
import { slowHasher } from '../../../support/slow-hasher.js'

/**
 * What each mode answers, in the order of RECOVERY_MODES: an error code, or the ids that are left.
 */
type Row = readonly [string, string, string, string]

function outcome(decode: (mode: RecoveryMode) => string): Row {
  return RECOVERY_MODES.map((mode) => {
    try {
      return decode(mode)
    } catch (error) {
      return (error as VarveError).code
    }
  }) as unknown as Row
}

const levels = version(1, [10, 11], [12]).levels.map((runs, level) =>
  level === 3 ? version(1, [20]).levels[0]! : runs,
)
/** L0 [10 11] [12], L3 [20]: where its parts begin. */
const tables = encodeTableList(levels, slowHasher)
const at = { run: 2, first: 6, second: 51, run2: 96, third: 100, level1: 145, fourth: 152 }

const ids = (payload: Uint8Array) =>
  outcome((mode) => {
    const { levels, losses } = decodeTableList(payload, { file: 'v1', mode, hasher: slowHasher })
    const text = levels
      .map((runs, level) =>
        runs.map((run) => `L${level}:${run.map(({ id }) => id).join(',')}`).join(' '),
      )
      .filter((level) => level !== '')
      .join(' ')
    const loss = `${losses.recordsDropped}${losses.isShortened ? ' short' : ''}`
    return `${levels.length} levels, ${text || 'nothing'}; ${loss}`
  })

function damaged(change: (bytes: Uint8Array) => void, bytes = tables): Uint8Array {
  const copy = bytes.slice()
  change(copy)
  return copy
}

t.test('tables', async (t) => {
  const whole = '7 levels, L0:10,11 L0:12 L3:20; 0'
  t.same(ids(tables), [whole, whole, whole, whole])
  t.same(ids(Buffer.concat([tables, Buffer.from('xx')])), [whole, whole, whole, whole])

  t.test('cut short', async (t) => {
    const cut = (length: number, left: string, strict = 'VARVE_IO') =>
      t.same(ids(tables.subarray(0, length)), [strict, left, left, left], `cut at ${length}`)
    cut(0, '0 levels, nothing; 0 short')
    cut(1, '7 levels, nothing; 0 short')
    cut(at.run + 2, '7 levels, nothing; 0 short')
    cut(at.second, '7 levels, L0:10; 1 short', 'VARVE_UNRECOVERABLE')
    cut(at.second + 20, '7 levels, L0:10; 1 short', 'VARVE_UNRECOVERABLE')
    cut(at.run2, '7 levels, L0:10,11; 0 short')
    cut(at.run2 + 3, '7 levels, L0:10,11; 0 short')
    cut(at.level1, '7 levels, L0:10,11 L0:12; 0 short')
    cut(tables.length - 1, '7 levels, L0:10,11 L0:12 L3:20; 0 short')
  })

  t.test('a damaged record', async (t) => {
    const flip = damaged((bytes) => bytes.set([99], at.second + 14))
    const error = 'VARVE_MANIFEST_INVALID'
    const stop = '7 levels, L0:10; 1 short'
    t.same(ids(flip), [error, error, stop, '7 levels, L0:10 L0:12 L3:20; 1'])
    const sole = damaged((bytes) => bytes.set([99], at.third + 14))
    const before = '7 levels, L0:10,11; 1 short'
    const skipped = '7 levels, L0:10,11 L3:20; 1'
    t.same(ids(sole), [error, error, before, skipped], 'an emptied run vanishes')
  })

  t.test('an impossible length', async (t) => {
    const code = 'VARVE_INVALID_HEADER'
    const stop = '7 levels, L0:10; 1 short'
    const far = damaged((bytes) => bytes.set([255, 255, 255, 255], at.second))
    t.same(ids(far), [code, code, stop, stop])
    const wrong = damaged((bytes) => bytes.set([34], at.second))
    t.same(ids(wrong), [code, code, code, code])
  })

  t.test('an unknown checksum type in an intact record', async (t) => {
    const record = tables.slice(at.second + 12, at.run2)
    record[8] = 1
    const odd = damaged((bytes) => bytes.set(encodeFrame(record, slowHasher), at.second))
    const stop = '7 levels, L0:10; 1 short'
    const code = 'VARVE_INVALID_TAG'
    t.same(ids(odd), [code, code, stop, '7 levels, L0:10 L0:12 L3:20; 1'])
  })

  t.test('a false count', async (t) => {
    const many = damaged((bytes) => bytes.set([255, 255, 255, 255], at.run))
    const [absolute, ...tolerant] = ids(many)
    t.equal(absolute, 'VARVE_UNRECOVERABLE')
    for (const result of tolerant) t.match(result, /L0:10,11|VARVE_INVALID_HEADER/)
  })

  t.test('more than 255 runs are never written', async (t) => {
    const runs = Array.from({ length: 256 }, (_, id) => [id])
    t.throws(() => encodeTableList(version(1, ...runs).levels, slowHasher), {
      code: 'VARVE_ASSERTION',
    })
    const most = version(1, ...runs.slice(1)).levels
    t.match(ids(encodeTableList(most, slowHasher))[0], /L0:255; 0$/)
  })
})

t.test('blob files', async (t) => {
  const files = new Map([7, 3, 5].map((id) => [id, new Uint8Array(16).fill(id)]))
  const payload = encodeBlobList(files, slowHasher)
  const blobIds = (bytes: Uint8Array) =>
    outcome((mode) => {
      const { files, losses } = decodeBlobList(bytes, { file: 'v1', mode, hasher: slowHasher })
      const short = losses.isShortened ? ' short' : ''
      return `${[...files.keys()].join(',')}; ${losses.recordsDropped}${short}`
    })
  t.same(blobIds(payload), ['3,5,7; 0', '3,5,7; 0', '3,5,7; 0', '3,5,7; 0'])
  t.same(blobIds(payload.subarray(0, 3)), ['VARVE_IO', '; 0 short', '; 0 short', '; 0 short'])
  const cut = payload.subarray(0, 4 + 37 + 5)
  t.same(blobIds(cut), ['VARVE_UNRECOVERABLE', '3; 1 short', '3; 1 short', '3; 1 short'])
  const flip = damaged((bytes) => bytes.set([99], 4 + 37 + 20), payload)
  const error = 'VARVE_MANIFEST_INVALID'
  t.same(blobIds(flip), [error, error, '3; 1 short', '3,7; 1'])
})

t.test('blob statistics', async (t) => {
  const stats = new Map([
    [9, { count: 1, bytes: 2, storedBytes: 3 }],
    [4, { count: 5, bytes: 6, storedBytes: 7 }],
  ])
  const payload = encodeBlobGcStats(stats)
  const read = (bytes: Uint8Array) =>
    outcome((mode) => JSON.stringify([...decodeBlobGcStats(bytes, { file: 'v1', mode }).stats]))
  const whole = JSON.stringify([...stats].reverse())
  t.same(read(payload), [whole, whole, whole, whole])
  for (let length = 0; length < payload.length; length++) {
    t.same(read(payload.subarray(0, length)), ['VARVE_IO', '[]', '[]', '[]'])
  }
  t.same(read(Buffer.from('ffffffff', 'hex'))[0], 'VARVE_IO', 'no allocation by count')
})

t.test('restrictions are strict', async (t) => {
  const payload = encodeRestrictionList(new Map([[3, Buffer.from('key')]]))
  t.equal(Buffer.from(decodeRestrictionList(payload, 'v1').get(3)!).toString(), 'key')
  const invalid = { code: 'VARVE_INVALID_HEADER', message: /restrictions section/ }
  for (let length = 0; length < payload.length; length++) {
    t.throws(() => decodeRestrictionList(payload.subarray(0, length), 'v1'), invalid)
  }
  t.throws(() => decodeRestrictionList(Buffer.concat([payload, Buffer.alloc(1)]), 'v1'), invalid)
  const twice = Buffer.concat([Uint8Array.of(2, 0, 0, 0), payload.slice(4), payload.slice(4)])
  t.throws(() => decodeRestrictionList(twice, 'v1'), invalid)
})
