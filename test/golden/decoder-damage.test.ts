/**
 * The decoder refuses what is wrong: every flipped bit of a table, lies under correct checksums, and broken manifests
 * and runs. It tolerates sections it does not know.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  applyEdit,
  compareBytes,
  decodeArchive,
  decodeBlobFile,
  decodeEditLog,
  decodeSnapshot,
  decodeTable,
  decompress,
  decompressLz4,
  dictionaryId as dictionaryIdOf,
  type Entry,
  encodeArchive,
  encodeBlock,
  encodeTable,
  fromHex,
  Model,
  snapshotVersion,
  toHex,
  utf8,
  walkZstdFrame,
} from '../support/decoder/index.js'
import { goldenFolder } from './fixtures.js'

const entry = (key: string, seqno: number, kind: number, value = ''): Entry => {
  return { key: utf8(key), seqno: BigInt(seqno), kind, value: utf8(value) }
}

const entries = [entry('a', 9, 0, 'x'), entry('a', 3, 1), entry('b', 4, 3, '+1'), entry('c', 5, 2)]
const plain = encodeTable(entries, {
  tableId: 1,
  filter: { bits: 10 },
  locatorPrecision: 2,
  kvChecksum: 3,
  ecc: { kind: 'sec-ded' },
  hashRatio: 1,
  seqnoBounds: true,
  zoneMap: true,
  rangeTombstones: [{ start: utf8('b'), end: utf8('d'), seqno: 2n }],
})

function sectionsOf(bytes: Uint8Array) {
  return decodeArchive(bytes, 'table').sections.map(({ name, offset, length }) => {
    return { name, bytes: bytes.subarray(offset, offset + length) }
  })
}

t.test('every flipped bit is noticed', async (t) => {
  t.same(decodeTable(plain).entries, entries)
  const unnoticed: number[] = []
  for (let at = 0; at < plain.length; at++) {
    const damaged = Uint8Array.from(plain)
    damaged[at]! ^= 1 << (at & 7)
    try {
      decodeTable(damaged)
      unnoticed.push(at)
    } catch {}
  }
  t.same(unnoticed, [])
})

t.test('every shortened file is refused', async (t) => {
  for (let length = 0; length < plain.length; length += 13) {
    t.throws(() => decodeTable(plain.subarray(0, length)))
  }
})

t.test('lies under correct checksums', async (t) => {
  const options = { tableId: 1 }
  t.throws(() => decodeTable(encodeTable([...entries].reverse(), options)), /out of order/)
  const twice = [entry('a', 1, 0), entry('a', 1, 0)]
  t.throws(() => decodeTable(encodeTable(twice, options)), /out of order/)
  t.throws(() => decodeTable(encodeTable(entries, options), { tableId: 2 }), /table_id/)
  const narrow = { ...options, maxKey: utf8('b') }
  t.throws(() => decodeTable(encodeTable(entries, narrow)), /key#max/)
  const other = encodeTable([entry('z', 1, 0)], { ...options, filter: { bits: 10 } })
  const borrow = (name: string): Uint8Array => {
    const sections = sectionsOf(plainWithFilter)
    const from = sectionsOf(other)
    return encodeArchive(
      sections.map((s) => from.find((f) => s.name === name && f.name === name) ?? s),
    )
  }
  const plainWithFilter = encodeTable(entries, { ...options, filter: { bits: 10 } })
  t.throws(() => decodeTable(borrow('filter')), /denies the key/)
  t.throws(() => decodeTable(borrow('tli_tail')), /tli_tail differs/)
  t.throws(() => decodeTable(borrow('meta_mid')), /meta_mid differs/)
  t.throws(() => decodeTable(borrow('meta')), /meta_mid differs/)
})

t.test('sections', async (t) => {
  const bytes = encodeTable(entries, { tableId: 1 })
  const sections = sectionsOf(bytes)
  const extra = { name: 'some.filter', bytes: encodeBlock('filter', utf8('anything')) }
  const table = decodeTable(encodeArchive([...sections.slice(0, 2), extra, ...sections.slice(2)]))
  t.equal(table.unknownSections[0]!.name, 'some.filter')
  t.equal(Buffer.from(table.unknownSections[0]!.blocks[0]!.plaintext).toString(), 'anything')
  const raw = { name: 'some.filter', bytes: utf8('no block') }
  t.throws(() => decodeTable(encodeArchive([sections[0]!, raw, ...sections.slice(1)])), /magic/)
  const swapped = [sections[0]!, sections[2]!, sections[1]!, ...sections.slice(3)]
  t.throws(() => decodeTable(encodeArchive(swapped)), /out of order/)
  for (const { name } of sections) {
    const rest = sections.filter((section) => section.name !== name)
    t.throws(() => decodeTable(encodeArchive(rest)), /missing/, `${name} is mandatory`)
  }
})

t.test('manifests and blob files', async (t) => {
  const tree = join(goldenFolder, 'v5/trees/blobgc')
  const every = (bytes: Uint8Array, decode: (damaged: Uint8Array) => void): number[] => {
    return [...bytes.keys()].filter((at) => {
      const damaged = Uint8Array.from(bytes)
      damaged[at]! ^= 1 << (at & 7)
      try {
        decode(damaged)
        return true
      } catch {
        return false
      }
    })
  }
  const snapshotBytes = readFileSync(join(tree, 'v0'))
  t.same(
    every(snapshotBytes, (bytes) => decodeSnapshot(bytes, 0)),
    [],
  )
  t.same(
    every(readFileSync(join(tree, 'edits-0')), (bytes) => decodeEditLog(bytes, 'log')),
    [],
  )
  t.same(
    every(readFileSync(join(tree, 'blobs/1')), (bytes) => decodeBlobFile(bytes)),
    [],
  )
  const version = snapshotVersion(decodeSnapshot(snapshotBytes, 0))
  const edits = decodeEditLog(readFileSync(join(tree, 'edits-0')), 'log')
  t.throws(() => applyEdit(applyEdit(version, edits[0]!), edits[0]!), /does not rise/)
  t.throws(() => applyEdit(version, { ...edits[0]!, removedBlobFiles: [77] }), /unknown blob file/)
})

t.test('LZ4', async (t) => {
  const text = 'abcdabcdabcdabcdabcdefghi'
  const packed = fromHex(`4c${toHex(utf8('abcd'))}0400 50 ${toHex(utf8('efghi'))}`)
  t.equal(Buffer.from(decompressLz4(packed, text.length, 'lz4')).toString(), text)
  t.throws(() => decompressLz4(packed, text.length - 1, 'lz4'))
  t.throws(() => decompressLz4(packed, text.length + 1, 'lz4'))
  t.throws(() => decompressLz4(packed.subarray(0, 6), text.length, 'lz4'))
  t.throws(() => decompressLz4(fromHex('0f0100'), 20, 'lz4'), /distance/)
})

t.test('zstd frames', async (t) => {
  // Two raw inner blocks, "abc" and "de", in a frame of one segment that states its size.
  const frame = fromHex('28b52ffd 20 05 180000 616263 110000 6465')
  const { contentSize, dictionaryId, innerBlocks } = walkZstdFrame(frame, 'zstd')
  t.same([contentSize, dictionaryId, innerBlocks], [5n, undefined, 2])
  const zstd = () => utf8('abcde')
  const plainZstd = { codec: 'zstd', level: 3 } as const
  t.same(decompress(frame, 5, plainZstd, { zstd }, 'zstd'), utf8('abcde'))
  t.throws(() => decompress(frame, 6, plainZstd, { zstd }, 'zstd'), /content size/)
  t.throws(() => decompress(frame, 5, plainZstd, {}, 'zstd'), /no zstd decoder/)
  const trailing = new Uint8Array(frame.length + 1)
  trailing.set(frame)
  t.throws(() => walkZstdFrame(trailing, 'zstd'), /surplus/)
  t.throws(() => walkZstdFrame(frame.subarray(0, -1), 'zstd'))
  t.throws(() => walkZstdFrame(fromHex('502a4d18 00000000'), 'zstd'), /magic/)
  const dictionary = utf8('some dictionary')
  const withDictionary = { ...plainZstd, dictionaryId: dictionaryIdOf(dictionary) }
  const attempt = () => decompress(frame, 5, withDictionary, { zstd, dictionary }, 'zstd')
  t.throws(attempt, /dictionary id/, 'the frame has to name the dictionary')
})

t.test('visibility', async (t) => {
  const versions = [
    entry('a', 8, 3, '+2'),
    entry('a', 6, 3, '+1'),
    entry('a', 4, 0, 'base'),
    entry('b', 7, 1),
    entry('b', 5, 0, 'old'),
    entry('c', 5, 0, 'kept'),
    entry('c', 2, 0, 'hidden'),
  ].map((version) => ({ ...version, rank: 0 }))
  const tombstone = { start: utf8('a'), end: utf8('c'), seqno: 5n }
  const join_ = (_: Uint8Array, base: Uint8Array | undefined, operands: readonly Uint8Array[]) =>
    utf8([base, ...operands].map((part) => Buffer.from(part ?? utf8('-')).toString()).join(''))
  const model = new Model(versions, [tombstone], compareBytes, join_)
  const shown = (seqno: bigint): string =>
    model
      .visible(seqno)
      .map((pair) => pair.map((part) => Buffer.from(part).toString()).join('='))
      .join(' ')
  t.equal(shown(99n), 'a=-+1+2 c=kept', 'the range tombstone cuts the base off')
  t.equal(shown(8n), 'a=-+1 c=kept', 'an operand at the seqno is not seen yet')
  t.equal(shown(6n), 'b=old c=kept', 'a range tombstone hides lower seqnos only')
  t.equal(shown(5n), 'a=base c=hidden')
  t.equal(shown(0n), '')
  const turned = versions.map((version, i) => ({ ...version, rank: -i }))
  t.throws(() => new Model(turned, [], compareBytes, undefined), /lies below the older/)
})
