/** What a tree shows at a seqno, by a plain model over all entries and range tombstones of all its tables. */

import { type Comparator, check, equalBytes, toHex } from './bytes.js'
import { KIND_INDIRECTION, KIND_MERGE, KIND_VALUE } from './restart-block.js'
import type { RangeTombstone } from './side-sections.js'

/** An entry with the global seqno of its table applied. */
export interface ModelEntry {
  readonly key: Uint8Array
  readonly seqno: bigint
  readonly kind: number
  /** Of an indirection, the value it points at. */
  readonly value: Uint8Array
  /** Orders the places a point read asks: within one key, newer versions have to be in lower ranks. */
  readonly rank: number
}

/** Folds operands, oldest first, over the base, which is undefined where there is none. */
export type MergeOperator = (
  key: Uint8Array,
  base: Uint8Array | undefined,
  operands: readonly Uint8Array[],
) => Uint8Array

export type Pair = readonly [key: Uint8Array, value: Uint8Array]

export class Model {
  /** Keys ascending, the versions of a key newest first. */
  readonly entries: readonly ModelEntry[]
  readonly rangeTombstones: readonly RangeTombstone[]
  readonly #compare: Comparator
  readonly #merge: MergeOperator | undefined

  constructor(
    entries: readonly ModelEntry[],
    rangeTombstones: readonly RangeTombstone[],
    compare: Comparator,
    merge: MergeOperator | undefined,
  ) {
    this.#compare = compare
    this.#merge = merge
    this.rangeTombstones = rangeTombstones
    this.entries = [...entries].sort((a, b) => {
      return compare(a.key, b.key) || (a.seqno < b.seqno ? 1 : a.seqno > b.seqno ? -1 : 0)
    })
    this.#checkVersions()
  }

  /** The visible pairs, keys ascending: what a read at `seqno` sees of versions strictly below it. */
  visible(seqno: bigint): Pair[] {
    const pairs: Pair[] = []
    for (let i = 0; i < this.entries.length; ) {
      const { key } = this.entries[i]!
      const versions: ModelEntry[] = []
      while (i < this.entries.length && equalBytes(this.entries[i]!.key, key)) {
        versions.push(this.entries[i++]!)
      }
      const value = this.#resolve(key, versions, seqno)
      if (value !== undefined) pairs.push([key, value])
    }
    return pairs
  }

  /** The value of one key at `seqno`. */
  get(key: Uint8Array, seqno: bigint): Uint8Array | undefined {
    const versions = this.entries.filter((entry) => equalBytes(entry.key, key))
    return this.#resolve(key, versions, seqno)
  }

  #resolve(
    key: Uint8Array,
    versions: readonly ModelEntry[],
    seqno: bigint,
  ): Uint8Array | undefined {
    const deletedBelow = this.#deletedBelow(key, seqno)
    const live = versions.filter((entry) => entry.seqno < seqno && entry.seqno >= deletedBelow)
    const operands: Uint8Array[] = []
    let base: ModelEntry | undefined
    for (const entry of live) {
      if (entry.kind !== KIND_MERGE) {
        if (entry.kind === KIND_VALUE || entry.kind === KIND_INDIRECTION) base = entry
        break
      }
      operands.push(entry.value)
    }
    if (operands.length === 0) return base?.value
    // An operand over a separated value cannot be resolved and is answered as it stands, as it is without operator.
    if (this.#merge === undefined || base?.kind === KIND_INDIRECTION) return operands[0]
    return this.#merge(key, base?.value, operands.reverse())
  }

  /** The highest visible range tombstone over the key: it hides every lower seqno. */
  #deletedBelow(key: Uint8Array, seqno: bigint): bigint {
    let highest = 0n
    for (const tombstone of this.rangeTombstones) {
      if (tombstone.seqno >= seqno || tombstone.seqno <= highest) continue
      if (this.#compare(tombstone.start, key) > 0) continue
      if (this.#compare(key, tombstone.end) < 0) highest = tombstone.seqno
    }
    return highest
  }

  #checkVersions(): void {
    for (let i = 1; i < this.entries.length; i++) {
      const [newer, older] = [this.entries[i - 1]!, this.entries[i]!]
      if (!equalBytes(newer.key, older.key)) continue
      const where = `key ${toHex(older.key)}`
      check(newer.seqno > older.seqno, where, `two versions at ${older.seqno}`)
      const ranked = newer.rank <= older.rank
      check(ranked, where, `version ${newer.seqno} lies below the older ${older.seqno}`)
    }
  }
}
