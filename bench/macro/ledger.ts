/**
 * What a store must hold, by key number: which generation of its value, or nothing. Workloads write their changes down here
 * after they were timed, and work out from it what their results must have been.
 */
import type { KeySpace } from './key-space.js'
import { mix } from './meter.js'

/** Something of a value that a wrong result would change; -1 for one that is absent. */
export function taste(value: Uint8Array | undefined): number {
  return value === undefined ? -1 : value.length + (value[value.length >> 1] as number)
}

/** The same for a row. */
export function tasteRow(key: Uint8Array, value: Uint8Array): number {
  return taste(value) + (key[7] as number)
}

export class Ledger {
  readonly #space: KeySpace
  /** One more than the generation; 0 for what is absent. */
  readonly #generations: Uint8Array
  /** Keys from here on were never written. */
  readonly end: number

  constructor(space: KeySpace, end: number) {
    this.#space = space
    this.#generations = new Uint8Array(end)
    this.end = end
  }

  set(number: number, generation: number): void {
    this.#generations[number] = generation + 1
  }

  remove(number: number): void {
    this.#generations[number] = 0
  }

  fill(from: number, to: number, generation: number): void {
    this.#generations.fill(generation + 1, from, to)
  }

  has(number: number): boolean {
    return (this.#generations[number] ?? 0) > 0
  }

  get size(): number {
    let count = 0
    for (const generation of this.#generations) if (generation > 0) count++
    return count
  }

  value(number: number): Buffer | undefined {
    const generation = this.#generations[number] ?? 0
    return generation === 0 ? undefined : this.#space.value(number, generation - 1)
  }

  /** What {@link taste} says of the value that a read must find. */
  taste(number: number): number {
    return taste(this.value(number))
  }

  tasteRow(number: number): number {
    return this.taste(number) + (number & 0xff)
  }

  /** The checksum of rows from a number on, in the order of keys. */
  rows(from: number, limit: number, isReverse: boolean, checksum = 0): number {
    const step = isReverse ? -1 : 1
    let sum = checksum
    let left = limit
    for (let i = from; left > 0 && i >= 0 && i < this.end; i += step) {
      if (!this.has(i)) continue
      sum = mix(sum, this.tasteRow(i))
      left--
    }
    return sum
  }
}
