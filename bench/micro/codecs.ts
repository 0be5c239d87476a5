/**
 * Micro benchmark of the hash, compression and filter kernels against their plain-TypeScript twins
 * and, for LZ4, against lz4-napi. `node build/bench/micro/codecs.js` prints one row a contender:
 * nanoseconds an operation (for a filter's build: a key), MB/s where bytes pass through, and a
 * digest of all results, so that work cannot be optimised away. Twins do fewer operations, being
 * slow; where contenders do the same operations and should find the same, digests are equal.
 *
 * Contenders of one subject are timed in turns and the fastest round counts; compare within a
 * subject only.
 */
import { fileURLToPath } from 'node:url'
import lz4 from 'lz4-napi'
import { LZ4_TABLE_BYTES } from '../../src/shared/kernel/layout.js'
import { burrBuild, burrContains } from '../../src/shared/kernel/reference/burr.js'
import { lz4Decode, lz4Encode } from '../../src/shared/kernel/reference/lz4.js'
import { ribbonBuild, ribbonContains } from '../../src/shared/kernel/reference/ribbon.js'
import { xxh3Bits64, xxh3Bits128 } from '../../src/shared/kernel/reference/xxh3.js'
import { TestMemory } from '../../test/support/memory.js'
import { Random } from '../../test/support/random.js'

const ROUNDS = 5
const WIDTH = 10

export interface Row {
  subject: string
  contender: string
  nanoseconds: number
  /** Bytes an operation passes through; 0 where that says nothing. */
  bytes: number
  digest: number
}

interface Contender {
  name: string
  /** One round of operations; returns a digest of the results. */
  round: () => number
  operations: number
}

/** Times the contenders in turns. */
function race(subject: string, bytes: number, contenders: Contender[], rounds: number): Row[] {
  const rows = contenders.map(
    ({ name: contender }): Row => ({
      ...{ subject, contender, bytes },
      ...{ nanoseconds: Number.POSITIVE_INFINITY, digest: 0 },
    }),
  )
  for (let i = 0; i < rounds; i++) {
    for (const [j, { round, operations }] of contenders.entries()) {
      const start = performance.now()
      const digest = round()
      const nanoseconds = ((performance.now() - start) * 1e6) / operations
      const row = rows[j]!
      row.nanoseconds = Math.min(row.nanoseconds, nanoseconds)
      row.digest = digest
    }
  }
  return rows
}

/** Order-dependent, cheap. */
const mix = (digest: number, value: number) => (Math.imul(digest, 31) + value) >>> 0

/** A contender that runs `operation` so many times. */
function repeat(name: string, operations: number, operation: (i: number) => number): Contender {
  const round = () => {
    let digest = 0
    for (let i = 0; i < operations; i++) digest = mix(digest, operation(i))
    return digest
  }
  return { name, round, operations }
}

/** Rows like those of a log or a table: ids, names, flags, small numbers. */
function rowsOfText(length: number): Buffer {
  const random = new Random(7)
  const pieces: string[] = []
  for (let size = 0; size < length; ) {
    const id = random.u32()
    const name = random.pick(['north', 'south', 'east', 'west'])
    const state = `"active":${random.chance(0.9)},"score":${id % 1000}`
    const row = `{"id":${id},"region":"${name}",${state}}\n`
    pieces.push(row)
    size += row.length
  }
  return Buffer.from(pieces.join('')).subarray(0, length)
}

function hashes(scale: number, rounds: number): Row[] {
  const memory = new TestMemory(1)
  const { kernel, view } = memory
  const text = rowsOfText(16_384)
  const address = memory.place(text)
  const out = memory.allocate(16)
  const rows: Row[] = []
  for (const length of [16, 40, 4096, 16_384]) {
    const bytes = text.subarray(0, length)
    const operations = Math.ceil((2e8 / (length + 400)) * scale)
    const slow = Math.ceil(operations / 500)
    const bits64 = repeat('kernel', operations, () => {
      kernel.xxh3_64_into(address, length, out)
      return view.getUint32(out, true)
    })
    const twin64 = repeat('twin', slow, () => Number(xxh3Bits64(bytes) & 0xffffffffn))
    rows.push(...race(`xxh3-64 ${length} B`, length, [bits64, twin64], rounds))
    const bits128 = repeat('kernel', operations, () => {
      kernel.xxh3_128_into(address, length, out)
      return view.getUint32(out, true)
    })
    const twin128 = repeat('twin', slow, () => Number(xxh3Bits128(bytes) & 0xffffffffn))
    rows.push(...race(`xxh3-128 ${length} B`, length, [bits128, twin128], rounds))
  }
  return rows
}

function compression(scale: number, rounds: number): Row[] {
  const memory = new TestMemory(4)
  const { kernel } = memory
  const total = 1 << 20
  const text = rowsOfText(total)
  const source = memory.place(text)
  const table = memory.allocate(LZ4_TABLE_BYTES)
  const capacity = kernel.lz4_compress_bound(65_536)
  const block = memory.allocate(capacity)
  const rows: Row[] = []
  for (const length of [4096, 16_384, 65_536]) {
    const pieces = Array.from({ length: total / length }, (_, i) =>
      text.subarray(i * length, (i + 1) * length),
    )
    const piece = (i: number) => pieces[i % pieces.length]!
    const from = (i: number) => source + length * (i % pieces.length)
    const operations = Math.ceil((4e7 / length) * scale)
    const slow = Math.ceil(operations / 20)
    const encoders = [
      repeat('kernel', operations, (i) =>
        kernel.lz4_compress(from(i), length, block, capacity, table),
      ),
      repeat('lz4-napi', operations, (i) => lz4.compressSync(piece(i)).length - 4),
      repeat('twin', slow, (i) => lz4Encode(piece(i)).length),
    ]
    rows.push(...race(`lz4 encode ${length} B`, length, encoders, rounds))
    const blocks = pieces.map((bytes) => lz4Encode(bytes))
    const framed = pieces.map((bytes) => lz4.compressSync(bytes))
    const placed = blocks.map((bytes) => memory.place(bytes))
    const target = memory.allocate(length)
    const decoders = [
      repeat('kernel', operations, (i) => {
        const j = i % blocks.length
        return kernel.lz4_decompress(placed[j]!, blocks[j]!.length, target, length)
      }),
      repeat('lz4-napi', operations, (i) => lz4.uncompressSync(framed[i % blocks.length]!).length),
      repeat('twin', slow, (i) => lz4Decode(blocks[i % blocks.length]!, length)!.length),
    ]
    rows.push(...race(`lz4 decode ${length} B`, length, decoders, rounds))
  }
  return rows
}

interface FilterKind {
  name: string
  build: (hashes: number, count: number, target: number, scratch: number) => number
  contains: (filter: number, hash: number) => number
  twinBuild: (hashes: bigint[], width: number) => Buffer | undefined
  twinContains: (filter: Buffer, hash: bigint) => boolean
}

function filters(counts: number[], rounds: number): Row[] {
  const largest = Math.max(...counts)
  const mebibytes = 2 + Math.ceil((largest * 160) / (1 << 20))
  const memory = new TestMemory(mebibytes)
  const { kernel } = memory
  const random = new Random(11)
  const place = () => memory.place(random.bytes(largest * 8))
  const [present, absent] = [place(), place()]
  const burrSize = kernel.burr_size_max(largest)
  const ribbonSize = kernel.ribbon_size_max(largest, WIDTH)
  const target = memory.allocate(Math.max(burrSize, ribbonSize))
  const burrScratch = kernel.burr_scratch_bytes(largest)
  const ribbonScratch = kernel.ribbon_scratch_bytes(largest)
  const scratchAt = memory.allocate(Math.max(burrScratch, ribbonScratch))
  const kinds: FilterKind[] = [
    {
      name: 'burr',
      build: (hashes, count, to, scratch) =>
        kernel.burr_build(hashes, count, WIDTH, to, burrSize, scratch, burrScratch),
      contains: (filter, hash) => kernel.burr_contains_at(filter, hash),
      twinBuild: burrBuild,
      twinContains: burrContains,
    },
    {
      name: 'ribbon',
      build: (hashes, count, to, scratch) =>
        kernel.ribbon_build(hashes, count, WIDTH, to, ribbonSize, scratch, ribbonScratch),
      contains: (filter, hash) => kernel.ribbon_contains_at(filter, hash),
      twinBuild: ribbonBuild,
      twinContains: ribbonContains,
    },
  ]
  const rows: Row[] = []
  for (const kind of kinds) {
    for (const count of counts) {
      let filter = Buffer.alloc(0)
      // One operation is one key, so that builds of all sizes compare.
      const build = { name: 'kernel', operations: count, round: () => 0 }
      build.round = () => kind.build(present, count, target, scratchAt)
      const twinCount = Math.min(count, 3121)
      const list = Array.from({ length: twinCount }, (_, i) =>
        memory.view.getBigUint64(present + 8 * i, true),
      )
      const twinBuild = { name: 'twin', operations: twinCount, round: () => 0 }
      twinBuild.round = () => {
        filter = Buffer.from(kind.twinBuild(list, WIDTH)!)
        return filter.length
      }
      rows.push(...race(`${kind.name} build, ${count} keys`, 0, [build, twinBuild], rounds))
      for (const [what, at] of [
        ['present', present],
        ['absent', absent],
      ] as const) {
        const contenders = [
          repeat('kernel', count, (i) => kind.contains(target, at + 8 * i)),
          repeat('twin', Math.min(count, 500), (i) => {
            const hash = memory.view.getBigUint64(at + 8 * i, true)
            return kind.twinContains(filter, hash) ? 1 : 0
          }),
        ]
        rows.push(...race(`${kind.name} probe ${what}, ${count} keys`, 0, contenders, rounds))
      }
    }
  }
  return rows
}

/** All rows. `scale` 1 takes about half a minute. */
export function run(scale: number, filterCounts: number[], rounds: number): Row[] {
  return [...hashes(scale, rounds), ...compression(scale, rounds), ...filters(filterCounts, rounds)]
}

/** Everything once, in well under a second: what the tests run. */
export function runTiny(): Row[] {
  return run(0.001, [300], 1)
}

function print(rows: Row[]): void {
  for (const { subject, contender, nanoseconds, bytes, digest } of rows) {
    const rate = bytes === 0 ? '' : `${((bytes * 1000) / nanoseconds).toFixed(0)} MB/s`
    const cells = [
      subject.padEnd(36),
      contender.padEnd(10),
      nanoseconds.toFixed(1).padStart(12),
      rate.padStart(14),
      digest.toString(16).padStart(10),
    ]
    console.log(cells.join(''))
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`node ${process.version}; subject, contender, ns an operation, rate, digest`)
  print(run(1, [3121, 100_000, 1_000_000], ROUNDS))
}
