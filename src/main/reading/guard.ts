/**
 * One entry of a range read, looked at as far as its user likes. Main thread.
 */

/** What a guard stands on: a value at hand, or why there is none. */
export type GuardedValue = { readonly value: Buffer } | { readonly error: unknown }

/**
 * An entry whose value is handed out when it is asked for, and whose failure, of a merge operator say, comes out only
 * then: the iteration goes on behind it. Stays good after the iterator has ended.
 *
 * @example
 * ```ts
 * for (const guard of tree.guards({ gte: 'a' })) {
 *   const value = guard.valueIf((key) => key[0] === 0x61)
 *   if (value !== undefined) console.log(String(guard.key), value.length)
 * }
 * ```
 */
export class Guard {
  readonly #key: Buffer | undefined
  readonly #content: GuardedValue

  /** Not for users. Without a key, the entry could not be read at all. */
  constructor(key: Buffer | undefined, content: GuardedValue) {
    this.#key = key
    this.#content = content
  }

  /** The key; its value is not touched. @throws what kept the entry from being read */
  get key(): Buffer {
    if (this.#key === undefined) throw (this.#content as { readonly error: unknown }).error
    return this.#key
  }

  /** The value. @throws VARVE_MERGE_OPERATOR, and the codes of damage */
  value(): Buffer {
    if ('error' in this.#content) throw this.#content.error
    return this.#content.value
  }

  /** Bytes of the value. @throws as {@link value} */
  size(): number {
    return this.value().length
  }

  /** Key and value together. @throws as {@link value} */
  entry(): [Buffer, Buffer] {
    return [this.key, this.value()]
  }

  /** The value where `predicate` holds for the key, else undefined, and then it is not touched. @throws as {@link value} */
  valueIf(predicate: (key: Buffer) => boolean): Buffer | undefined {
    return predicate(this.key) ? this.value() : undefined
  }
}
