/** The seqno mark: round trip, and every byte and length that can be wrong. */
import t from 'tap'
import type { VarveError } from '../../../../src/shared/base/errors.js'
import {
  decodeSeqnoMark,
  encodeSeqnoMark,
  SEQNO_MARK_BYTES,
} from '../../../../src/shared/format/seqno-mark.js'
import { testWorkspace } from '../../../support/workspace.js'

const { hasher } = testWorkspace(1)
const FILE = '/db/seqno-mark'

t.test('round trip', async (t) => {
  for (const seqno of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    t.equal(decodeSeqnoMark(encodeSeqnoMark(seqno, hasher), FILE, hasher), seqno)
  }
  t.equal(
    Buffer.from(encodeSeqnoMark(5, hasher)).toString('hex', 0, 12),
    '5653514d0500000000000000',
  )
})

t.test('every flipped bit and every other length is refused, and the file named', async (t) => {
  const good = encodeSeqnoMark(77, hasher)
  for (let bit = 0; bit < 8 * SEQNO_MARK_BYTES; bit++) {
    const bytes = Uint8Array.from(good)
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
    const error = t.throws(() => decodeSeqnoMark(bytes, FILE, hasher)) as VarveError
    if (error.details['file'] !== FILE) t.fail(`bit ${bit}: ${error}`)
  }
  for (let length = 0; length < SEQNO_MARK_BYTES; length++) {
    t.throws(() => decodeSeqnoMark(good.subarray(0, length), FILE, hasher), {
      code: 'VARVE_INVALID_HEADER',
    })
  }
  t.throws(() => decodeSeqnoMark(Buffer.concat([good, good]), FILE, hasher), {
    code: 'VARVE_INVALID_HEADER',
  })
})
