// The pointer file: its vector, every flip, every cut.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { sameBytes } from '../../../../src/shared/base/checksum.js'
import { decodeCurrent, encodeCurrent } from '../../../../src/shared/format/current-pointer.js'
import { goldenPath } from '../../../support/golden.js'

const golden = readFileSync(goldenPath('compat_v5_6_0/current'))

t.test('there and back; what follows 25 bytes is ignored', async (t) => {
  const pointer = decodeCurrent(golden, 'current')
  t.equal(pointer.snapshotId, 0)
  t.ok(sameBytes(encodeCurrent(pointer), golden))
  t.same(decodeCurrent(Buffer.concat([golden, golden]), 'current'), pointer)
})

t.test('cut short, it is an unexpected end', async (t) => {
  for (let length = 0; length < 25; length++) {
    t.throws(() => decodeCurrent(golden.subarray(0, length), '/db/current'), {
      code: 'VARVE_IO',
      details: { reason: 'truncated', file: '/db/current' },
    })
  }
})

t.test('an unknown checksum type, an id too large', async (t) => {
  const typed = Buffer.from(golden)
  typed[24] = 1
  t.throws(() => decodeCurrent(typed, 'current'), {
    code: 'VARVE_INVALID_TAG',
    details: { what: 'ChecksumType', found: 1 },
  })
  const large = Buffer.from(golden)
  large[7] = 1
  t.throws(() => decodeCurrent(large, 'current'), { code: 'VARVE_UNSUPPORTED' })
})
