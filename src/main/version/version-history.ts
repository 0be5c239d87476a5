/**
 * The super versions that reads may still need: the latest, and older ones for snapshots and bare sequence numbers that
 * the latest is not exact for (semantics.md 3.4, 3.5). Main thread.
 *
 * The seed picks a super version by its install seqno. Here each one tells from which seqno on it is exact: the same for
 * changes that drop data outright, and far lower for maintenance that collects below a watermark only, so that a
 * snapshot does not hold on to every memtable since.
 *
 * I1: a read at S uses the one super version with exactFrom <= S < exactFrom of the one installed next. Where that one is
 *     gone no other answers: an older one knows nothing of what was written or cleared since.
 * I2: a super version that a pinned seqno uses is never dropped.
 */
import { assert, VarveError } from '../../shared/base/errors.js'
import type { SuperVersion } from './super-version.js'

export class VersionHistory {
  /** Oldest first; the last one is the latest. */
  readonly #entries: SuperVersion[]
  /** Below which seqno each one is exact: where the next one took over. None for the latest. */
  readonly #exactUntil = new Map<SuperVersion, number>()
  /** Pinned seqnos and how often each is. */
  readonly #pins = new Map<number, number>()

  #latest: SuperVersion

  constructor(first: SuperVersion) {
    this.#entries = [first]
    this.#latest = first
  }

  /** Super versions that are kept, the latest included. */
  get length(): number {
    return this.#entries.length
  }

  get latest(): SuperVersion {
    return this.#latest
  }

  /** The lowest pinned seqno; undefined where nothing is pinned. */
  get oldestPin(): number | undefined {
    let oldest: number | undefined
    for (const seqno of this.#pins.keys()) oldest = Math.min(oldest ?? seqno, seqno)
    return oldest
  }

  /**
   * What a read at `seqno` looks at; not acquired for the caller.
   * @throws VARVE_SEQNO_COLLECTED where versions that it may see are gone
   */
  at(seqno: number): SuperVersion {
    const latest = this.#latest
    if (seqno >= latest.exactFrom) return latest
    const entry = this.#newestExactAt(seqno)
    if (entry !== undefined) return entry
    // Nothing is visible at 0, whatever was collected.
    if (seqno <= 0) return latest
    throw new VarveError(
      'VARVE_SEQNO_COLLECTED',
      `versions below seqno ${latest.exactFrom} were collected, so a read at ${seqno} could miss data; ` +
        'hold a snapshot, or set RuntimeConfig.retainFrom before the versions go',
      { details: { seqno, collectedBelow: latest.exactFrom } },
    )
  }

  /** Replaces the latest by one of the same data: a rotation, which persists nothing. */
  replaceLatest(next: SuperVersion): void {
    assert(
      next.exactFrom === this.latest.exactFrom,
      'a replacement is as exact as what it replaces',
    )
    const previous = this.#entries.pop() as SuperVersion
    this.#entries.push(next)
    this.#latest = next
    previous.release()
  }

  /** A change of the version. */
  install(next: SuperVersion): void {
    assert(next.exactFrom >= this.latest.exactFrom, 'what was dropped stays dropped')
    this.#exactUntil.set(this.latest, next.exactFrom)
    this.#entries.push(next)
    this.#latest = next
  }

  /** Keeps `seqno` readable until {@link unpin}. @throws VARVE_SEQNO_COLLECTED where it is not any more */
  pin(seqno: number): void {
    this.at(seqno)
    this.#pins.set(seqno, (this.#pins.get(seqno) ?? 0) + 1)
  }

  unpin(seqno: number): void {
    const count = this.#pins.get(seqno)
    assert(count !== undefined, 'a pin is released once')
    if (count > 1) this.#pins.set(seqno, count - 1)
    else this.#pins.delete(seqno)
  }

  /**
   * Drops super versions that neither a pinned seqno nor a read at or above `watermark` needs; 0 drops nothing.
   */
  collect(watermark: number): void {
    if (watermark <= 0) return
    const needed = new Set<SuperVersion>([this.latest])
    for (const seqno of this.#pins.keys()) needed.add(this.at(seqno))
    const isReachable = (entry: SuperVersion): boolean => {
      const until = this.#untilOf(entry)
      return watermark < until && entry.exactFrom < until
    }
    const kept = this.#entries.filter((entry) => needed.has(entry) || isReachable(entry))
    for (const entry of this.#entries) {
      if (kept.includes(entry)) continue
      this.#exactUntil.delete(entry)
      entry.release()
    }
    this.#entries.splice(0, this.#entries.length, ...kept)
  }

  /** Drops everything but the latest and what pinned seqnos use. */
  collectUnpinned(): void {
    this.collect(Number.MAX_SAFE_INTEGER)
  }

  /** Gives up all of it: the tree is closing. Iterators keep what they acquired. */
  close(): void {
    for (const entry of this.#entries) entry.release()
  }

  #newestExactAt(seqno: number): SuperVersion | undefined {
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i] as SuperVersion
      if (entry.exactFrom <= seqno) return seqno < this.#untilOf(entry) ? entry : undefined
    }
    return undefined
  }

  #untilOf(entry: SuperVersion): number {
    return this.#exactUntil.get(entry) ?? Number.POSITIVE_INFINITY
  }
}
