/**
 * Tells writers whether maintenance keeps up: the verdict of semantics.md 22.1, and who is told when it changes. Advice
 * only: nothing here blocks or refuses a write. Main thread.
 *
 *     none ⇄ slowdown ⇄ stop         each change is told once, by a 'stall' event
 *
 * I1: the verdict follows from the latest super version and the settings alone, and is computed once for each.
 * I2: an event is told in a microtask: no listener runs inside a write.
 */
import type { StallCause, StallEvent } from '../events.js'
import type { Settings } from '../options.js'
import type { BackpressureThresholds, RuntimeConfig } from '../runtime-config.js'
import type { SuperVersion } from '../version/super-version.js'

/** What of a tree the verdict follows from, and where it is told. */
interface PressedTree {
  readonly latest: SuperVersion
  readonly runtime: RuntimeConfig
  readonly settings: Pick<Settings, 'clock' | 'strategy'>
  publish(name: 'stall', event: StallEvent): void
}

/** What {@link Backpressure.verdict} says. */
export interface WriteBackpressure {
  readonly kind: 'none' | 'slowdown' | 'stop'
  /** How long a writer is to wait before its next write, in milliseconds; 0 where it need not, and for `'stop'`. */
  readonly suggestedDelayMs: number
  /** What is behind; undefined where nothing is. */
  readonly cause: StallCause | undefined
}

/** How much waits. */
export interface Pressure {
  readonly l0Tables: number
  readonly pendingBytes: number
}

const NONE: WriteBackpressure = Object.freeze({
  kind: 'none',
  suggestedDelayMs: 0,
  cause: undefined,
})

const NS_PER_MS = 1_000_000

/** Between soft and hard the delay grows in proportion, in whole nanoseconds; without a hard limit it is all of it. */
function delayMs(value: number, soft: number, hard: number | undefined, mostMs: number): number {
  if (hard === undefined || hard <= soft) return mostMs
  const mostNs = BigInt(Math.round(mostMs * NS_PER_MS))
  return Number((mostNs * BigInt(value - soft)) / BigInt(hard - soft)) / NS_PER_MS
}

/** The verdict by thresholds; `pressure` is asked only where there is one. */
export function pressureVerdict(
  thresholds: BackpressureThresholds,
  pressure: Pressure,
): WriteBackpressure {
  const { l0Slowdown, l0Stop, bytesSlowdown, bytesStop, maxSlowdownMs = 0 } = thresholds
  const axes = [
    { cause: 'l0', of: 'l0Tables', soft: l0Slowdown, hard: l0Stop },
    { cause: 'bytes', of: 'pendingBytes', soft: bytesSlowdown, hard: bytesStop },
  ] as const
  let verdict = NONE
  for (const { cause, of, soft, hard } of axes) {
    if (soft === undefined && hard === undefined) continue
    const value = pressure[of]
    if (hard !== undefined && value >= hard) return { kind: 'stop', suggestedDelayMs: 0, cause }
    if (soft === undefined || value < soft) continue
    const suggestedDelayMs = delayMs(value, soft, hard, maxSlowdownMs)
    if (verdict.kind === 'none' || suggestedDelayMs > verdict.suggestedDelayMs) {
      verdict = { kind: 'slowdown', suggestedDelayMs, cause }
    }
  }
  return verdict
}

/** Stalls since the tree was opened. */
export interface StallCounts {
  slowdowns: number
  stops: number
  /** Milliseconds under either; the one that lasts is counted when it ends. */
  stalledMs: number
  /** Writes that were refused with VARVE_STALLED. */
  refusedWrites: number
}

export class Backpressure {
  readonly counts: StallCounts = { slowdowns: 0, stops: 0, stalledMs: 0, refusedWrites: 0 }
  readonly #tree: PressedTree
  #seen: SuperVersion | undefined
  #runtime: RuntimeConfig | undefined
  #verdict: WriteBackpressure = NONE
  /** What was told last. */
  #told: Pick<StallEvent, 'cause' | 'kind'> | undefined
  #toldAtMs = 0

  constructor(tree: PressedTree) {
    this.#tree = tree
  }

  /** Asked by every write. */
  get verdict(): WriteBackpressure {
    const { latest, runtime } = this.#tree
    if (latest !== this.#seen || runtime !== this.#runtime) {
      this.#seen = latest
      this.#runtime = runtime
      this.#verdict = this.#judge()
    }
    return this.#verdict
  }

  get isThrottled(): boolean {
    return this.verdict.kind !== 'none'
  }

  /** True where the active write buffer is the last one. */
  get areBuffersFull(): boolean {
    const { latest, runtime } = this.#tree
    return latest.sealed.length >= runtime.maxSealedMemtables
  }

  /** Tells of a change, where there is one. To be called whenever tables, memtables or settings have changed. */
  look(): void {
    const { kind, cause } = this.verdict
    // A refusal stands until a buffer has room again.
    if (cause === 'memtables' && this.#told?.cause === cause) return
    this.#tell(kind === 'none' || cause === undefined ? undefined : { kind, cause })
  }

  /** A write was refused: all write buffers are full. */
  noteRefusal(): void {
    this.counts.refusedWrites++
    this.#tell({ kind: 'stop', cause: 'memtables' })
  }

  #judge(): WriteBackpressure {
    const { latest, runtime, settings } = this.#tree
    const { backpressure } = runtime
    const { version } = latest
    const { bytesSlowdown, bytesStop } = backpressure
    const counted = bytesSlowdown !== undefined || bytesStop !== undefined
    const verdict = pressureVerdict(backpressure, {
      l0Tables: version.l0TableCount,
      pendingBytes: counted ? settings.strategy.pendingBytes(version) : 0,
    })
    if (verdict.kind === 'stop' || !this.areBuffersFull) return verdict
    // The last buffer has some room left: the longest delay there is, whatever tables suggest.
    return {
      kind: 'slowdown',
      suggestedDelayMs: backpressure.maxSlowdownMs ?? 0,
      cause: 'memtables',
    }
  }

  #tell(stall: Pick<StallEvent, 'cause' | 'kind'> | undefined): void {
    const told = this.#told
    if (told?.kind === stall?.kind && told?.cause === stall?.cause) return
    const nowMs = this.#tree.settings.clock()
    if (told !== undefined) {
      const durationMs = Math.max(0, nowMs - this.#toldAtMs)
      this.counts.stalledMs += durationMs
      this.#publish({ phase: 'end', ...told, durationMs })
    }
    this.#told = stall
    this.#toldAtMs = nowMs
    if (stall === undefined) return
    if (stall.kind === 'stop') this.counts.stops++
    else this.counts.slowdowns++
    this.#publish({ phase: 'begin', ...stall, durationMs: 0 })
  }

  #publish(event: StallEvent): void {
    queueMicrotask(() => this.#tree.publish('stall', event))
  }
}
