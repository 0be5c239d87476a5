/** The seqno bounds block: round trip, and every way in which it can be wrong. */
import t from 'tap'
import { decodeSeqnoBounds, encodeSeqnoBounds } from '../../../../src/shared/format/seqno-bounds.js'

const place = { file: '/db/tables/7', offset: 900, dataBytes: 500 }
const blocks = [
  { offset: 0, min: 3, max: 9 },
  { offset: 100, min: 0, max: 0 },
  { offset: 499, min: 2, max: Number.MAX_SAFE_INTEGER },
]

t.test('round trip', async (t) => {
  t.same([...decodeSeqnoBounds(encodeSeqnoBounds(blocks), place).values()], blocks)
  t.equal(decodeSeqnoBounds(encodeSeqnoBounds([]), place).size, 0)
})

t.test('every truncation and a trailing byte are refused', async (t) => {
  const payload = encodeSeqnoBounds(blocks)
  for (let length = 0; length < payload.length; length++) {
    t.throws(() => decodeSeqnoBounds(payload.subarray(0, length), place), {
      code: 'VARVE_INVALID_BLOCK',
      details: { file: place.file, offset: place.offset },
    })
  }
  t.throws(() => decodeSeqnoBounds(Buffer.concat([payload, Buffer.of(0)]), place))
})

t.test('hostile records are refused', async (t) => {
  const wrong: Record<string, (view: DataView) => void> = {
    'a huge count': (view) => view.setUint32(0, 0xffff_ffff, true),
    'an offset behind the data': (view) => view.setBigUint64(4 + 48, 500n, true),
    'offsets that do not ascend': (view) => view.setBigUint64(4 + 24, 0n, true),
    'a minimum above the maximum': (view) => view.setBigUint64(4 + 8, 10n, true),
    'a seqno that no number holds': (view) => view.setBigUint64(4 + 64, 1n << 60n, true),
  }
  for (const [name, spoil] of Object.entries(wrong)) {
    const payload = encodeSeqnoBounds(blocks)
    spoil(new DataView(payload.buffer))
    t.throws(() => decodeSeqnoBounds(payload, place), { code: 'VARVE_INVALID_BLOCK' }, name)
  }
})
