/**
 * Times the operations of a workload: all of them together, and one in {@link SAMPLE_EVERY} alone for the percentiles, so
 * that the clock costs next to nothing. On Linux it also tells the processor time of the main thread, which a busy
 * machine disturbs far less than the wall clock.
 */
import { readFileSync } from 'node:fs'

const SAMPLE_EVERY = 16

/** What one workload came to. */
export interface Measurement {
  readonly name: string
  readonly operations: number
  /** Nanoseconds an operation, by the wall clock. */
  readonly wallNs: number
  /** The same by the main thread's processor time; undefined where the system does not tell. */
  readonly cpuNs: number | undefined
  /** The same by the processor time of all threads. */
  readonly allCpuNs: number
  /** Of the sampled operations; undefined where single ones are not timed. */
  readonly p50Ns: number | undefined
  readonly p99Ns: number | undefined
  /** Bytes a second over all; undefined where the workload is not about bytes. */
  readonly bytesPerSecond: number | undefined
  /** Of the results: equal for equal work. */
  readonly checksum: number
}

/** Adds a number to a checksum. */
export function mix(checksum: number, number: number): number {
  return (Math.imul(checksum, 31) + number) | 0
}

/** Nanoseconds that this process's first thread has run; undefined where the system does not tell. */
function mainThreadNs(): number | undefined {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'latin1').split(' ')[0])
  } catch {
    return undefined
  }
}

export class Meter {
  readonly #name: string
  readonly #samples: number[] = []
  readonly #cpuStart: number | undefined
  readonly #allCpuStart = process.cpuUsage()
  readonly #start: number
  checksum = 0

  private constructor(name: string) {
    this.#name = name
    this.#cpuStart = mainThreadNs()
    this.#start = performance.now()
  }

  /** Times `count` calls of `operation`, whose results go into the checksum. */
  static each(name: string, count: number, operation: (i: number) => number): Measurement {
    const meter = new Meter(name)
    let checksum = 0
    for (let i = 0; i < count; i++) {
      if (i % SAMPLE_EVERY !== 0) {
        checksum = mix(checksum, operation(i))
        continue
      }
      const start = performance.now()
      checksum = mix(checksum, operation(i))
      meter.#samples.push(performance.now() - start)
    }
    meter.checksum = checksum
    return meter.#end(count, undefined)
  }

  /** The same where an operation may ask to wait: `pause` is awaited after one that was answered with false. */
  static async eachWrite(
    name: string,
    count: number,
    operation: (i: number) => boolean,
    pause: () => Promise<void>,
  ): Promise<Measurement> {
    const meter = new Meter(name)
    for (let i = 0; i < count; i++) {
      const isSampled = i % SAMPLE_EVERY === 0
      const start = isSampled ? performance.now() : 0
      const isWelcome = operation(i)
      if (isSampled) meter.#samples.push(performance.now() - start)
      if (!isWelcome) await pause()
    }
    meter.checksum = count
    return meter.#end(count, undefined)
  }

  /** Times `work` as a whole: it returns how many operations it was, and how many bytes. */
  static async whole(
    name: string,
    work: () =>
      | { readonly operations: number; readonly bytes?: number; readonly checksum: number }
      | Promise<{
          readonly operations: number
          readonly bytes?: number
          readonly checksum: number
        }>,
  ): Promise<Measurement> {
    const meter = new Meter(name)
    const { operations, bytes, checksum } = await work()
    meter.checksum = checksum
    return meter.#end(operations, bytes)
  }

  #end(operations: number, bytes: number | undefined): Measurement {
    const wallNs = (performance.now() - this.#start) * 1e6
    const cpuEnd = mainThreadNs()
    const { user, system } = process.cpuUsage(this.#allCpuStart)
    const cpuNs =
      cpuEnd === undefined || this.#cpuStart === undefined ? undefined : cpuEnd - this.#cpuStart
    const samples = this.#samples.sort((a, b) => a - b)
    const percentile = (share: number): number | undefined => {
      const sample = samples[Math.floor(share * samples.length)]
      return sample === undefined ? undefined : sample * 1e6
    }
    return {
      name: this.#name,
      operations,
      wallNs: wallNs / operations,
      cpuNs: cpuNs === undefined ? undefined : cpuNs / operations,
      allCpuNs: ((user + system) * 1000) / operations,
      p50Ns: percentile(0.5),
      p99Ns: percentile(0.99),
      bytesPerSecond: bytes === undefined ? undefined : (bytes / wallNs) * 1e9,
      checksum: this.checksum >>> 0,
    }
  }
}
