// Reader and writer of bytes: each other's inverse, and exact about what is wrong.
import t from 'tap'
import { ByteReader, isTruncation } from '../../../../src/shared/format/byte-reader.js'
import { ByteWriter } from '../../../../src/shared/format/byte-writer.js'

const reader = (bytes: Uint8Array) =>
  new ByteReader(bytes, 'thing', { file: 'f', offset: 100 }, 'VARVE_INVALID_HEADER')

t.test('what is written is read', async (t) => {
  const bytes = new ByteWriter(1)
    .u8(255)
    .u16(65_535)
    .u32(4_294_967_295)
    .u64(Number.MAX_SAFE_INTEGER)
    .bytes(Uint8Array.of(1, 2))
    .zeros(1)
    .finish()
  const r = reader(bytes)
  t.equal(r.u8('a'), 255)
  t.equal(r.u16('a'), 65_535)
  t.equal(r.u32('a'), 4_294_967_295)
  t.equal(r.u64('a'), Number.MAX_SAFE_INTEGER)
  t.same([...r.bytes(2, 'a')], [1, 2])
  t.same([...r.rest()], [0])
  t.throws(() => r.end(), { code: 'VARVE_INVALID_HEADER', message: /1 bytes too many/ })
  r.skip(1, 'a')
  r.end()
  t.same([...bytes.subarray(0, 3)], [255, 255, 255], 'little-endian')
})

t.test('a cut says what, where and how much', async (t) => {
  const r = reader(Uint8Array.of(1, 2, 3))
  r.u8('first')
  try {
    r.u32('the length')
    t.fail()
  } catch (error) {
    t.ok(isTruncation(error))
    t.match(error, {
      code: 'VARVE_INVALID_HEADER',
      message: 'thing: truncated in the length: 4 bytes needed, 2 are left (f, offset 101)',
      details: { file: 'f', offset: 101, field: 'the length', what: 'thing' },
    })
  }
  t.equal(r.position, 1, 'a failure moves nothing')
})

t.test('a u64 beyond 2^53 - 1 is unsupported, never rounded', async (t) => {
  for (const hex of ['0000000000002000', 'ffffffffffffffff', '0100000000002000']) {
    t.throws(() => reader(Buffer.from(hex, 'hex')).u64('seqno'), { code: 'VARVE_UNSUPPORTED' })
  }
  t.equal(reader(Buffer.from('ffffffffffff1f00', 'hex')).u64('seqno'), Number.MAX_SAFE_INTEGER)
})

t.test('varints', async (t) => {
  for (const value of [0, 1, 127, 128, 300, 16_383, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const r = reader(new ByteWriter().varint(value).finish())
    t.equal(r.var64('v'), value)
    r.end()
  }
  t.same([...new ByteWriter().varint(300).finish()], [0xac, 0x02])
  const pointer = new ByteWriter().varint(266).varint(3).varint(220).varint(1000).finish()
  t.equal(Buffer.from(pointer).toString('hex'), '8a0203dc01e807')
  const bad = { code: 'VARVE_INVALID_HEADER' }
  t.throws(() => reader(Uint8Array.of(0x80)).var64('v'), bad, 'ends inside')
  t.throws(() => reader(new ByteWriter().varint(65_536).finish()).var16('v'), bad)
  t.throws(() => reader(new ByteWriter().varint(2 ** 32).finish()).var32('v'), bad)
  t.throws(() => reader(Buffer.from('ffffffffffffffffff02', 'hex')).var64('v'), bad, '65 bits')
  t.throws(() => reader(Buffer.from('ffffffffffffffffff81', 'hex')).var64('v'), bad, '11 bytes')
  const wide = { code: 'VARVE_UNSUPPORTED' }
  t.throws(() => reader(Buffer.from('ffffffffffffffffff01', 'hex')).var64('v'), wide)
})

t.test('the writer refuses what does not fit', async (t) => {
  const wrong = { code: 'VARVE_ASSERTION' }
  t.throws(() => new ByteWriter().u8(256), wrong)
  t.throws(() => new ByteWriter().u32(-1), wrong)
  t.throws(() => new ByteWriter().u64(2 ** 53), wrong)
  t.throws(() => new ByteWriter().u16(1.5), wrong)
})
