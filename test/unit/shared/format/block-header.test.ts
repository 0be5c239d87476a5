// Block headers: all thirteen types there and back, every check in its order.
import t from 'tap'
import {
  BlockFlag,
  BlockType,
  blockHeaderBytes,
  readBlockHeader,
  writeBlockHeader,
} from '../../../../src/shared/format/block-header.js'
import { slowHasher } from '../../../support/slow-hasher.js'

const origin = { file: 'tables/1', offset: 4096 }

function header(type: number, fields: { flags?: number; data?: number; plain?: number } = {}) {
  const target = new Uint8Array(40)
  const length = writeBlockHeader(
    target,
    3,
    {
      type: type as BlockType,
      flags: fields.flags ?? 0,
      checksum: new Uint8Array(16).fill(9),
      dataLength: fields.data ?? 10,
      uncompressedLength: fields.plain ?? 20,
    },
    slowHasher,
  )
  return target.slice(3, 3 + length)
}

t.test('every type comes back', async (t) => {
  for (const [name, type] of Object.entries(BlockType)) {
    const hasFlags = [3, 5, 6].includes(type)
    const flags = hasFlags ? BlockFlag.Encrypted | BlockFlag.Parity : 0
    const bytes = header(type, { flags })
    t.equal(bytes.length, hasFlags ? 34 : 33, name)
    t.equal(blockHeaderBytes(type), bytes.length)
    t.same(readBlockHeader(bytes, origin, slowHasher), {
      type,
      flags,
      checksum: new Uint8Array(16).fill(9),
      dataLength: 10,
      uncompressedLength: 20,
    })
  }
})

t.test('the vector of the manifest chapter', async (t) => {
  const section = Buffer.from(
    '4c534d0405007612f6b282d7c0e8d3cb49c524d2b6de0800000008000000034e4c2b',
    'hex',
  )
  t.match(readBlockHeader(section, origin, slowHasher), { type: 5, dataLength: 8 })
})

t.test('any flipped bit and any cut is an error', async (t) => {
  for (const type of [BlockType.Data, BlockType.Manifest]) {
    const bytes = header(type)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      t.throws(() => readBlockHeader(damaged, origin, slowHasher), { name: 'VarveError' })
    }
    for (let length = 0; length < bytes.length; length++) {
      t.throws(() => readBlockHeader(bytes.subarray(0, length), origin, slowHasher), {
        code: 'VARVE_INVALID_HEADER',
        details: { file: 'tables/1', offset: 4096 },
      })
    }
  }
})

t.test('checks come in order: magic, type, flags, checksum, sizes', async (t) => {
  const change = (index: number, value: number, bytes = header(BlockType.Manifest)) => {
    bytes[index] = value
    return () => readBlockHeader(bytes, origin, slowHasher)
  }
  t.throws(change(0, 0), { code: 'VARVE_INVALID_HEADER', message: /magic/ })
  t.throws(change(4, 13), { code: 'VARVE_INVALID_TAG', details: { what: 'BlockType', found: 13 } })
  t.throws(change(5, 0x10), { code: 'VARVE_INVALID_TAG', details: { what: 'block_flags' } })
  t.throws(change(6, 0), { code: 'VARVE_CHECKSUM_MISMATCH' })
  const tooLarge = { code: 'VARVE_DECOMPRESSED_SIZE' }
  const cap = 256 * 1024 * 1024
  t.throws(() => readBlockHeader(header(0, { plain: cap + 1 }), origin, slowHasher), tooLarge)
  t.throws(() => readBlockHeader(header(0, { data: cap + 72 }), origin, slowHasher), tooLarge)
  t.match(readBlockHeader(header(0, { data: cap + 71, plain: cap }), origin, slowHasher), {})
})

t.test('the writer refuses flags where the header has none', async (t) => {
  t.throws(() => header(BlockType.Data, { flags: 1 }), { code: 'VARVE_ASSERTION' })
  t.throws(() => header(BlockType.Meta, { flags: 16 }), { code: 'VARVE_ASSERTION' })
})
