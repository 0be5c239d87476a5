/**
 * What a tree should answer: a sorted map of every version of every key (semantics.md 2, 3, 5-7). The oracle of the
 * model tests; simple enough to be read and believed.
 *
 * I1: the versions of a key ascend by seqno; among equal seqnos the one written last stands last, and wins.
 */

/** The order of keys. */
export type CompareBuffers = (a: Buffer, b: Buffer) => number

/** A key and a value as `tree.range` yields them. */
export type Entry = readonly [key: Buffer, value: Buffer]

/** How a write is made where its value does not tell: a weak delete, or an operand to be appended. */
export type WriteForm = 'weak' | 'merge'

/** One version; a value of undefined is a delete. */
interface KeyVersion {
  seqno: number
  readonly value: Buffer | undefined
  readonly form?: WriteForm | undefined
}

/** One write of a batch. */
export interface ModelWrite {
  readonly key: Buffer
  readonly value: Buffer | undefined
  readonly form?: WriteForm
}

/** A range delete: everything older from `start` up to, not including, `end`. */
export interface ModelRangeDelete {
  readonly start: Buffer
  readonly end: Buffer
}

interface RangeVersion extends ModelRangeDelete {
  readonly seqno: number
}

/** Bounds and shape of a range read. */
export interface ModelRange {
  readonly gt?: Buffer
  readonly gte?: Buffer
  readonly lt?: Buffer
  readonly lte?: Buffer
  readonly reverse?: boolean
  readonly limit?: number
}

const nameOf = (key: Uint8Array): string => Buffer.from(key).toString('latin1')

/** True where `key` lies inside the bounds. */
export function isInside(
  key: Buffer,
  { gt, gte, lt, lte }: ModelRange,
  compare: CompareBuffers = Buffer.compare,
): boolean {
  if (gt !== undefined && compare(key, gt) <= 0) return false
  if (gte !== undefined && compare(key, gte) < 0) return false
  if (lt !== undefined && compare(key, lt) >= 0) return false
  return lte === undefined || compare(key, lte) <= 0
}

export class Model {
  readonly #versions = new Map<string, KeyVersion[]>()
  #ranges: RangeVersion[] = []
  /** Keys that were ever written, ascending. */
  #keys: Buffer[] = []
  #isSorted = true
  readonly #compare: CompareBuffers

  constructor(compare: CompareBuffers = Buffer.compare) {
    this.#compare = compare
  }

  write(seqno: number, writes: readonly ModelWrite[]): void {
    for (const { key, value, form } of writes) this.#put(nameOf(key), { seqno, value, form }, key)
  }

  removeRange(seqno: number, { start, end }: ModelRangeDelete): void {
    if (this.#compare(start, end) < 0) this.#ranges.push({ start, end, seqno })
  }

  /** True where the last write of the key is a value that no range delete hides, published or not. */
  isLive(key: Buffer): boolean {
    const newest = (this.#versions.get(nameOf(key)) ?? []).at(-1)
    if (newest?.value === undefined) return false
    return this.coverOf(key, Number.POSITIVE_INFINITY) <= newest.seqno
  }

  /** Everything written so far is gone for reads above `seqno`. */
  clear(seqno: number): void {
    this.#ranges = this.#ranges.filter((range) => range.seqno <= seqno)
    for (const [name, versions] of this.#versions) {
      // A write that was never published goes for every reader.
      const kept = versions.filter((version) => version.seqno <= seqno)
      this.#versions.set(name, kept)
      if (kept.at(-1)?.value !== undefined) kept.push({ seqno, value: undefined })
    }
  }

  get(key: Buffer, seqno: number): Buffer | undefined {
    const hidden = this.coverOf(key, seqno)
    const visible = (this.#versions.get(nameOf(key)) ?? []).filter(
      (version) => version.seqno < seqno && version.seqno >= hidden,
    )
    const operands: Buffer[] = []
    for (const { value, form } of visible.reverse()) {
      if (form === 'merge') operands.unshift(value as Buffer)
      else if (value === undefined) break
      else return operands.length === 0 ? value : Buffer.concat([value, ...operands])
    }
    return operands.length === 0 ? undefined : Buffer.concat(operands)
  }

  range(range: ModelRange, seqno: number): Entry[] {
    if (!this.#isSorted) this.#keys.sort(this.#compare)
    this.#isSorted = true
    const entries: Entry[] = []
    for (const key of this.#keys) {
      if (!isInside(key, range, this.#compare)) continue
      const value = this.get(key, seqno)
      if (value !== undefined) entries.push([key, value])
    }
    if (range.reverse === true) entries.reverse()
    return entries.slice(0, range.limit)
  }

  prefix(prefix: Buffer, range: ModelRange, seqno: number): Entry[] {
    const { limit, ...rest } = range
    const inside = this.range(rest, seqno).filter(([key]) =>
      key.subarray(0, prefix.length).equals(prefix),
    )
    return inside.slice(0, limit)
  }

  /**
   * The tree was closed and opened again, and its counter starts at `seqno`: what is newer can only be deletes that no
   * table holds any more.
   */
  reopen(seqno: number): void {
    this.#ranges = this.#ranges.map((one) => ({ ...one, seqno: Math.min(one.seqno, seqno - 1) }))
    for (const versions of this.#versions.values()) {
      for (const version of versions) version.seqno = Math.min(version.seqno, seqno - 1)
    }
  }

  /** What was written at or above `seqno` is lost. */
  drop(seqno: number): void {
    this.#ranges = this.#ranges.filter((range) => range.seqno < seqno)
    for (const [name, versions] of this.#versions) {
      this.#versions.set(
        name,
        versions.filter((version) => version.seqno < seqno),
      )
    }
  }

  /** The highest seqno below `seqno` of a range delete over the key; -1 for none. */
  coverOf(key: Buffer, seqno: number): number {
    let highest = -1
    for (const range of this.#ranges) {
      if (range.seqno >= seqno || range.seqno <= highest) continue
      if (this.#compare(range.start, key) > 0 || this.#compare(key, range.end) >= 0) continue
      highest = range.seqno
    }
    return highest
  }

  #put(name: string, version: KeyVersion, key: Buffer): void {
    let versions = this.#versions.get(name)
    if (versions === undefined) {
      versions = []
      this.#versions.set(name, versions)
      this.#keys.push(key)
      this.#isSorted = false
    }
    let place = versions.length
    while (place > 0 && (versions[place - 1] as KeyVersion).seqno > version.seqno) place--
    versions.splice(place, 0, version)
  }
}
