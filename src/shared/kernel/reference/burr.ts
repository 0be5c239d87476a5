/**
 * The V5 filter ("BuRR") in plain TypeScript, straight from the format's description: the oracle
 * that the filter kernels are tested against. Any thread; tests and benches only.
 */

const MAGIC = Buffer.from([0x4c, 0x53, 0x4d, 0x04])
const HEADER_BYTES = 18
const LAYER_HEADER_BYTES = 12
const BAND = 64
const LAYERS_MAX = 4
const BUCKET_KEEPS = 57
const OVERSIZING = 1 + Math.fround(0.05)
const ROOT_SEEDS = 64n
const GOLDEN = 0x9e3779b97f4a7c15n

const u64 = (value: bigint) => BigInt.asUintN(64, value)

interface Equation {
  hash: bigint
  start: number
  row: bigint
  fingerprint: bigint
}

function finalize(word: bigint): bigint {
  const first = u64((word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n)
  const second = u64((first ^ (first >> 27n)) * 0x94d049bb133111ebn)
  return second ^ (second >> 31n)
}

/** The equation of a hash in a layer. */
export function burrEquation(
  hash: bigint,
  rootSeed: bigint,
  layer: number,
  slots: number,
  width: number,
): Equation {
  const seed = finalize(u64(rootSeed + BigInt(layer) * GOLDEN))
  const root = (hash ^ seed) * GOLDEN
  return {
    hash,
    start: Number((finalize(u64(root + GOLDEN)) * BigInt(slots - BAND + 1)) >> 64n),
    row: finalize(u64(root + 2n * GOLDEN)) | 1n,
    fingerprint: BigInt.asUintN(width, finalize(u64(root + 3n * GOLDEN))),
  }
}

function layerSlots(count: number, layer: number): number {
  const slots = 64 * Math.ceil(Math.max(Math.ceil(count * OVERSIZING), BAND) / 64)
  return layer < LAYERS_MAX - 1 ? slots : Math.max(2 * slots, 256)
}

function bucketThresholds(equations: Equation[], slots: number): number[] {
  const offsets: number[][] = Array.from({ length: slots / 64 }, () => [])
  for (const { start } of equations) offsets[start >> 6]!.push(start & 63)
  return offsets.map((list) => list.sort((a, b) => a - b)[BUCKET_KEEPS] ?? 64)
}

/** The solution of a layer, or undefined where its equations contradict each other. */
function solve(equations: Equation[], slots: number): BigUint64Array | undefined {
  const rows: bigint[] = new Array(slots).fill(0n)
  const values = new BigUint64Array(slots)
  for (const { start, row, fingerprint } of equations) {
    let at = start
    let bits = row
    let rest = fingerprint
    while (bits !== 0n && rows[at] !== 0n) {
      bits ^= rows[at]!
      rest ^= values[at]!
      for (; bits !== 0n && (bits & 1n) === 0n; bits >>= 1n) at++
    }
    if (bits === 0n && rest !== 0n) return undefined
    if (bits === 0n) continue
    rows[at] = bits
    values[at] = rest
  }
  for (let at = slots - 1; at >= 0; at--) {
    let slot = at + 1
    for (let bits = rows[at]! >> 1n; bits !== 0n; bits >>= 1n, slot++) {
      if ((bits & 1n) === 1n) values[at]! ^= values[slot]!
    }
  }
  return values
}

function layerBytes(slots: number, thresholds: number[], solution: BigUint64Array): Buffer {
  const head = Buffer.alloc(LAYER_HEADER_BYTES)
  head.writeUInt32LE(slots, 0)
  head.writeUInt32LE(thresholds.length, 4)
  head.writeUInt32LE(8 * slots, 8)
  return Buffer.concat([head, Buffer.from(thresholds), Buffer.from(solution.buffer)])
}

function buildUnderSeed(hashes: bigint[], width: number, rootSeed: bigint): Buffer | undefined {
  const layers: Buffer[] = []
  for (let current = hashes; current.length > 0; ) {
    const layer = layers.length
    const slots = layerSlots(current.length, layer)
    const equations = current.map((hash) => burrEquation(hash, rootSeed, layer, slots, width))
    const last = layer === LAYERS_MAX - 1
    const thresholds = last
      ? new Array<number>(slots / 64).fill(64)
      : bucketThresholds(equations, slots)
    const isKept = ({ start }: Equation) => (start & 63) < thresholds[start >> 6]!
    const solution = solve(equations.filter(isKept), slots)
    if (solution === undefined) return undefined
    layers.push(layerBytes(slots, thresholds, solution))
    current = equations.filter((equation) => !isKept(equation)).map(({ hash }) => hash)
  }
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.set([2, 1, width, BAND, 64, layers.length], 4)
  header.writeBigUInt64LE(rootSeed, 10)
  return Buffer.concat([header, ...layers])
}

/** The filter of `hashes`; undefined where no root seed serves. No hashes give no bytes. */
export function burrBuild(hashes: bigint[], width: number): Buffer | undefined {
  if (hashes.length === 0) return Buffer.alloc(0)
  for (let seed = 0n; seed < ROOT_SEEDS; seed++) {
    const filter = buildUnderSeed(hashes, width, seed)
    if (filter !== undefined) return filter
  }
  return undefined
}

/** Whether `hash` may be in the set of a well-formed filter. */
export function burrContains(filter: Buffer, hash: bigint): boolean {
  if (filter.length === 0) return true
  const width = filter.readUInt8(6)
  const bucket = filter.readUInt8(8)
  const rootSeed = filter.readBigUInt64LE(10)
  let at = HEADER_BYTES
  for (let layer = 0; layer < filter.readUInt8(9); layer++) {
    const slots = filter.readUInt32LE(at)
    const thresholds = at + LAYER_HEADER_BYTES
    const solution = thresholds + Math.ceil(slots / bucket)
    const { start, row, fingerprint } = burrEquation(hash, rootSeed, layer, slots, width)
    if (start % bucket < filter.readUInt8(thresholds + Math.floor(start / bucket))) {
      let sum = 0n
      for (let k = 0; k < BAND; k++) {
        const isSet = ((row >> BigInt(k)) & 1n) === 1n
        if (isSet) sum ^= filter.readBigUInt64LE(solution + 8 * (start + k))
      }
      return sum === fingerprint
    }
    at = solution + 8 * slots
  }
  return false
}
