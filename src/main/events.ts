/**
 * What a tree tells as it happens: to listeners of its own, and to the process by channels of `node:diagnostics_channel`
 * (docs/tuning.md). Main thread.
 *
 * I1: without a subscriber a channel costs one look at a property: no message is made.
 */
import { channel } from 'node:diagnostics_channel'

/** Why writers are held up. */
export type StallCause = 'memtables' | 'l0' | 'bytes'

/** Writers are to slow down or to stop, or need not any more. */
export interface StallEvent {
  /** `'begin'` when it begins or becomes another, `'end'` when it is over. */
  readonly phase: 'begin' | 'end'
  /**
   * `'memtables'`: the last write buffer is in use, flushes are behind. `'l0'`, `'bytes'`: thresholds of
   * `RuntimeConfig.backpressure` were reached, compactions are behind.
   */
  readonly cause: StallCause
  /** `'stop'` by the thresholds of that name, or where a write was refused with VARVE_STALLED. */
  readonly kind: 'slowdown' | 'stop'
  /** Milliseconds that it lasted; 0 where it begins. */
  readonly durationMs: number
}

/** Names of what is told. */
export type EventName = 'flush' | 'compaction' | 'stall' | 'error'

/** What subscribers of a channel get. */
export interface ChannelMessage<T> {
  /** The folder of the tree. */
  readonly path: string
  readonly event: T
}

const CHANNELS = {
  flush: channel('varve:flush'),
  compaction: channel('varve:compaction'),
  stall: channel('varve:stall'),
  error: channel('varve:error'),
} as const satisfies Readonly<Record<EventName, unknown>>

/** Hands an event of the tree at `path` to the channel's subscribers. */
export function publishToChannel(name: EventName, path: string, event: unknown): void {
  const to = CHANNELS[name]
  if (to.hasSubscribers) to.publish({ path, event } satisfies ChannelMessage<unknown>)
}
