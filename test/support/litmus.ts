/**
 * What a tree holds at each seqno, for tests of threads that read while its owner writes: the owner writes in an order that
 * is known, so the seqno of a read tells all that it must see. Any thread.
 *
 * A cycle clears the tree and then writes all keys in their order, again and again, each round with values of its own.
 */

export const KEYS = 300
const ROUNDS = 5
/** Seqnos of one cycle. */
const CYCLE = 1 + ROUNDS * KEYS

/** What the owner does at a seqno. */
export function writeAt(seqno: number): 'clear' | { readonly key: number; readonly round: number } {
  const within = seqno % CYCLE
  if (within === 0) return 'clear'
  const round = Math.floor(seqno / CYCLE) * ROUNDS + Math.floor((within - 1) / KEYS)
  return { key: (within - 1) % KEYS, round }
}

/** The round in which a key was written that a read at `seqno` sees; undefined where it sees none. */
export function roundAt(seqno: number, key: number): number | undefined {
  if (seqno === 0) return undefined
  // The cycle of the last write that the read sees.
  const cycle = Math.floor((seqno - 1) / CYCLE)
  const written = seqno - cycle * CYCLE - 1
  const rounds = Math.floor(written / KEYS)
  const round = cycle * ROUNDS + rounds
  if (key < written % KEYS) return round
  return rounds === 0 ? undefined : round - 1
}

export function keyOf(key: number): string {
  return `key${String(key).padStart(5, '0')}`
}

function lengthOf(key: number, round: number): number {
  return 40 + ((key * 7919 + round * 104_729) % 900)
}

/** Bytes that tell where they came from, at every place. */
export function bytesOf(key: number, round: number): Buffer {
  const bytes = Buffer.alloc(lengthOf(key, round))
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    bytes.writeUInt32LE(round, at)
    bytes.writeUInt32LE(key * 65_536 + at, at + 4)
  }
  return bytes
}

/** The round of a value of `key`. @throws where it is no such value */
export function roundOf(key: number, value: Buffer): number {
  const round = value.readUInt32LE(0)
  const wrong = (): Error =>
    new Error(`${keyOf(key)}: ${value.length} bytes that are of no round, ${round} at best`)
  if (value.length !== lengthOf(key, round)) throw wrong()
  for (let at = 0; at + 8 <= value.length; at += 8) {
    if (value.readUInt32LE(at) !== round) throw wrong()
    if (value.readUInt32LE(at + 4) !== key * 65_536 + at) throw wrong()
  }
  return round
}
