/**
 * What the block cache promises, as a model that watches it: it may forget at any time, and never
 * lies. The oracle of the cache kernels, whatever their policy. Tests only.
 *
 * I1: a hit is byte for byte what was inserted under that owner and offset.
 * I2: nothing is found that was not inserted.
 * I3: what can be found never takes more than the capacity.
 */
export class BlockCacheModel {
  readonly #capacityBytes: number
  readonly #inserted = new Map<string, Uint8Array>()

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  inserted(owner: number, offset: number, bytes: Uint8Array): void {
    this.#inserted.set(`${owner}/${offset}`, bytes)
  }

  /** Judges a lookup's answer: what is wrong with it, or undefined. */
  judge(owner: number, offset: number, found: Uint8Array | undefined): string | undefined {
    if (found === undefined) return undefined
    const expected = this.#inserted.get(`${owner}/${offset}`)
    if (expected === undefined) return `${owner}/${offset} was never inserted`
    return Buffer.compare(expected, found) === 0 ? undefined : `${owner}/${offset} has other bytes`
  }

  /** Judges everything that `find` finds together. */
  judgeAll(find: (owner: number, offset: number) => boolean): string | undefined {
    let bytes = 0
    for (const [name, block] of this.#inserted) {
      const [owner, offset] = name.split('/').map(Number)
      if (find(owner!, offset!)) bytes += block.length
    }
    return bytes <= this.#capacityBytes ? undefined : `${bytes} of ${this.#capacityBytes} bytes`
  }
}
