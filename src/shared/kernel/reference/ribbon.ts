/**
 * The compact filter in plain TypeScript (format and idea: `assembly/ribbon.ts`,
 * `assembly/ribbon-build.ts`): the oracle that the filter kernels are tested against, equal byte
 * for byte. Any thread; tests and benches only.
 */

const MAGIC = Buffer.from('VRB1')
const HEADER_BYTES = 12
const BAND = 64
const LAYERS_MAX = 8
const SEED_COUNT = 64
const BLOCK_COUNT_MASK = 0x3ffffff
const SEED_FACTOR = 2 ** 26

const FLAT_COUNT_MAX = 400
const FLAT_SPARE_SLOTS = 3
const SEEDS_PER_SIZE = 8
const DENSE_COUNT_MAX = 16384
const WASTE_SLOTS = 23
const KEYS_PER_WASTE_SLOT = 400

const u64 = (value: bigint) => BigInt.asUintN(64, value)

interface Equation {
  word: bigint
  start: number
  row: bigint
  fingerprint: number
}

interface Layer {
  blocks: number
  seed: number
  bytes: Buffer
  bumped: bigint[]
}

/** A slot's equation in echelon form: its row begins at the slot. */
interface Pivot {
  row: bigint
  value: number
}

function mixWord(word: bigint, seed: number): bigint {
  const seeded = word ^ u64(BigInt(seed + 1) * 0x9e3779b97f4a7c15n)
  const first = u64((seeded ^ (seeded >> 32n)) * 0xbea225f9eb34556dn)
  const second = u64((first ^ (first >> 29n)) * 0xbea225f9eb34556dn)
  return second ^ (second >> 32n)
}

function equationOf(word: bigint, blocks: number, width: number): Equation {
  const product = u64(word * 0xd6e8feb86659fd93n)
  return {
    word,
    start: Number(((word >> 32n) * BigInt(blocks * BAND - (BAND - 1))) >> 32n),
    row: (product ^ (product >> 32n)) | 1n,
    fingerprint: Number(u64(word * 0xa0761d6478bd642fn) >> BigInt(64 - width)),
  }
}

/** Adds an equation. RETURNS the slot it took, or whether it was implied or refuted. */
function addEquation(pivots: Pivot[], equation: Equation): number | 'implied' | 'refuted' {
  let slot = equation.start
  let row = equation.row
  let value = equation.fingerprint
  while (pivots[slot] !== undefined) {
    row ^= pivots[slot]!.row
    value = (value ^ pivots[slot]!.value) >>> 0
    if (row === 0n) return value === 0 ? 'implied' : 'refuted'
    for (; (row & 1n) === 0n; row >>= 1n) slot++
  }
  pivots[slot] = { row, value }
  return slot
}

/** Equations by block, and within a block by offset descending. */
function groupByOffset(equations: Equation[], blocks: number): Equation[][][] {
  const groups: Equation[][][] = Array.from({ length: blocks }, () =>
    Array.from({ length: BAND }, () => []),
  )
  for (const equation of equations) {
    groups[Math.floor(equation.start / BAND)]![BAND - 1 - (equation.start % BAND)]!.push(equation)
  }
  return groups
}

/** Adds one block's equations. RETURNS its threshold. */
function fillBlock(pivots: Pivot[], groups: Equation[][]): number {
  for (const [group, equations] of groups.entries()) {
    const filled: number[] = []
    for (const equation of equations) {
      const slot = addEquation(pivots, equation)
      if (typeof slot === 'number') filled.push(slot)
      if (slot !== 'refuted') continue
      for (const emptied of filled) delete pivots[emptied]
      return BAND - group
    }
  }
  return 0
}

function substituteBack(pivots: Pivot[], slots: number): Uint32Array {
  const solution = new Uint32Array(slots)
  for (let slot = slots - 1; slot >= 0; slot--) {
    const pivot = pivots[slot]
    if (pivot === undefined) continue
    let value = pivot.value
    for (let k = 1; k < BAND; k++) {
      if (((pivot.row >> BigInt(k)) & 1n) === 1n) value ^= solution[slot + k]!
    }
    solution[slot] = value
  }
  return solution
}

function layerBytes(thresholds: number[], solution: Uint32Array, width: number): Buffer {
  const stride = 1 + 8 * width
  const bytes = Buffer.alloc(thresholds.length * stride)
  for (const [block, threshold] of thresholds.entries()) bytes.writeUInt8(threshold, block * stride)
  for (const [slot, value] of solution.entries()) {
    const [block, offset] = [Math.floor(slot / BAND), slot % BAND]
    for (let column = 0; column < width; column++) {
      const at = block * stride + 1 + 8 * column + (offset >> 3)
      bytes[at]! |= ((value >>> column) & 1) << (offset & 7)
    }
  }
  return bytes
}

/** A layer under one seed; undefined where it may not bump and would have to. */
function tryLayer(
  input: bigint[],
  width: number,
  blocks: number,
  seed: number,
  flat: boolean,
): Layer | undefined {
  const pivots: Pivot[] = []
  const words = input.map((word) => mixWord(word, seed))
  const groups = groupByOffset(
    words.map((word) => equationOf(word, blocks, width)),
    blocks,
  )
  const thresholds = groups.map((block) => fillBlock(pivots, block))
  if (flat && thresholds.some((threshold) => threshold > 0)) return undefined
  const isBumped = ({ start }: Equation) => start % BAND < thresholds[Math.floor(start / BAND)]!
  const bumped = groups.flat(2).filter(isBumped)
  const solution = substituteBack(pivots, blocks * BAND)
  const bytes = layerBytes(thresholds, solution, width)
  return { blocks, seed, bytes, bumped: bumped.map(({ word }) => word) }
}

function buildLayer(input: bigint[], width: number, index: number): Layer {
  const count = input.length
  const flat = count <= FLAT_COUNT_MAX || index === LAYERS_MAX - 1
  const percent = count <= DENSE_COUNT_MAX ? 97 : 102
  let blocks = flat
    ? Math.ceil((count + FLAT_SPARE_SLOTS) / BAND)
    : Math.floor((count * percent) / 100 / BAND)
  for (let seed = 0; seed < SEED_COUNT; seed++) {
    if (seed > 0 && seed % SEEDS_PER_SIZE === 0) blocks += 1 + (blocks >> 4)
    const layer = tryLayer(input, width, blocks, seed, flat)
    if (layer === undefined) continue
    const waste = blocks * BAND - (count - layer.bumped.length)
    const wasteMax = WASTE_SLOTS + Math.floor(count / KEYS_PER_WASTE_SLOT)
    const isTight = !flat && count <= DENSE_COUNT_MAX && seed + 1 < SEEDS_PER_SIZE
    if (!isTight || waste <= wasteMax) return layer
  }
  throw new Error('no seed serves')
}

/** The filter of `hashes`, repeats allowed. */
export function ribbonBuild(hashes: bigint[], width: number): Buffer {
  const layers: Layer[] = []
  for (let words = hashes; words.length > 0; words = layers[layers.length - 1]!.bumped) {
    layers.push(buildLayer(words, width, layers.length))
  }
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.set([width, layers.length], 4)
  header.writeUInt32LE(hashes.length, 8)
  const table = Buffer.alloc(4 * layers.length)
  for (const [i, { blocks, seed }] of layers.entries()) {
    table.writeUInt32LE(blocks + seed * SEED_FACTOR, 4 * i)
  }
  return Buffer.concat([header, table, ...layers.map(({ bytes }) => bytes)])
}

/** Whether `hash` may be in the set of a well-formed filter. */
export function ribbonContains(filter: Buffer, hash: bigint): boolean {
  const width = filter.readUInt8(4)
  const layerCount = filter.readUInt8(5)
  const stride = 1 + 8 * width
  let word = hash
  let layer = HEADER_BYTES + 4 * layerCount
  for (let i = 0; i < layerCount; i++) {
    const entry = filter.readUInt32LE(HEADER_BYTES + 4 * i)
    const blocks = entry & BLOCK_COUNT_MASK
    word = mixWord(word, Math.floor(entry / SEED_FACTOR))
    const { start, row, fingerprint } = equationOf(word, blocks, width)
    const block = layer + Math.floor(start / BAND) * stride
    if (start % BAND >= filter.readUInt8(block)) {
      let value = 0
      for (let k = 0; k < BAND; k++) {
        const isSet = ((row >> BigInt(k)) & 1n) === 1n
        if (isSet) value ^= slotValue(filter, layer, start + k, width)
      }
      return value >>> 0 === fingerprint
    }
    layer += blocks * stride
  }
  return false
}

function slotValue(filter: Buffer, layer: number, slot: number, width: number): number {
  const words = layer + Math.floor(slot / BAND) * (1 + 8 * width) + 1
  let value = 0
  for (let column = 0; column < width; column++) {
    const byte = filter.readUInt8(words + 8 * column + ((slot % BAND) >> 3))
    value |= ((byte >> (slot & 7)) & 1) << column
  }
  return value
}
