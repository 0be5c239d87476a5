// Framed records: the published vector, every outcome, every flip, every cut.
import t from 'tap'
import { encodeFrame, readFrame } from '../../../../src/shared/format/frame.js'
import { slowHasher } from '../../../support/slow-hasher.js'

const read = (bytes: Uint8Array, expected?: number) => readFrame(bytes, 0, slowHasher, expected)

t.test('the frame of 05', async (t) => {
  const frame = encodeFrame(Uint8Array.of(5), slowHasher)
  t.equal(Buffer.from(frame).toString('hex'), '01000000e23eae278d359e9205')
  t.match(read(frame), { kind: 'ok', next: 13 })
  t.match(read(frame, 1), { kind: 'ok' })
  t.match(read(frame, 2), { kind: 'len-mismatch', length: 1 })
})

t.test('outcomes come in order', async (t) => {
  const frame = encodeFrame(new Uint8Array(40).fill(7), slowHasher)
  for (let length = 0; length < frame.length; length++) {
    t.equal(read(frame.subarray(0, length)).kind, 'truncated')
  }
  const long = Uint8Array.of(1, 0, 1, 0)
  t.match(read(long), { kind: 'bad-header', length: 65_537 })
  t.match(read(long, 33), { kind: 'bad-header' }, 'before the fixed length')
  t.match(read(Uint8Array.of(0, 0, 1, 0)), { kind: 'truncated' }, '65536 is allowed')
  for (let i = 4; i < frame.length; i++) {
    const damaged = frame.slice()
    damaged[i] = (damaged[i] ?? 0) ^ 1
    t.match(read(damaged), { kind: 'checksum-mismatch', next: frame.length })
  }
  t.equal(read(new Uint8Array(12)).kind, 'checksum-mismatch', 'zeros are no record')
})

t.test('the largest payload fits, a larger one is our bug', async (t) => {
  const payload = new Uint8Array(65_536)
  t.equal(read(encodeFrame(payload, slowHasher)).kind, 'ok')
  t.throws(() => encodeFrame(new Uint8Array(65_537), slowHasher), { code: 'VARVE_ASSERTION' })
})
