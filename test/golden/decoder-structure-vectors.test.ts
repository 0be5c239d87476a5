/** The vectors of filters, locator and page ECC (filter spec 1.16, 2.4, 3), and of manifests and blob files. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  buildFilter,
  buildLocator,
  computeParity,
  decodeBlobFile,
  decodeCurrent,
  decodeEcc,
  decodeEditLog,
  decodeFilter,
  decodeSnapshot,
  type EccScheme,
  encodeBlobPointer,
  encodeFrame,
  equation,
  fieldMultiply,
  filterContains,
  fromHex,
  generator,
  layerSeed,
  parityLength,
  toHex,
  utf8,
  xxh3_64,
} from '../support/decoder/index.js'
import { goldenFolder } from './fixtures.js'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const keys = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => utf8(`k${String(i).padStart(4, '0')}`))

t.test('layer seeds and equations', async (t) => {
  const seeds = [0, 1, 2, 3].map((i) => layerSeed(0n, i).toString(16).padStart(16, '0'))
  const expected = ['0000000000000000', 'e220a8397b1dcdaf', '6e789e6aa1b965f4', '06c45d188009454f']
  t.same(seeds, expected)
  const vectors = [
    [0x31e47cc908833686n, 0, 64, 10, 0, '5c6fae148479205b', '170'],
    [0x31e47cc908833686n, 0, 1088, 10, 637, '5c6fae148479205b', '170'],
    [0x31e47cc908833686n, 1, 192, 10, 41, '274338cef41f65c9', 'd4'],
    [0x54e6029c37878907n, 0, 1088, 64, 560, 'cb92eabc193bc6e3', '8fdf41e332c81b38'],
    [0n, 0, 128, 7, 57, '6e789e6aa1b965f5', '4f'],
  ] as const
  for (const [hash, layer, m, r, start, coefficients, fingerprint] of vectors) {
    const found = equation(hash, layerSeed(0n, layer), m, r)
    t.equal(found.start, start)
    t.equal(found.coefficients.toString(16), coefficients)
    t.equal(found.fingerprint.toString(16), fingerprint)
  }
})

t.test('filters F1 to F4', async (t) => {
  const vectors = [
    [[utf8('a')], 10, 543, 'fade5b7176823205bd162574a678d858947c499cea779a8e4b7388ab25522a9c'],
    [keys(20), 10, 543, '40a4e4ca4c8b8571758d6772ddfbf72f4520fc9fe73423602b489e181ee4ef93'],
    [keys(1000), 10, 10314, '5628f1350b5076b857fefb4eaf0d5e5c6022be9082aebb6f90a6a460445e6fdb'],
    [keys(60), 7, 3657, '075481a72b3a3ed942da40db5fcb5959888d56f35abe3edfc69992083424b296'],
  ] as const
  for (const [members, r, length, digest] of vectors) {
    const bytes = buildFilter(members.map(xxh3_64), r)!
    t.equal(bytes.length, length)
    t.equal(sha256(bytes), digest)
    const filter = decodeFilter(bytes, 'filter')
    t.ok(
      members.every((key) => filterContains(filter, xxh3_64(key))),
      'contains its members',
    )
    const strangers = Array.from({ length: 2000 }, (_, i) => xxh3_64(utf8(`absent ${i}`)))
    const passed = strangers.filter((hash) => filterContains(filter, hash)).length
    t.ok(passed < 60, `lets ${passed} of 2000 strangers pass`)
  }
  t.ok(
    filterContains(decodeFilter(new Uint8Array(0), 'filter'), 1n),
    'an empty one excludes nothing',
  )
})

t.test('locators', async (t) => {
  const places = keys(1000).map((key, i) => {
    return { hash: xxh3_64(key), block: Math.floor(i / 37), position: i % 37 }
  })
  const vectors = [
    [
      0,
      '010005024c534d0403010740',
      '0406a1f16bf3c8ead53094557a9772560c61127caed39450c26989f2800dcdee',
    ],
    [
      1,
      '010105064c534d0403010b40',
      '32fc2429a6dcb19106c35fb30cd02ddad7686248276d6e9292a74ec1038038d9',
    ],
    [
      2,
      '010205004c534d0403010540',
      'c08cc06f0896cf531d9c4f221d2b91680a55908e58113ca00a923365efa375dc',
    ],
  ] as const
  for (const [precision, head, digest] of vectors) {
    const section = buildLocator(places, precision, 16)!
    t.equal(section.length, 10318)
    t.equal(toHex(section.subarray(0, 12)), head)
    t.equal(sha256(section), digest)
  }
})

const reedSolomon = (data: number, parity: number): EccScheme => {
  return { kind: 'reed-solomon', data, parity }
}
const xor = (data: number): EccScheme => ({ kind: 'xor', data, parity: 1 })

t.test('SEC-DED parity', async (t) => {
  const vectors = [
    ['0000000000000000', '00'],
    ['ffffffffffffffff', 'ff'],
    ['0100000000000000', '07'],
    ['8000000000000000', '19'],
    ['0000000000000001', '7f'],
    ['0000000000000080', '8f'],
    ['efcdab8967452301', '39'],
    ['0123456789abcdef', '41'],
    ['bebafecaefbeadde', '74'],
    ['000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', '22bba930'],
    [toHex(utf8('Hello, World!')), '6b61'],
  ] as const
  for (const [payload, parity] of vectors) {
    t.equal(toHex(computeParity({ kind: 'sec-ded' }, fromHex(payload))), parity)
  }
})

t.test('XOR and Reed-Solomon parity', async (t) => {
  const products = [
    [0x2, 0x2, 0x3],
    [0x4, 0x4, 0x6],
    [0x10, 0x10, 0x18],
    [0x8000, 0x8000, 0xc000],
    [0x1234, 0x5678, 0x35c9],
    [0xffff, 0xffff, 0x8000],
    [0xabcd, 0x2, 0xd16e],
  ] as const
  for (const [a, b, product] of products) t.equal(fieldMultiply(a, b), product)
  const matrices = [
    [4, 2, '3254 2345'],
    [2, 3, '32 23 54'],
    [3, 3, 'cfa fc8 a8c'],
    [4, 4, 'cfa8 fc8a a8cf 8afc'],
    [5, 3, 'cfa8a fc8af a8cf8'],
    [2, 5, '32 23 54 45 76'],
    [1, 2, '1 1'],
  ] as const
  for (const [data, parity, expected] of matrices) {
    const row = (j: number): string =>
      Array.from({ length: data }, (_, i) => generator(data, parity, j, i).toString(16)).join('')
    t.equal(Array.from({ length: parity }, (_, j) => row(j)).join(' '), expected)
  }
  const hello = utf8('Hello, World!')
  const small = [
    [hello, reedSolomon(4, 2), '2d2662c1441d429e'],
    [hello, reedSolomon(8, 2), '7dc334a7'],
    [hello, xor(8), '4964'],
    [hello, xor(10), '4964'],
    [fromHex('01'), reedSolomon(4, 2), '03000200'],
    [fromHex('0123456789abcdef'), reedSolomon(2, 3), '7f5dac8ef7d524065a783f1d'],
    [fromHex('0123456789abcdef'), reedSolomon(3, 3), 'dea32e3628554f57722d704a'],
    [Uint8Array.from({ length: 16 }, (_, i) => i), reedSolomon(4, 2), '9494050594940505'],
  ] as const
  for (const [payload, scheme, parity] of small) {
    t.equal(toHex(computeParity(scheme, payload)), parity)
  }
  const payload = Uint8Array.from({ length: 600 }, (_, i) => i * i + 3 * i)
  const large = [
    [reedSolomon(4, 2), 300, '18e28ecd565c66ecba5e876d0a2f700e2df1f8d87c587e1cade9bdbe6f36ef1b'],
    [xor(4), 150, '61a687d160778b990b18709499d1276b922fb8d2150277d68dab8f1f821e9a5b'],
    [xor(10), 60, '1b6769af9ee3dc70a93a6652ffbf7837851931735324706618fcf245f7058830'],
    [reedSolomon(8, 2), 152, '034e67422cda357e1eabd7dd2f7a7fb62fbd07718facf5d2c052a16ec0f2f052'],
    [reedSolomon(5, 3), 360, '7e47aa5e28ba0e5f3ad684eaebe65725cfea29415dd7ea0ec618ca603a787ad8'],
    [reedSolomon(3, 5), 1000, 'ef8f5b159b4fbee5b705a004f8fa02652b7090a298899950091d638a47e27559'],
  ] as const
  for (const [scheme, length, digest] of large) {
    t.equal(parityLength(scheme, payload.length), length)
    t.equal(sha256(computeParity(scheme, payload)), digest)
  }
  for (const unusable of ['00000001', '01010000', '02000100', '02040200', '03040100', '04000000']) {
    t.equal(decodeEcc(fromHex(unusable), 'ecc').kind, 'unrecognized')
  }
})

t.test('the manifest of the golden tree', async (t) => {
  const folder = join(goldenFolder, 'compat_v5_6_0')
  const current = decodeCurrent(readFileSync(join(folder, 'current')))
  t.same(current, { snapshotId: 0, digest: 0xc550da06b66e832f2fd53856a5fee92dn })
  const snapshot = decodeSnapshot(readFileSync(join(folder, 'v0')), 0)
  t.equal(snapshot.digest, current.digest)
  t.equal(snapshot.crateVersion, '5.6.0')
  t.equal(snapshot.mirrored, true)
  t.same(snapshot.levels, [[], [], [], [], [], [], []])
  const tables = snapshot.sections.find(({ name }) => name === 'tables')!
  t.equal(tables.checksum, 0xdeb6d224c549cbd3e8c0d782b2f61276n)
  t.same(decodeEditLog(readFileSync(join(folder, 'edits-0')), 'edits-0'), [
    {
      versionId: 1,
      levels: [
        {
          level: 0,
          runs: [[{ id: 0, checksum: 0x1ffdf687189688da42031014b9e3d5e6n, globalSeqno: 0n }]],
        },
      ],
      addedBlobFiles: [],
      removedBlobFiles: [],
      gc: undefined,
      restrictions: [],
    },
  ])
  t.equal(toHex(encodeFrame(Uint8Array.of(5))), '01000000e23eae278d359e9205')
})

t.test('the blob file of one entry', async (t) => {
  const bytes = readFileSync(join(goldenFolder, 'v5/trees/blobtiny/blobs/0'))
  const { frames, checksum } = decodeBlobFile(bytes, { fileId: 0 })
  t.equal(bytes.length, 478)
  t.equal(checksum, 0x7e5359601fc201a628f0cb73f792090en)
  const [frame] = frames
  t.equal(frame!.seqno, 7n)
  t.equal(Buffer.from(frame!.value).toString(), 'abcdefghijklmnopqrstuvwxyz012345')
  const pointer = { offset: 266, fileId: 3, storedLength: 220, length: 1000 }
  t.equal(toHex(encodeBlobPointer(pointer)), '8a0203dc01e807')
})
