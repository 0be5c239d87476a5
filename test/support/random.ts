/** Seeded randomness for tests: the same seed gives the same program on every machine. */
export class Random {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = seed
    this.#state = seed >>> 0
  }

  /** A uniform u32 (the mulberry32 generator). */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }

  /** A uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.u32() / 4_294_967_296) * bound)
  }

  /** True with probability `share`. */
  chance(share: number): boolean {
    return this.u32() < share * 4_294_967_296
  }

  /** One of `items`. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('pick from an empty list')
    return item
  }

  /** `length` random bytes. */
  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length)
    for (let i = 0; i < length; i++) out[i] = this.u32() >>> 24
    return out
  }
}

/** The seed of this run: the environment's `SEED`, or a fresh one; print it so that a failure replays. */
export function runSeed(): number {
  const given = process.env['SEED']
  return given === undefined ? (Date.now() ^ (process.pid << 16)) >>> 0 : Number(given) >>> 0
}
