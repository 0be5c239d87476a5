/** A raw LZ4 block decoder with every bound checked, including the format's end-of-block rules. */

import { check, fail } from './bytes.js'

export function decompressLz4(input: Uint8Array, length: number, where: string): Uint8Array {
  const output = new Uint8Array(length)
  let from = 0
  let to = 0
  let lastMatchStart = -1
  const next = (): number => input[from++] ?? fail(where, `LZ4 input ends early at ${input.length}`)
  const extended = (nibble: number): number => {
    let total = nibble
    if (nibble < 15) return total
    for (;;) {
      const byte = next()
      total += byte
      if (byte !== 255) return total
    }
  }
  for (;;) {
    const token = next()
    const literals = extended(token >> 4)
    check(from + literals <= input.length, where, 'LZ4 literals run past the input')
    check(to + literals <= length, where, 'LZ4 literals run past the output')
    output.set(input.subarray(from, from + literals), to)
    from += literals
    to += literals
    if (from === input.length) {
      check((token & 15) === 0, where, 'LZ4 final token announces a match')
      checkEnd(lastMatchStart, literals, length, where)
      break
    }
    const distance = next() | (next() << 8)
    check(distance > 0 && distance <= to, where, `LZ4 match distance ${distance} at ${to}`)
    const matched = extended(token & 15) + 4
    check(to + matched <= length, where, 'LZ4 match runs past the output')
    lastMatchStart = to
    for (let i = 0; i < matched; i++, to++) output[to] = output[to - distance]!
  }
  check(to === length, where, `LZ4 output is ${to} bytes, expected ${length}`)
  return output
}

/** The last 5 bytes are literals and no match starts within the last 12. */
function checkEnd(lastMatchStart: number, literals: number, length: number, where: string): void {
  if (lastMatchStart < 0) return
  check(literals >= 5, where, `LZ4 block ends with ${literals} literals`)
  check(lastMatchStart <= length - 12, where, 'LZ4 match starts within the last 12 bytes')
}
