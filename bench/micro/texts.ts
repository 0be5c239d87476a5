/** Bytes that the micro benches hash, compress and store: like those of a log or a table, and the same on every run. */
import { Random } from '../../test/support/random.js'

/** Rows of ids, names, flags, small numbers. */
export function rowsOfText(length: number): Buffer {
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
