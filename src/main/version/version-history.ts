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
import { EXACT_FOREVER } from '../../shared/memory/history-words.js'
import type { Audience } from './audience.js'
import { type Exactness, entryAt, keptEntries } from './history-entries.js'
import type { SuperVersion } from './super-version.js'

/** A super version, and below which seqno it is exact: where the next one took over. */
class Entry implements Exactness {
  exactUntil = Number.POSITIVE_INFINITY
  readonly view: SuperVersion

  constructor(view: SuperVersion) {
    this.view = view.begin()
  }

  get exactFrom(): number {
    return this.view.exactFrom
  }
}

export class VersionHistory {
  /** Oldest first; the last one is the latest. */
  #entries: readonly Entry[]
  /** Pinned seqnos and how often each is. */
  readonly #pins = new Map<number, number>()
  /** Other threads that read the tree. */
  #audience: Audience | undefined

  #latest: SuperVersion

  constructor(first: SuperVersion) {
    this.#entries = [new Entry(first)]
    this.#latest = first
  }

  /** Super versions that are kept, the latest included. */
  get length(): number {
    return this.#entries.length
  }

  get latest(): SuperVersion {
    return this.#latest
  }

  /** All of them, oldest first. */
  get views(): readonly SuperVersion[] {
    return this.#entries.map(({ view }) => view)
  }

  /** The lowest seqno that is pinned, by this thread or another; undefined where nothing is pinned. */
  get oldestPin(): number | undefined {
    let oldest: number | undefined
    for (const seqno of this.#pinned()) oldest = Math.min(oldest ?? seqno, seqno)
    return oldest
  }

  /** From now on other threads are told of every change, and what they pin counts like the tree's own. */
  shareWith(audience: Audience): void {
    assert(this.#audience === undefined, 'a history is shared once')
    this.#audience = audience
    this.#publish()
  }

  /**
   * What a read at `seqno` looks at; not acquired for the caller.
   * @throws VARVE_SEQNO_COLLECTED where versions that it may see are gone
   */
  at(seqno: number): SuperVersion {
    const latest = this.#latest
    if (seqno >= latest.exactFrom) return latest
    const entry = entryAt(this.#entries, seqno)
    if (entry !== undefined) return entry.view
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
    const previous = this.#latest
    this.#entries = [...this.#entries.slice(0, -1), new Entry(next)]
    this.#latest = next
    this.#publish()
    previous.release()
  }

  /** A change of the version. */
  install(next: SuperVersion): void {
    assert(next.exactFrom >= this.latest.exactFrom, 'what was dropped stays dropped')
    const previous = this.#entries.at(-1) as Entry
    previous.exactUntil = next.exactFrom
    this.#entries = [...this.#entries, new Entry(next)]
    this.#latest = next
    this.#publish()
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
    const before = this.#entries
    const decision = (): void => {
      const kept = keptEntries(before, watermark, this.#pinned())
      if (kept.length === before.length) return
      this.#entries = kept
      this.#publish()
    }
    if (this.#audience === undefined) decision()
    else this.#audience.decide(decision)
    for (const entry of before) if (!this.#entries.includes(entry)) entry.view.release()
  }

  /** Drops everything but the latest and what pinned seqnos use. */
  collectUnpinned(): void {
    this.collect(Number.MAX_SAFE_INTEGER)
  }

  /** Gives up all of it: the tree is closing. Iterators keep what they acquired. */
  close(): void {
    this.#audience?.close()
    for (const { view } of this.#entries) view.release()
  }

  *#pinned(): Generator<number, undefined> {
    yield* this.#pins.keys()
    if (this.#audience !== undefined) yield* this.#audience.pinnedSeqnos()
    return undefined
  }

  #publish(): void {
    // One that no read uses any more is not told of: iterators that began with it hold it.
    this.#audience?.publish(
      this.#entries
        .filter(({ exactFrom, exactUntil }) => exactFrom < exactUntil)
        .map(({ view, exactFrom, exactUntil }) => {
          const { collectedBelow, stateAddress } = view
          const until = Math.min(exactUntil, EXACT_FOREVER)
          return { exactFrom, exactUntil: until, collectedBelow, stateAddress }
        }),
    )
  }
}
