/**
 * LZ4 raw blocks in plain TypeScript: the oracle that the codec kernels are tested against. The
 * decoder is the format's definition; the encoder makes the kernel's choices, so that their blocks
 * are equal byte for byte. Any thread; tests and benches only.
 */

const MATCH_MIN = 4
const OFFSET_MAX = 65535
const LAST_LITERALS = 5
const MATCH_FREE_TAIL = 12
const SEARCHES_PER_STRIDE = 64
const HASH_PRIME = 889523592379n

/** The block of `source`. */
export function lz4Encode(source: Uint8Array): Uint8Array {
  const out: number[] = []
  const words = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  const bits = Math.min(Math.max(31 - Math.clz32(source.length | 1), 8), 12)
  const table = new Uint32Array(1 << bits)
  const hashAt = (at: number) =>
    Number(BigInt.asUintN(64, (words.readBigUInt64LE(at) << 24n) * HASH_PRIME) >> BigInt(64 - bits))
  const searchEnd = source.length - MATCH_FREE_TAIL
  let literals = 0
  let at = 1
  let searches = SEARCHES_PER_STRIDE
  while (at <= searchEnd) {
    const hash = hashAt(at)
    let match = table[hash]!
    table[hash] = at
    if (words.readUInt32LE(match) !== words.readUInt32LE(at) || at - match > OFFSET_MAX) {
      at += Math.floor(searches++ / SEARCHES_PER_STRIDE)
      continue
    }
    searches = SEARCHES_PER_STRIDE
    const offset = at - match
    let end = at + MATCH_MIN
    while (end < source.length - LAST_LITERALS && source[end] === source[end - offset]) end++
    while (at > literals && match > 0 && source[at - 1] === source[match - 1]) {
      at--
      match--
    }
    putSequence(out, source.subarray(literals, at), offset, end - at)
    if (end <= searchEnd) table[hashAt(end - 2)] = end - 2
    literals = end
    at = end
  }
  putSequence(out, source.subarray(literals), 0, MATCH_MIN)
  return Uint8Array.from(out)
}

/** One sequence; offset 0 stands for the last one, which has no match. */
function putSequence(out: number[], literals: Uint8Array, offset: number, length: number): void {
  const extra = length - MATCH_MIN
  out.push((Math.min(literals.length, 15) << 4) | Math.min(extra, 15))
  putLength(out, literals.length)
  for (const byte of literals) out.push(byte)
  if (offset === 0) return
  out.push(offset & 255, offset >> 8)
  putLength(out, extra)
}

function putLength(out: number[], length: number): void {
  if (length < 15) return
  let rest = length - 15
  for (; rest >= 255; rest -= 255) out.push(255)
  out.push(rest)
}

/** The `length` bytes that `block` stands for, or undefined where it is damaged. */
export function lz4Decode(block: Uint8Array, length: number): Uint8Array | undefined {
  const out = new Uint8Array(length)
  let at = 0
  let filled = 0
  const readLength = (nibble: number): number => {
    let result = nibble
    if (nibble < 15) return result
    for (;;) {
      const more = block[at++]
      if (more === undefined) return Number.POSITIVE_INFINITY
      result += more
      if (more < 255) return result
    }
  }
  for (;;) {
    const token = block[at++]
    if (token === undefined) return undefined
    const literalCount = readLength(token >> 4)
    if (literalCount > block.length - at || literalCount > length - filled) return undefined
    out.set(block.subarray(at, at + literalCount), filled)
    at += literalCount
    filled += literalCount
    if (at === block.length) return filled === length ? out : undefined
    if (block.length - at < 2) return undefined
    const offset = block[at]! | (block[at + 1]! << 8)
    at += 2
    const matchLength = readLength(token & 15) + MATCH_MIN
    if (offset === 0 || offset > filled || matchLength > length - filled) return undefined
    for (const end = filled + matchLength; filled < end; filled++) {
      out[filled] = out[filled - offset]!
    }
  }
}
