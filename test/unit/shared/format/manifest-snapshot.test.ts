// Snapshots: tail and mirror, foreign sections, sealed blocks, every flipped byte and every cut.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { digestOf, sameBytes } from '../../../../src/shared/base/checksum.js'
import { VarveError } from '../../../../src/shared/base/errors.js'
import { canonicalDigest } from '../../../../src/shared/format/manifest-footer.js'
import {
  encodeSnapshotImage,
  SnapshotReader,
} from '../../../../src/shared/format/manifest-snapshot.js'
import { decodeVersion, encodeSnapshot } from '../../../../src/shared/format/version-sections.js'
import { goldenPath } from '../../../support/golden.js'
import { codec, describe, memoryFile, version } from '../../../support/manifests.js'
import { slowHasher } from '../../../support/slow-hasher.js'

const golden = Uint8Array.from(readFileSync(goldenPath('compat_v5_6_0/v0')))

function load(bytes: Uint8Array) {
  const reader = new SnapshotReader(memoryFile(bytes), codec)
  return { reader, ...decodeVersion(reader, 0, 'absolute-consistency', codec) }
}

const right = load(golden)
const rightDigest = canonicalDigest(0, right.reader.footer, slowHasher)

/** Loads damaged bytes: the right version, or a coded error. Says which. */
function loadOrFail(bytes: Uint8Array): string {
  try {
    const { reader, version } = load(bytes)
    if (!sameBytes(canonicalDigest(0, reader.footer, slowHasher), rightDigest)) return 'digest'
    if (describe(version) !== describe(right.version)) throw new Error('wrong data')
    return 'right'
  } catch (error) {
    if (!VarveError.is(error)) throw error
    return error.code
  }
}

t.test('every byte flipped', async (t) => {
  const seen = new Map<string, number>()
  for (let i = 0; i < golden.length; i++) {
    const damaged = golden.slice()
    damaged[i] = (damaged[i] ?? 0) ^ 0x41
    const result = loadOrFail(damaged)
    seen.set(result, (seen.get(result) ?? 0) + 1)
    // Head, footer and footer size are redundant. Sections are not, save those that a version does
    // not need.
    if (i < 4096 || i >= 4472) t.equal(result, 'right', `offset ${i}`)
  }
  t.comment(JSON.stringify([...seen]))
})

t.test('every length', async (t) => {
  for (let length = 0; length < golden.length; length++) {
    const result = loadOrFail(golden.subarray(0, length))
    if (length < 4096) t.equal(result, 'VARVE_UNRECOVERABLE', `length ${length}`)
    else if (length >= 4472) t.equal(result, 'right', `length ${length}, through the mirror`)
    else t.match(result, /^VARVE_/, `length ${length}`)
  }
})

t.test('both footers broken', async (t) => {
  const damaged = golden.slice()
  damaged[10] = 0xff
  damaged[4480] = 0xff
  t.throws(() => load(damaged), {
    code: 'VARVE_MANIFEST_INVALID',
    details: { reason: 'footer-invalid', file: 'v0' },
  })
  damaged.fill(0, 0, 4096)
  t.throws(() => load(damaged), { code: 'VARVE_MANIFEST_INVALID', message: /no mirror/ })
})

t.test('without a mirror, the head is zeros and the tail serves', async (t) => {
  const image = encodeSnapshot(version(3, [1]), { codec, comparatorName: 'x', hasMirror: false })
  t.ok(image.head.every((byte) => byte === 0))
  const { reader, version: back } = load(Buffer.concat([image.head, image.body]))
  t.equal(reader.footer.flags, 0)
  t.equal(back.levels[0]?.[0]?.[0]?.id, 1)
})

t.test('unknown sections are passed over, missing ones are named', async (t) => {
  const of = (...names: string[]) => {
    const sections = names.map((name) => ({ name, payload: Uint8Array.of(0, 0, 0, 0) }))
    const image = encodeSnapshotImage(sections, codec)
    return new SnapshotReader(memoryFile(Buffer.concat([image.head, image.body])), codec)
  }
  const reader = of('tree_type', 'later', 'tables', 'blob_files', 'blob_gc_stats')
  t.equal(decodeVersion(reader, 5, 'absolute-consistency', codec).version.id, 5)
  t.throws(() => reader.section('none'), {
    code: 'VARVE_MANIFEST_INVALID',
    details: { reason: 'section-invalid', section: 'none' },
  })
  t.throws(() => decodeVersion(of('tree_type'), 5, 'skip-any-corrupted-records', codec), {
    code: 'VARVE_UNRECOVERABLE',
  })
})

t.test('too large a section is refused before anything is written', async (t) => {
  const hasher = { hash64Into() {}, hash128Into() {} }
  const payload = new Uint8Array(16 * 1024 * 1024)
  t.throws(() => encodeSnapshotImage([{ name: 'tables', payload }], { hasher }), {
    code: 'VARVE_UNSUPPORTED',
  })
})

t.test('sealed sections need their sealer, and plain ones refuse one', async (t) => {
  const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x5a)
  const sealer = {
    seal: (type: number, plain: Uint8Array) => Buffer.concat([flip(plain), Uint8Array.of(type)]),
    open: (_type: number, stored: Uint8Array) => flip(stored.subarray(0, -1)),
  }
  const sealed = { hasher: slowHasher, sealer }
  const image = encodeSnapshot(version(3, [1]), { codec: sealed, comparatorName: 'default' })
  const bytes = Buffer.concat([image.head, image.body])
  t.notOk(bytes.includes('comparator'))
  t.throws(() => new SnapshotReader(memoryFile(bytes), codec), { code: 'VARVE_DECRYPT' })
  t.throws(() => new SnapshotReader(memoryFile(golden), sealed), { code: 'VARVE_DECRYPT' })
  const reader = new SnapshotReader(memoryFile(bytes), sealed)
  const back = decodeVersion(reader, 3, 'absolute-consistency', sealed)
  t.equal(describe(back.version), describe(version(3, [1])))
  t.ok(
    sameBytes(
      reader.footer.sections[0]!.checksum,
      digestOf(slowHasher, Buffer.from([5 ^ 0x5a, 5])),
    ),
  )
})
