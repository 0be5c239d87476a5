/**
 * The memtable kernel's plain twin: one sorted array of entries. Slow and obvious; the oracle of
 * the kernel's tests. Any thread, no shared state.
 *
 * I1: `entries` is sorted by key ascending, seqno descending, insertion descending.
 */

/** One version of a key. */
export interface ReferenceEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly kind: number
  readonly seqno: number
  /** How many entries the memtable held before this one. */
  readonly number: number
}

/** Unsigned bytes, shorter first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!
  }
  return a.length - b.length
}

export class ReferenceMemtable {
  readonly entries: ReferenceEntry[] = []
  #count = 0

  insert(key: Uint8Array, value: Uint8Array, kind: number, seqno: number): ReferenceEntry {
    const entry = { key, value, kind, seqno, number: this.#count++ }
    let index = this.#lowerBound(key)
    while (index < this.entries.length && compareBytes(this.entries[index]!.key, key) === 0) {
      if (this.entries[index]!.seqno <= seqno) break
      index++
    }
    this.entries.splice(index, 0, entry)
    return entry
  }

  /** The newest version of the key with a seqno below `seqno`. */
  get(key: Uint8Array, seqno: number): ReferenceEntry | undefined {
    for (let i = this.#lowerBound(key); i < this.entries.length; i++) {
      const entry = this.entries[i]!
      if (compareBytes(entry.key, key) !== 0) return undefined
      if (entry.seqno < seqno) return entry
    }
    return undefined
  }

  cursor(): ReferenceCursor {
    return new ReferenceCursor(this)
  }

  /** The index of the first entry whose key is not below the key. */
  #lowerBound(key: Uint8Array): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareBytes(this.entries[middle]!.key, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Entries between two keys, the lower one included, with a seqno below `seqno`. */
  count(lower: Uint8Array, upper: Uint8Array, isInclusive: boolean, seqno: number): number {
    const end = isInclusive ? this.upperBound(upper) : this.#lowerBound(upper)
    const between = this.entries.slice(this.#lowerBound(lower), Math.max(end, 0))
    return between.filter((entry) => entry.seqno < seqno).length
  }

  /** For cursors: where a key would be. */
  lowerBound(key: Uint8Array): number {
    return this.#lowerBound(key)
  }

  /** The index of the first entry whose key is above the key. */
  upperBound(key: Uint8Array): number {
    let index = this.#lowerBound(key)
    while (index < this.entries.length && compareBytes(this.entries[index]!.key, key) === 0) index++
    return index
  }
}

/** A place among the entries as they were at the last seek. */
export class ReferenceCursor {
  readonly #memtable: ReferenceMemtable
  #entries: readonly ReferenceEntry[] = []
  #index = 0

  constructor(memtable: ReferenceMemtable) {
    this.#memtable = memtable
  }

  seek(key: Uint8Array): ReferenceEntry | undefined {
    return this.#place(this.#memtable.lowerBound(key))
  }

  seekBefore(key: Uint8Array): ReferenceEntry | undefined {
    return this.#place(this.#memtable.lowerBound(key) - 1)
  }

  seekBehind(key: Uint8Array): ReferenceEntry | undefined {
    return this.#place(this.#memtable.upperBound(key))
  }

  seekUpto(key: Uint8Array): ReferenceEntry | undefined {
    return this.#place(this.#memtable.upperBound(key) - 1)
  }

  first(): ReferenceEntry | undefined {
    return this.#place(0)
  }

  last(): ReferenceEntry | undefined {
    return this.#place(this.#memtable.entries.length - 1)
  }

  next(): ReferenceEntry | undefined {
    this.#index = Math.min(this.#index + 1, this.#entries.length)
    return this.#entries[this.#index]
  }

  prev(): ReferenceEntry | undefined {
    this.#index = Math.max(this.#index - 1, -1)
    return this.#entries[this.#index]
  }

  #place(index: number): ReferenceEntry | undefined {
    this.#entries = this.#memtable.entries.slice()
    this.#index = index
    return this.#entries[index]
  }
}
