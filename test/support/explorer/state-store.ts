/**
 * The states that an exploration has come to: bytes of one length, each kept once, numbered as they come, with the move
 * that led there first.
 */

const CHUNK_STATES = 1 << 14

export class StateStore {
  /** The state at hand: read into, changed, added. */
  readonly scratch: Uint8Array
  readonly #scratchWords: Uint32Array
  readonly #wordCount: number
  readonly #chunks: Uint32Array[] = []
  readonly #parents: number[] = []
  readonly #moves: number[] = []
  #table = new Int32Array(1 << 12).fill(-1)
  #count = 0

  constructor(byteLength: number) {
    this.#wordCount = (byteLength + 3) >>> 2
    this.#scratchWords = new Uint32Array(this.#wordCount)
    this.scratch = new Uint8Array(this.#scratchWords.buffer)
  }

  get count(): number {
    return this.#count
  }

  parentOf(index: number): number {
    return this.#parents[index] as number
  }

  moveTo(index: number): number {
    return this.#moves[index] as number
  }

  /** Copies a state into {@link scratch}. */
  read(index: number): void {
    const chunk = this.#chunks[Math.floor(index / CHUNK_STATES)] as Uint32Array
    const start = (index % CHUNK_STATES) * this.#wordCount
    const words = this.#scratchWords
    for (let i = 0; i < words.length; i++) words[i] = chunk[start + i] as number
  }

  /** The number of the state in {@link scratch}; a new one where it was not known. */
  add(parent: number, move: number): number {
    if (2 * this.#count >= this.#table.length) this.#grow()
    const mask = this.#table.length - 1
    const words = this.#scratchWords
    let at = hashOf(words, 0, words.length) & mask
    for (let held = this.#table[at] as number; held >= 0; held = this.#table[at] as number) {
      if (this.#equals(held)) return held
      at = (at + 1) & mask
    }
    const index = this.#count++
    this.#table[at] = index
    const place = index % CHUNK_STATES
    if (place === 0) this.#chunks.push(new Uint32Array(CHUNK_STATES * this.#wordCount))
    ;(this.#chunks.at(-1) as Uint32Array).set(words, place * this.#wordCount)
    this.#parents.push(parent)
    this.#moves.push(move)
    return index
  }

  #equals(index: number): boolean {
    const chunk = this.#chunks[Math.floor(index / CHUNK_STATES)] as Uint32Array
    const start = (index % CHUNK_STATES) * this.#wordCount
    const words = this.#scratchWords
    for (let i = 0; i < words.length; i++) if (chunk[start + i] !== words[i]) return false
    return true
  }

  #grow(): void {
    const table = new Int32Array(4 * this.#table.length).fill(-1)
    const mask = table.length - 1
    for (let index = 0; index < this.#count; index++) {
      const chunk = this.#chunks[Math.floor(index / CHUNK_STATES)] as Uint32Array
      const start = (index % CHUNK_STATES) * this.#wordCount
      let at = hashOf(chunk, start, this.#wordCount) & mask
      while ((table[at] as number) >= 0) at = (at + 1) & mask
      table[at] = index
    }
    this.#table = table
  }
}

function hashOf(words: Uint32Array, start: number, length: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < start + length; i++) {
    hash = Math.imul(hash ^ (words[i] as number), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return (hash ^ (hash >>> 13)) >>> 0
}
