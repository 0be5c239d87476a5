// The test hasher against published digests, and the functions on digests.
import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  describeDigest,
  digestOf,
  headerCheckOf,
  sameBytes,
} from '../../../../src/shared/base/checksum.js'
import { goldenPath } from '../../../support/golden.js'
import { slowHasher, xxh3 } from '../../../support/slow-hasher.js'

t.test('digests of known strings', async (t) => {
  const vectors: [string, string, string][] = [
    ['', '2d06800538d394c2', '99aa06d3014798d86001c324468d497f'],
    ['a', 'e6c632b61e964e1f', 'a96faf705af16834e6c632b61e964e1f'],
    ['k0000', '31e47cc908833686', '5cdb37496f2fda88642318626d16a9c2'],
    ['user:00001:name', '6079b5ccb8e84bc0', '33693df5656323d20ff6843e9d3febb3'],
    ['\x05', '929e358d27ae3ee2', 'e1325e21416bcdb2929e358d27ae3ee2'],
  ]
  for (const [text, hash64, hash128] of vectors) {
    const bytes = Buffer.from(text)
    t.equal(xxh3(bytes).toString(16).padStart(16, '0'), hash64)
    t.equal(describeDigest(digestOf(slowHasher, bytes)), hash128)
    const stored = new Uint8Array(8)
    slowHasher.hash64Into(bytes, stored, 0)
    t.equal(Buffer.from(stored).reverse().toString('hex'), hash64)
  }
})

t.test('digests of files of every size class', async (t) => {
  // 29 and 423 bytes inside v0, and the whole table file as its edit record states it.
  const table = readFileSync(goldenPath('compat_v5_6_0/tables/0'))
  t.equal(describeDigest(digestOf(slowHasher, table)), '1ffdf687189688da42031014b9e3d5e6')
  const edits = readFileSync(goldenPath('compat_v5_6_0/edits-0'))
  t.equal(xxh3(edits.subarray(12)).toString(16), '6ae9790a4b411d43')
})

t.test('a header check is the low half of the wide digest', async (t) => {
  const header = Buffer.from('4c534d040500e23eae278d359e92b2cd6b41215e32e10100000001000000', 'hex')
  t.equal(headerCheckOf(slowHasher, header), 0x2c8e0364)
})

t.test('sameBytes looks at length and content', async (t) => {
  t.ok(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)))
  t.notOk(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)))
  t.notOk(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)))
})
