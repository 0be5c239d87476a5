/**
 * Random writes of every kind that a log knows, and what they come to: a map of keys with merges as concatenation. The
 * oracle of the log's tests: after each write it knows the whole state, so that what a crash leaves can be told to be the
 * state behind the nth write, or none.
 */
import { createHash } from 'node:crypto'
import { WriteBatch } from '../../src/main/index.js'
import type { Durability, LoggedTree, LoggedTreeView } from '../../src/main/wal/index.js'
import type { Random } from './random.js'

export type LoggedWrite =
  | { readonly kind: 'insert' | 'merge'; readonly key: string; readonly value: string }
  | { readonly kind: 'remove' | 'removeWeak'; readonly key: string }
  | { readonly kind: 'removeRange'; readonly start: string; readonly end: string }
  | { readonly kind: 'removePrefix'; readonly prefix: string }
  | { readonly kind: 'clear' }
  | { readonly kind: 'batch'; readonly writes: readonly LoggedWrite[] }

/** Sends a write to the log. */
export function logWrite(
  db: LoggedTree,
  write: LoggedWrite,
  durability?: Durability,
): Promise<number> {
  const options = durability === undefined ? {} : { durability }
  switch (write.kind) {
    case 'insert':
      return db.insert(write.key, write.value, options)
    case 'merge':
      return db.merge(write.key, write.value, options)
    case 'remove':
      return db.remove(write.key, options)
    case 'removeWeak':
      return db.removeWeak(write.key, options)
    case 'removeRange':
      return db.removeRange(write.start, write.end, options)
    case 'removePrefix':
      return db.removePrefix(write.prefix, options)
    case 'clear':
      return db.clear()
    default:
      return db.apply(batchOf(write.writes), options)
  }
}

export function batchOf(writes: readonly LoggedWrite[]): WriteBatch {
  const batch = new WriteBatch()
  for (const write of writes) {
    if (write.kind === 'insert') batch.insert(write.key, write.value)
    else if (write.kind === 'merge') batch.merge(write.key, write.value)
    else if (write.kind === 'remove') batch.remove(write.key)
  }
  return batch
}

/** Everything a tree holds, in short. */
export function stateOf(tree: LoggedTreeView): string {
  return digest([...tree.range()].map(([key, value]) => `${key}=${value}`))
}

function digest(lines: readonly string[]): string {
  return createHash('sha1').update(lines.join('\n')).digest('base64')
}

const KEYS = 12
const keyOf = (i: number): string => `k${String(i).padStart(2, '0')}`

/** What the writes so far come to; the state behind every write is kept. */
export class LoggedModel {
  readonly writes: LoggedWrite[] = []
  readonly #states: string[] = [digest([])]
  #map = new Map<string, string>()

  /** A random next write, taken into account. */
  next(random: Random, options: { readonly clear?: boolean } = {}): LoggedWrite {
    const write = this.#make(random, options.clear ?? true)
    this.take(write)
    return write
  }

  take(write: LoggedWrite): void {
    this.writes.push(write)
    this.#apply(write)
    const lines = [...this.#map].sort(([left], [right]) => (left < right ? -1 : 1))
    this.#states.push(digest(lines.map(([key, value]) => `${key}=${value}`)))
  }

  /** Forgets all writes behind the first `count`: a crash lost them. */
  rewind(count: number): void {
    const kept = this.writes.slice(0, count)
    this.writes.length = 0
    this.#states.length = 1
    this.#map = new Map()
    for (const write of kept) this.take(write)
  }

  /** After how many writes, from `least` to `most`, the state was `state`; the largest such number, or undefined. */
  countOf(state: string, least: number, most = this.writes.length): number | undefined {
    const count = this.#states.lastIndexOf(state, most)
    return count >= least ? count : undefined
  }

  stateAfter(count: number): string {
    return this.#states[count] as string
  }

  #make(random: Random, mayClear: boolean): LoggedWrite {
    const key = keyOf(random.below(KEYS))
    const value = `${this.writes.length}${'.'.repeat(random.below(40))};`
    const dice = random.below(100)
    if (dice < 22) return { kind: 'insert', key, value }
    // Most of them merges: they alone tell once from twice.
    if (dice < 62) return { kind: 'merge', key: `m${key}`, value }
    if (dice < 70) return { kind: 'remove', key: random.chance(0.5) ? key : `m${key}` }
    if (dice < 80) {
      const weak = this.#pickWeak(random)
      return weak !== undefined
        ? { kind: 'removeWeak', key: weak }
        : { kind: 'insert', key: `w${this.writes.length}`, value }
    }
    if (dice < 85) {
      const from = random.below(KEYS)
      return {
        kind: 'removeRange',
        start: `mk${String(from).padStart(2, '0')}`,
        end: `mk${String(from + 3).padStart(2, '0')}`,
      }
    }
    if (dice < 88) return { kind: 'removePrefix', prefix: `mk0${random.below(10)}` }
    if (dice < 89 && mayClear) return { kind: 'clear' }
    const writes: LoggedWrite[] = []
    for (let i = 0; i < KEYS; i += 1 + random.below(6)) {
      const batchKey = random.chance(0.5) ? `m${keyOf(i)}` : keyOf(i)
      if (random.chance(0.2)) writes.push({ kind: 'remove', key: batchKey })
      else if (batchKey.startsWith('m')) writes.push({ kind: 'merge', key: batchKey, value })
      else writes.push({ kind: 'insert', key: batchKey, value })
    }
    return { kind: 'batch', writes }
  }

  /** A key that was inserted once and never deleted: what a weak delete may take. */
  #pickWeak(random: Random): string | undefined {
    const weak = [...this.#map.keys()].filter((key) => key.startsWith('w'))
    return random.chance(0.5) && weak.length > 0 ? random.pick(weak) : undefined
  }

  #apply(write: LoggedWrite): void {
    switch (write.kind) {
      case 'insert':
        this.#map.set(write.key, write.value)
        break
      case 'merge':
        this.#map.set(write.key, (this.#map.get(write.key) ?? '') + write.value)
        break
      case 'remove':
      case 'removeWeak':
        this.#delete((key) => key === write.key)
        break
      case 'removeRange':
        this.#delete((key) => key >= write.start && key < write.end)
        break
      case 'removePrefix':
        this.#delete((key) => key.startsWith(write.prefix))
        break
      case 'clear':
        this.#delete(() => true)
        break
      default:
        for (const part of write.writes) this.#apply(part)
    }
  }

  #delete(isMeant: (key: string) => boolean): void {
    for (const key of [...this.#map.keys()]) if (isMeant(key)) this.#map.delete(key)
  }
}
