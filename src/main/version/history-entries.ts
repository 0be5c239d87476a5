/**
 * Which super version of a history a read uses, and which ones stay: pure decisions about where each is exact. Any thread.
 *
 * I1: of entries in order of their installation the newest with `exactFrom <= S` answers a read at S, unless S is at or
 *     above its `exactUntil`: then nobody does, since older ones know nothing of what came in between.
 */

/** For which seqnos an entry is exact. */
export interface Exactness {
  readonly exactFrom: number
  /** Where the next one took over; infinite for the latest. Not above `exactFrom`: no read uses it. */
  readonly exactUntil: number
}

/** The entry for a read at `seqno`; undefined where versions that it may see are gone. */
export function entryAt<T extends Exactness>(entries: readonly T[], seqno: number): T | undefined {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i] as T
    if (entry.exactFrom <= seqno) return seqno < entry.exactUntil ? entry : undefined
  }
  return undefined
}

/**
 * What stays: the latest, what pinned seqnos use, and what a read at or above `watermark` may use. A pin that no entry is
 * exact for keeps nothing: whoever sets it finds that out.
 */
export function keptEntries<T extends Exactness>(
  entries: readonly T[],
  watermark: number,
  pins: Iterable<number>,
): T[] {
  const needed = new Set<T>(entries.slice(-1))
  for (const seqno of pins) {
    const entry = entryAt(entries, seqno)
    if (entry !== undefined) needed.add(entry)
  }
  return entries.filter(
    (entry) =>
      needed.has(entry) || (watermark < entry.exactUntil && entry.exactFrom < entry.exactUntil),
  )
}
