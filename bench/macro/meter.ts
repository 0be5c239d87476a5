/**
 * Times the operations of a workload: all of them together, and about one in {@link SAMPLE_EVERY} alone for the
 * percentiles, so that the clock costs next to nothing ({@link samplingCostNs} tells what). Which ones is drawn: a write in
 * every thousand that does the work of all would else be seen always or never. The longest stretch between two samples
 * tells of slow operations that were not drawn, so that the maximum is not one of the samples only.
 *
 * Every {@link TURN} short operations the event loop has a turn, as in a program that does other things too: how long it
 * had to wait for one is measured with the rest. On Linux the meter also tells the processor time of the main thread, which
 * a busy machine disturbs far less than the wall clock, and the bytes that the process gave to the system to write.
 */
import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Histogram } from './histogram.js'

const SAMPLE_EVERY = 32
/** Operations between two turns of the event loop. */
export const TURN = 1000
/** Milliseconds between two looks at the event loop; its delays are told without them. */
const LOOK_MS = 1

/** What one workload came to. */
export interface Measurement {
  readonly name: string
  readonly operations: number
  /** Nanoseconds an operation, by the wall clock. */
  readonly wallNs: number
  /** The same by the main thread's processor time; undefined where the system does not tell. */
  readonly cpuNs?: number | undefined
  /** The same by the processor time of all threads. */
  readonly allCpuNs?: number | undefined
  /** Of the sampled operations; undefined where single ones are not timed. */
  readonly p50Ns?: number | undefined
  readonly p99Ns?: number | undefined
  readonly p999Ns?: number | undefined
  readonly maxNs?: number | undefined
  /** Bytes a second over all; undefined where the workload is not about bytes. */
  readonly bytesPerSecond?: number | undefined
  /** Milliseconds that the event loop came late. */
  readonly loopP999Ms?: number | undefined
  readonly loopMaxMs?: number | undefined
  /** Resident at the end, in bytes. */
  readonly rssBytes?: number | undefined
  /** Bytes that the process wrote, by its calls of `write`. */
  readonly bytesWritten?: number | undefined
  /** Bytes written per byte given, bytes stored per byte of the newest entries. */
  readonly writeAmplification?: number | undefined
  readonly spaceAmplification?: number | undefined
  /** Of filters: bits a key, the share of absent keys that pass, and how many times the bits that this share needs. */
  readonly filterBits?: number | undefined
  readonly falsePositives?: number | undefined
  readonly filterOverhead?: number | undefined
  /** Of the results: equal for equal work. */
  readonly checksum?: number | undefined
}

/** What an operation comes to; a promise where the engine answers later. */
export type Result = number | Promise<number>

/** What a workload timed as a whole comes to. */
export interface Whole {
  readonly operations: number
  readonly bytes?: number
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

/** Bytes that this process has given to `write` so far; undefined where the system does not tell. */
export function writtenBytes(): number | undefined {
  try {
    return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1])
  } catch {
    return undefined
  }
}

/** What is told of a filter, by the bits that a key takes and the absent keys that it let pass and kept away. */
export function filterFigures(
  filterBits: number | undefined,
  passed: number,
  kept: number,
): Partial<Measurement> {
  if (filterBits === undefined || passed === 0) return { filterBits }
  const falsePositives = passed / (passed + kept)
  return { filterBits, falsePositives, filterOverhead: filterBits / -Math.log2(falsePositives) }
}

/** Lets the event loop do what waits for it. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** What sampling adds to an operation, in nanoseconds, on this machine. */
export function samplingCostNs(): number {
  const histogram = new Histogram()
  const rounds = 50_000
  const began = performance.now()
  for (let i = 0; i < rounds; i++) {
    const start = performance.now()
    histogram.record((performance.now() - start) * 1e6)
  }
  return ((performance.now() - began) * 1e6) / rounds / SAMPLE_EVERY
}

export class Meter {
  readonly #name: string
  readonly #samples = new Histogram()
  readonly #cpuStart = mainThreadNs()
  readonly #allCpuStart = process.cpuUsage()
  readonly #writtenStart = writtenBytes()
  readonly #loop = monitorEventLoopDelay({ resolution: LOOK_MS })
  #start = 0
  /** The operation that is sampled next, and the state of the draw. */
  #next = 0
  #state = 0x9e37_79b9
  /** When the last sample ended and which operation it was; the longest stretch since, less what is usual. */
  #sampleEnd = 0
  #sampleAt = 0
  #stretch = 0
  #stretchCount = 0
  #checksum = 0
  /** An operation that has still to answer. */
  #pending: Promise<number> | undefined

  private constructor(name: string) {
    this.#name = name
    this.#loop.enable()
    this.#start = performance.now()
  }

  /**
   * Times `count` operations, whose results go into the checksum.
   * @param turnEvery operations between turns of the event loop; fewer where an operation is long
   */
  static async each(
    name: string,
    count: number,
    operation: (i: number) => Result,
    turnEvery = TURN,
  ): Promise<Measurement> {
    const meter = new Meter(name)
    for (let i = 0; i < count; ) {
      i = meter.#burst(i, Math.min(count, i + turnEvery - (i % turnEvery)), operation)
      if (meter.#pending !== undefined) {
        meter.#checksum = mix(meter.#checksum, await meter.#pending)
        meter.#pending = undefined
        if (i - 1 === meter.#sampleAt) meter.#endSample(i - 1)
      }
      if (i % turnEvery === 0) {
        await turn()
        // The turn belongs to no operation.
        meter.#sampleEnd = 0
      }
    }
    return meter.#end(count, undefined)
  }

  /** Times `work` as a whole. */
  static async whole(name: string, work: () => Whole | Promise<Whole>): Promise<Measurement> {
    const meter = new Meter(name)
    const { operations, bytes, checksum } = await work()
    meter.#checksum = checksum
    return meter.#end(operations, bytes)
  }

  /** Operations up to `end`, or until one has to be waited for: the number after it. */
  #burst(from: number, end: number, operation: (i: number) => Result): number {
    let checksum = this.#checksum
    let i = from
    for (; i < end; i++) {
      const isSampled = i === this.#next
      if (isSampled) this.#beginSample(i)
      const result = operation(i)
      if (typeof result !== 'number') {
        this.#pending = result
        i++
        break
      }
      if (isSampled) this.#endSample(i)
      checksum = mix(checksum, result)
    }
    this.#checksum = checksum
    return i
  }

  #sampleStart = 0

  #beginSample(i: number): void {
    // xorshift: on average every SAMPLE_EVERY-th one.
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x
    this.#next = i + 1 + ((x >>> 8) % (2 * SAMPLE_EVERY - 1))
    const now = performance.now()
    const stretch = this.#sampleEnd === 0 ? 0 : now - this.#sampleEnd
    if (stretch > this.#stretch) {
      this.#stretch = stretch
      this.#stretchCount = i - this.#sampleAt - 1
    }
    this.#sampleAt = i
    this.#sampleStart = now
  }

  #endSample(i: number): void {
    const now = performance.now()
    this.#samples.record((now - this.#sampleStart) * 1e6)
    this.#sampleEnd = now
    this.#sampleAt = i
  }

  #end(operations: number, bytes: number | undefined): Measurement {
    const wallNs = (performance.now() - this.#start) * 1e6
    const cpuEnd = mainThreadNs()
    const { user, system } = process.cpuUsage(this.#allCpuStart)
    const written = writtenBytes()
    this.#loop.disable()
    const samples = this.#samples
    const p50Ns = samples.percentile(0.5)
    // What a stretch took beyond the usual was one slow operation, or more than one.
    const unseen = this.#stretch * 1e6 - (p50Ns ?? 0) * Math.max(0, this.#stretchCount - 1)
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - LOOK_MS)
    return {
      name: this.#name,
      operations,
      wallNs: wallNs / operations,
      cpuNs:
        cpuEnd === undefined || this.#cpuStart === undefined
          ? undefined
          : (cpuEnd - this.#cpuStart) / operations,
      allCpuNs: ((user + system) * 1000) / operations,
      p50Ns,
      p99Ns: samples.percentile(0.99),
      p999Ns: samples.percentile(0.999),
      maxNs: p50Ns === undefined ? undefined : Math.max(samples.max, unseen),
      bytesPerSecond: bytes === undefined ? undefined : (bytes / wallNs) * 1e9,
      loopP999Ms: this.#loop.count === 0 ? undefined : late(this.#loop.percentile(99.9)),
      loopMaxMs: this.#loop.count === 0 ? undefined : late(this.#loop.max),
      rssBytes: process.memoryUsage.rss(),
      bytesWritten:
        written === undefined || this.#writtenStart === undefined
          ? undefined
          : written - this.#writtenStart,
      checksum: this.#checksum >>> 0,
    }
  }
}
