/**
 * The draws of YCSB (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", SoCC 2010): zipfian with the constant
 * 0.99, by the method of Gray et al. ("Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994); scattered over
 * all keys by a hash; and the same counted back from the newest entry.
 */
import { type Random, scramble } from './key-space.js'

const THETA = 0.99

export class Zipfian {
  #items: number
  #zeta: number
  readonly #zetaOfTwo = zetaStep(0, 0, 2)
  readonly #alpha = 1 / (1 - THETA)

  constructor(items: number) {
    this.#items = items
    this.#zeta = zetaStep(0, 0, items)
  }

  /** A rank below the number of items: 0 is drawn most often. */
  rank(random: Random): number {
    const u = random.unit()
    const uz = u * this.#zeta
    if (uz < 1) return 0
    if (uz < 1 + 0.5 ** THETA) return 1
    const items = this.#items
    const eta = (1 - (2 / items) ** (1 - THETA)) / (1 - this.#zetaOfTwo / this.#zeta)
    return Math.min(items - 1, Math.floor(items * (eta * u - eta + 1) ** this.#alpha))
  }

  /** A key number: popular ones lie anywhere. */
  scattered(random: Random): number {
    return scramble(this.rank(random) ^ 0x5bd1_e995) % this.#items
  }

  /** A key number: the popular ones are the newest. */
  latest(random: Random): number {
    return this.#items - 1 - this.rank(random)
  }

  /** One item more. */
  grow(): void {
    this.#zeta = zetaStep(this.#zeta, this.#items, this.#items + 1)
    this.#items++
  }
}

/** Adds the terms from `from` to `to` to a generalised harmonic number. */
function zetaStep(sum: number, from: number, to: number): number {
  let zeta = sum
  for (let i = from; i < to; i++) zeta += 1 / (i + 1) ** THETA
  return zeta
}
