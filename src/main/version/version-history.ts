/**
 * The super versions that reads may still need: the latest, and older ones for snapshots and bare sequence numbers
 * (semantics.md 3.4, 3.5). Main thread.
 *
 * I1: a read at S uses the newest super version whose install seqno is below S.
 * I2: a super version that a pinned seqno uses is never dropped.
 */
import { assert, VarveError } from '../../shared/base/errors.js'
import type { SuperVersion } from './super-version.js'

export class VersionHistory {
  /** Oldest first; the last one is the latest. */
  readonly #entries: SuperVersion[]
  /** Pinned seqnos and how often each is. */
  readonly #pins = new Map<number, number>()
  /** Reads below it may miss versions that were collected, unless their seqno was pinned all along. */
  #collectedBelow = 0

  constructor(first: SuperVersion) {
    this.#entries = [first]
  }

  get latest(): SuperVersion {
    return this.#entries[this.#entries.length - 1] as SuperVersion
  }

  /** Super versions kept beside the latest. */
  get retainedCount(): number {
    return this.#entries.length - 1
  }

  /** The lowest pinned seqno; undefined where nothing is pinned. */
  get oldestPin(): number | undefined {
    let oldest: number | undefined
    for (const seqno of this.#pins.keys()) oldest = Math.min(oldest ?? seqno, seqno)
    return oldest
  }

  get pinCount(): number {
    return this.#pins.size
  }

  /** What a read at `seqno` looks at; not acquired for the caller. @throws VARVE_SEQNO_COLLECTED */
  at(seqno: number): SuperVersion {
    const { latest } = this
    if (seqno > latest.installSeqno && seqno >= this.#collectedBelow) return latest
    return this.#older(seqno)
  }

  /** Replaces the latest by one with the same install seqno: a rotation, which persists nothing. */
  replaceLatest(next: SuperVersion): void {
    assert(next.installSeqno === this.latest.installSeqno, 'a replacement keeps the install seqno')
    const previous = this.#entries.pop() as SuperVersion
    this.#entries.push(next)
    previous.release()
  }

  /** A persisted change. */
  install(next: SuperVersion): void {
    assert(next.installSeqno > this.latest.installSeqno, 'install seqnos ascend')
    this.#entries.push(next)
  }

  /** Keeps `seqno` readable until {@link unpin}. */
  pin(seqno: number): void {
    this.#pins.set(seqno, (this.#pins.get(seqno) ?? 0) + 1)
  }

  unpin(seqno: number): void {
    const count = this.#pins.get(seqno)
    assert(count !== undefined, 'a pin is released once')
    if (count > 1) this.#pins.set(seqno, count - 1)
    else this.#pins.delete(seqno)
  }

  /**
   * Drops super versions that no read at or above `watermark` needs, and, where `isPrecise`, every older one that no
   * pinned seqno needs either; 0 drops nothing.
   */
  collect(watermark: number, isPrecise: boolean): void {
    if (watermark <= 0) return
    this.#collectedBelow = Math.max(this.#collectedBelow, watermark)
    const needed = new Set<SuperVersion>([this.latest])
    for (const seqno of this.#pins.keys()) needed.add(this.#newestBelow(seqno))
    const boundary = this.#newestBelow(watermark)
    let isOlder = true
    const kept: SuperVersion[] = []
    for (const entry of this.#entries) {
      if (entry === boundary) isOlder = false
      const isKept = needed.has(entry) || !(isOlder || isPrecise)
      if (isKept) kept.push(entry)
      else entry.release()
    }
    this.#entries.splice(0, this.#entries.length, ...kept)
  }

  /** Drops everything but the latest. */
  clear(): void {
    for (const entry of this.#entries.splice(0, this.#entries.length - 1)) entry.release()
  }

  /** Gives up the latest too: the tree is closing. */
  close(): void {
    for (const entry of this.#entries) entry.release()
  }

  #newestBelow(seqno: number): SuperVersion {
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      const entry = this.#entries[i] as SuperVersion
      if (entry.installSeqno < seqno) return entry
    }
    return this.#entries[0] as SuperVersion
  }

  #older(seqno: number): SuperVersion {
    const entry = this.#newestBelow(seqno)
    const isPinned = this.#pins.has(seqno)
    const isReadable = isPinned || seqno >= this.#collectedBelow || seqno <= 0
    if (isReadable && (entry.installSeqno < seqno || seqno <= 0 || entry.installSeqno === 0))
      return entry
    throw new VarveError(
      'VARVE_SEQNO_COLLECTED',
      `versions below seqno ${this.#collectedBelow} were collected, so a read at ${seqno} could miss data; ` +
        'hold a snapshot, or raise RuntimeConfig.retainFrom before the versions go',
      { details: { seqno, collectedBelow: this.#collectedBelow } },
    )
  }
}
