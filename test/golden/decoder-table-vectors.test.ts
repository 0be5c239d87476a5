/** The worked examples and vectors of the table format (table spec 1, 2, 9, 10, 12, 22). */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  buildHashIndex,
  buildLocator,
  Cursor,
  compareBytes,
  crc32c,
  decodeBlobPointer,
  decodeBlock,
  decodeDataBody,
  decodeDeleteBitmap,
  decodeIndexBody,
  decodeTable,
  type Entry,
  encodeBlobPointer,
  encodeBlock,
  encodeDataBody,
  encodeDeleteBitmap,
  encodeIndexBody,
  encodeTable,
  equalBytes,
  fromHex,
  kvDigest,
  toHex,
  utf8,
  Writer,
  xxh3_64,
  xxh3_128,
} from '../support/decoder/index.js'
import { goldenFolder } from './fixtures.js'

const hex64 = (value: bigint): string => value.toString(16).padStart(16, '0')
const hex128 = (value: bigint): string => value.toString(16).padStart(32, '0')

function entry(key: string, seqno: number, kind: number, value = ''): Entry {
  return { key: utf8(key), seqno: BigInt(seqno), kind, value: utf8(value) }
}

t.test('varints', async (t) => {
  t.equal(toHex(new Writer().varint(300).finish()), 'ac02')
  const max = new Writer().varint(2n ** 64n - 1n).finish()
  t.equal(max.length, 10)
  t.equal(new Cursor(max, 'varint').var64(), 2n ** 64n - 1n)
  for (const bad of ['ac', 'ffffffffffffffffff02', 'ffffffffffffffffff81', '8000', 'ac8200']) {
    t.throws(() => new Cursor(fromHex(bad), 'varint').var64(), `${bad} is refused`)
  }
  t.throws(() => new Cursor(fromHex('808004'), 'varint').var16())
  t.throws(() => new Cursor(fromHex('8080808010'), 'varint').var32())
})

t.test('XXH3', async (t) => {
  const vectors = [
    ['', '2d06800538d394c2', '99aa06d3014798d86001c324468d497f'],
    ['a', 'e6c632b61e964e1f', 'a96faf705af16834e6c632b61e964e1f'],
    ['k0000', '31e47cc908833686', '5cdb37496f2fda88642318626d16a9c2'],
    ['user:00001:name', '6079b5ccb8e84bc0', '33693df5656323d20ff6843e9d3febb3'],
  ] as const
  for (const [input, short, long] of vectors) {
    t.equal(hex64(xxh3_64(utf8(input))), short)
    t.equal(hex128(xxh3_128(utf8(input))), long)
  }
  // The digests of 2200 inputs of every length from 0, hashed again; the two totals come from the reference library.
  const short = Buffer.alloc(8 * 2200)
  const long = Buffer.alloc(16 * 2200)
  for (let n = 0; n < 2200; n++) {
    const input = Uint8Array.from({ length: n }, (_, i) => (i * i * 7 + i * 13 + n) & 255)
    short.writeBigUInt64BE(xxh3_64(input), 8 * n)
    long.set(fromHex(hex128(xxh3_128(input))), 16 * n)
  }
  t.equal(hex64(xxh3_64(short)), '0694bc9fd84a229a')
  t.equal(hex128(xxh3_128(long)), '1903f1b538761c59b41ee4e2514e1eac')
})

t.test('hash index', async (t) => {
  const entries = Array.from({ length: 11 }, (_, i) => entry(`#${i}`, 0, 0))
  entries[5] = entry('a', 0, 0)
  entries[8] = entry('b', 0, 0)
  entries[10] = entry('c', 0, 0)
  const buckets = buildHashIndex(entries, 1, 100 / 11)!
  t.equal(buckets.length, 100)
  t.equal(Number(xxh3_64(utf8('a')) % 100n), 19)
  t.equal(Number(xxh3_64(utf8('b')) % 100n), 15)
  t.equal(Number(xxh3_64(utf8('c')) % 100n), 11)
  for (const [bucket, interval] of [
    [19, 5],
    [15, 8],
    [11, 10],
  ] as const) {
    t.ok(buckets[bucket] === interval || buckets[bucket] === 255)
  }
})

t.test('KV digests', async (t) => {
  const golden = entry('k0000', 0, 0, 'v0000-golden')
  const digests = [0, 1, 2].map((algorithm) => kvDigest(golden, algorithm).toString(16))
  t.same(digests, ['87ace24b8bdad2dc', '8bdad2dc', 'e220942f'])
  const other = entry('key', 7, 0, 'value')
  const others = [0, 1, 2].map((algorithm) => kvDigest(other, algorithm).toString(16))
  t.same(others, ['dfa2951d69e018b7', '69e018b7', '7d2be13c'])
  const tombstone = { ...entry('z', 0, 1), seqno: 0xffff_ffff_ffffn }
  t.equal(kvDigest(tombstone, 0).toString(16), '6b046875d41ab065')
  t.equal(crc32c(utf8('123456789')), 0xe3069283)
})

t.test('22.1, an index block', async (t) => {
  const bytes = fromHex(`
    4c534d040153a0d04d9a59a4774e2f7c 002d5b16922d0000002d000000fbab55
    de0000b9031305 6b30303139 ff000001 02010000000c00000000000000000000
    00010000000000000000 01000000`)
  const block = decodeBlock(bytes, { offset: 0, size: 78 }, 'index', {}, '22.1')
  t.equal(hex128(block.checksum), '92165b2d007c2f4e77a4599a4dd0a053')
  const { entries } = decodeIndexBody(block.plaintext, '22.1', 1)
  t.same(entries, [{ offset: 0, size: 441, seqno: 19n, endKey: utf8('k0019') }])
  t.equal(toHex(encodeBlock('index', encodeIndexBody(entries, 1))), toHex(bytes))
  const file = readFileSync(join(goldenFolder, 'compat_v5_6_0/tables/0'))
  t.ok(equalBytes(file.subarray(441, 519), bytes), 'it lies at 441 of the golden table')
})

t.test('22.2, the data block of the golden table', async (t) => {
  const file = readFileSync(join(goldenFolder, 'compat_v5_6_0/tables/0'))
  const at = (offset: number, hex: string): void => {
    const expected = fromHex(hex)
    t.equal(toHex(file.subarray(offset, offset + expected.length)), toHex(expected))
  }
  at(0, '4c534d0400 815effe36a223d6a22a53fe66bfc09df 98010000 98010000 15969981')
  at(0x21, '0000056b303030300c76303030302d676f6c64656e')
  at(0x36, '00010401310c76303030312d')
  at(0xd8, '000a030231300c')
  at(0x14a, '0010056b303031360c')
  at(0x195, 'ff 0000 2901 1002020000007501 0000')
  const block = decodeBlock(file, { offset: 0, size: 441 }, 'data', {}, '22.2')
  const expected = { restartInterval: 16, hashRatio: 0 }
  t.equal(decodeDataBody(block.plaintext, '22.2', expected).entries.length, 20)
})

t.test('22.3, a sentinel block', async (t) => {
  const bytes = fromHex(`
    4c534d0400cf65d223094bde3e561c3a fd8f0ecd4d30000000300000001068f7
    f00288270a757365723a3030303130ff 000010020100000 00f00000000000000
    00000000010000000000000000010000 00`)
  const block = decodeBlock(bytes, { offset: 0, size: 81 }, 'data', {}, '22.3')
  const expected = { restartInterval: 16, hashRatio: 0 }
  const { entries } = decodeDataBody(block.plaintext, '22.3', expected)
  t.same(entries, [entry('user:00010', 5000, 2)])
  t.equal(toHex(encodeBlock('data', encodeDataBody(entries, 16))), toHex(bytes))
})

t.test('22.4, a table from end to end', async (t) => {
  const entries = [
    entry('apple', 7, 0, 'red'),
    entry('apple', 3, 1),
    entry('apricot', 300, 3, '+1'),
    entry('banana', 5, 2),
    entry('cherry', 6, 0),
  ]
  const bytes = encodeTable(entries, { tableId: 7, restartInterval: 2 })
  t.equal(bytes.length, 6654)
  t.equal(hex128(xxh3_128(bytes)), '8bb845f8b33cc4c3da60803d56fd4769')
  const table = decodeTable(bytes, { tableId: 7 })
  t.same(table.entries, entries)
  const sections = table.sections.map(({ name, offset, length }) => {
    const digest = hex128(xxh3_128(bytes.subarray(offset, offset + length)))
    return [name, offset, length, digest]
  })
  t.same(sections, [
    ['data', 0, 121, '825b4010d1a4de30267a9aa05df3f077'],
    ['tli', 121, 78, '423357e03c454e9341e857a8864f99cc'],
    ['meta_mid', 199, 1027, 'a1612158d14d2e642c893f5d5ff0b3ed'],
    ['table_version', 1226, 1, '22bbb76b211a39ba13e608bc156defed'],
    ['meta_separator', 1227, 4096, '3ee8dc4f9e7ee49593d76fe148c689ba'],
    ['tli_tail', 5323, 78, '423357e03c454e9341e857a8864f99cc'],
    ['meta', 5401, 1027, 'a1612158d14d2e642c893f5d5ff0b3ed'],
  ])
  const data = `
    4c534d0400e45a69b26dde69ac4df8e5 f9f19ae4ee580000005800000 0beec71
    e90007056170706c6503726564010305 000 3ac02076170726963 6f74022b3102
    0500 0662616e616e610006066368657272 7900ff00001000280002020300 0000
    33000000000000000000000001000000 0000000000 05000000`
  t.equal(toHex(bytes.subarray(0, 121)), toHex(fromHex(data)))
  const trailer = '534641210100 73c6f1cfbb9380bb8ff2d79fad3dcab9 1c19000000000000'
  t.equal(toHex(bytes.subarray(0x19d8, 0x19f6)), toHex(fromHex(trailer)))
})

t.test('22.5, small codecs', async (t) => {
  const sparse = '0200000000000000 00 0200 0500 ff07 02000000 00 0100 8803'
  const sparseBytes = fromHex(sparse)
  t.equal(toHex(encodeDeleteBitmap([5, 2047, 5000])), toHex(sparseBytes))
  t.same(decodeDeleteBitmap(sparseBytes, 'bitmap'), [5, 2047, 5000])
  const rows = Array.from({ length: 129 }, (_, i) => 4096 + i)
  const dense = `01000000 02000000 01 ${'ff'.repeat(16)} 01${'00'.repeat(239)}`
  t.equal(toHex(encodeDeleteBitmap(rows)), toHex(fromHex(dense)))
  t.same(decodeDeleteBitmap(fromHex(dense), 'bitmap'), rows)
  const place = (block: number, position: number) => ({
    hash: xxh3_64(utf8(`${block}/${position}`)),
    block,
    position,
  })
  t.equal(toHex(buildLocator([place(0, 0)], 2, 16)!.subarray(0, 4)), '01020100')
  const nine = Array.from({ length: 9 }, (_, block) => place(block, 117))
  t.equal(toHex(buildLocator(nine.slice(0, 8), 1, 16)!.subarray(0, 4)), '01010307')
  const pointer = { offset: 0x4f, fileId: 0, storedLength: 23, length: 21 }
  t.equal(toHex(encodeBlobPointer(pointer)), '4f001715')
  t.same(decodeBlobPointer(fromHex('4f001715'), 'pointer'), pointer)
})

t.test('byte order', async (t) => {
  t.ok(compareBytes(utf8('a'), utf8('ab')) < 0)
  t.ok(compareBytes(fromHex('80'), fromHex('7f')) > 0)
})
