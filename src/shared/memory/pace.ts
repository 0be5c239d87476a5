/**
 * The words by which the merges of one tree are slowed down and stopped for a while (kernel/layout-jobs.ts): a word to
 * wait on, the pause, and a token bucket. Main changes them; every thread that merges looks at them between blocks.
 *
 * The bucket holds one second's worth of bytes and is full at first. It is kept as one number, the moment at which it will
 * be full again: charging moves that on by what the bytes take at the rate, and whoever finds it more than a second ahead
 * waits. A charge beyond what is there goes into debt, which is paid off before anything more is written.
 *
 * I1: a charge is one compare-and-swap: a thread that ends anywhere leaves the bucket whole.
 * I2: a change of the rate keeps what is in the bucket, in bytes. No charge at the old rate comes after it: the change
 *     always moves the moment, and a charge reads the rate after the moment that it swaps.
 */
import {
  PACE_BYTES,
  PACE_FULL_AT,
  PACE_PAUSED,
  PACE_RATE,
  PACE_WAKE,
} from '../kernel/layout-jobs.js'
import type { SharedMemory } from './shared-memory.js'

/** Longest wait before a job looks again whether it is to stop. */
export const PACE_WAIT_MS = 100

const SECOND_NS = 1_000_000_000n
const MILLISECOND_NS = 1_000_000

/** The monotonic clock, which all threads of a process share, in nanoseconds. */
export type MonotonicClock = () => bigint

export class Pace {
  readonly #shared: SharedMemory
  readonly #address: number
  readonly #fullAt: BigInt64Array
  readonly #now: MonotonicClock

  constructor(
    shared: SharedMemory,
    address: number,
    now: MonotonicClock = () => process.hrtime.bigint(),
  ) {
    this.#shared = shared
    this.#address = address
    this.#fullAt = new BigInt64Array(shared.memory.buffer, address + PACE_FULL_AT, 1)
    this.#now = now
  }

  /** Main, before the address is given to anybody: runs free, at no limit. */
  reset(): void {
    this.#shared.bytes.fill(0, this.#address, this.#address + PACE_BYTES)
  }

  get isPaused(): boolean {
    return this.#shared.isSet(this.#address + PACE_PAUSED)
  }

  /** Main: lets merges stand still, or go on. Pairs with the load in {@link isPaused}. */
  setPaused(isPaused: boolean): void {
    Atomics.store(this.#shared.i32, (this.#address + PACE_PAUSED) >>> 2, isPaused ? 1 : 0)
    this.wake()
  }

  get bytesPerSecond(): number {
    return this.#shared.getF64(this.#address + PACE_RATE)
  }

  /** Main: changes the rate; 0 is none, and forgives what is owed. Pairs with the exchange of {@link charge}, each way. */
  setRate(bytesPerSecond: number): void {
    const before = this.bytesPerSecond
    if (bytesPerSecond === before) return
    this.#shared.setF64(this.#address + PACE_RATE, bytesPerSecond)
    for (;;) {
      const old = Atomics.load(this.#fullAt, 0)
      const now = this.#now()
      const isFull = before === 0 || bytesPerSecond === 0 || old <= now
      const ahead = isFull ? 0n : scaled(old - now, before / bytesPerSecond)
      const next = now + ahead === old ? old + 1n : now + ahead
      if (Atomics.compareExchange(this.#fullAt, 0, old, next) === old) break
    }
    this.wake()
  }

  /** Takes bytes out of the bucket, also where there are not so many. Pairs with itself elsewhere and {@link setRate}. */
  charge(bytes: number): void {
    for (;;) {
      const old = Atomics.load(this.#fullAt, 0)
      const rate = this.bytesPerSecond
      if (rate === 0) return
      const now = this.#now()
      const next = (old > now ? old : now) + BigInt(Math.ceil((bytes / rate) * 1e9))
      if (Atomics.compareExchange(this.#fullAt, 0, old, next) === old) return
    }
  }

  /**
   * How long to stand still before the next block, {@link PACE_WAIT_MS} at most; then ask again. 0: go on. The load pairs
   * with the exchanges of {@link charge} and {@link setRate}.
   */
  get waitMs(): number {
    if (this.isPaused) return PACE_WAIT_MS
    if (this.bytesPerSecond === 0) return 0
    const owed = Atomics.load(this.#fullAt, 0) - this.#now() - SECOND_NS
    if (owed <= 0n) return 0
    return Math.min(PACE_WAIT_MS, Math.ceil(Number(owed) / MILLISECOND_NS))
  }

  /** What {@link wait} must be given: it returns at once where anything has changed since. Pairs with {@link wake}. */
  get changes(): number {
    return Atomics.load(this.#shared.i32, (this.#address + PACE_WAKE) >>> 2)
  }

  /** Worker threads: stands still for so long, or until something changes. Pairs with {@link wake}. */
  wait(milliseconds: number, changes: number): void {
    Atomics.wait(this.#shared.i32, (this.#address + PACE_WAKE) >>> 2, changes, milliseconds)
  }

  /** Main: something is to be seen at once, also by those who wait. Pairs with {@link changes} and {@link wait}. */
  wake(): void {
    const word = (this.#address + PACE_WAKE) >>> 2
    Atomics.add(this.#shared.i32, word, 1)
    Atomics.notify(this.#shared.i32, word)
  }
}

/** A span of time by a factor that is no whole number. */
function scaled(span: bigint, factor: number): bigint {
  const nanoseconds = Number(span) * factor
  return BigInt(Math.ceil(Math.min(nanoseconds, Number.MAX_SAFE_INTEGER)))
}
