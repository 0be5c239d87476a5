/**
 * Walks a block cache that nobody changes at the moment, and says what is not as it should be: a second reading of the
 * structure, made from its layout alone.
 */
import {
  CACHE_BUCKET_BYTES,
  CACHE_BUCKET_COUNT,
  CACHE_BUCKETS,
  CACHE_EVICTIONS,
  CACHE_FILLS,
  CACHE_FREE_COUNT,
  CACHE_FREE_FIRST,
  CACHE_INSERTIONS,
  CACHE_LIMBO_FIRST,
  CACHE_LOCK,
  CACHE_MAIN_COUNT,
  CACHE_MAIN_FIRST,
  CACHE_MAIN_LAST,
  CACHE_MAIN_OPEN,
  CACHE_NEXT,
  CACHE_RECORD_BLOCK,
  CACHE_RECORD_BYTES,
  CACHE_RECORD_OFFSET,
  CACHE_RECORD_OWNER,
  CACHE_SEGMENT_BYTES,
  CACHE_SEGMENT_COUNT,
  CACHE_SEGMENTS,
  CACHE_SLOT_BYTES,
  CACHE_SMALL_COUNT,
  CACHE_SMALL_FIRST,
  CACHE_SMALL_LAST,
  CACHE_SMALL_OPEN,
  CACHE_USED_BYTES,
  CACHE_VIEWS,
  CACHE_VIEWS_MAX,
  VIEW_PINNED_COUNT,
  VIEW_PINS,
} from '../../src/shared/kernel/layout-cache.js'
import type { SharedMemory } from '../../src/shared/memory/shared-memory.js'

const USES_MASK = 7
const USES_MAX = 3

/** What the walk saw. */
export interface CacheAudit {
  /** What is wrong, in words. */
  readonly problems: string[]
  /** Blocks that slots lead to. */
  readonly blocks: number
  readonly freeSegments: number
  readonly limboSegments: number
}

class Walk {
  readonly problems: string[] = []
  blocks = 0
  readonly #shared: SharedMemory
  readonly #cache: number
  /** Where each segment is, by its number. */
  readonly places = new Map<number, string>()

  constructor(shared: SharedMemory, cache: number) {
    this.#shared = shared
    this.#cache = cache
  }

  get(field: number): number {
    return this.#shared.getU32(this.#cache + field)
  }

  number(field: number): number {
    return this.#shared.getI32(this.#cache + field)
  }

  /** A list of segments; at most as many as there are. */
  list(place: string, firstField: number): number[] {
    const found: number[] = []
    for (let at = this.number(firstField); at !== -1 && found.length <= 10_000; ) {
      found.push(at)
      this.place(at, place)
      at = this.#shared.getI32(this.get(CACHE_NEXT) + 4 * at)
    }
    return found
  }

  place(segment: number, place: string): void {
    const other = this.places.get(segment)
    if (other !== undefined) this.problems.push(`segment ${segment}: ${other}, and ${place}`)
    this.places.set(segment, place)
  }

  queue(place: string, fields: readonly [first: number, last: number, count: number]): void {
    const found = this.list(place, fields[0])
    const last = found.at(-1) ?? -1
    if (this.number(fields[1]) !== last) this.problems.push(`${place} ends elsewhere`)
    if (this.number(fields[2]) !== found.length) this.problems.push(`${place} is miscounted`)
  }

  /** Starts of the whole records of the segments that may be led to, with their bytes. */
  records(): Map<number, number> {
    const records = new Map<number, number>()
    const segmentBytes = this.get(CACHE_SEGMENT_BYTES)
    for (const [segment, place] of this.places) {
      if (place === 'free' || place === 'limbo') continue
      const fill = this.#shared.getU32(this.get(CACHE_FILLS) + 4 * segment)
      if (fill > segmentBytes) this.problems.push(`segment ${segment} is filled beyond its end`)
      let at = this.get(CACHE_SEGMENTS) + segment * segmentBytes
      const end = at + fill
      while (at < end) {
        const bytes = this.#shared.getU32(at + CACHE_RECORD_BYTES)
        if (bytes < CACHE_RECORD_BLOCK || bytes % 8 !== 0 || at + bytes > end) {
          this.problems.push(`segment ${segment} has a record of ${bytes} bytes`)
          break
        }
        records.set(at, bytes)
        at += bytes
      }
    }
    return records
  }

  slots(records: ReadonlyMap<number, number>): void {
    const names = new Set<string>()
    let usedBytes = 0
    const start = this.get(CACHE_BUCKETS)
    const end = start + this.get(CACHE_BUCKET_COUNT) * CACHE_BUCKET_BYTES
    for (let slot = start; slot < end; slot += CACHE_SLOT_BYTES) {
      const low = this.#shared.getU32(slot)
      if (low === 0 && this.#shared.getU32(slot + 4) === 0) continue
      this.blocks++
      const record = low - (low & USES_MASK) - CACHE_RECORD_BLOCK
      const bytes = records.get(record)
      if ((low & USES_MASK) > USES_MAX) this.problems.push('a slot was used too often')
      if (bytes === undefined) this.problems.push('a slot leads to no record')
      usedBytes += bytes ?? 0
      const owner = this.#shared.getU32(record + CACHE_RECORD_OWNER)
      const name = `${owner}/${this.#shared.getU64(record + CACHE_RECORD_OFFSET)}`
      if (names.has(name)) this.problems.push(`two slots lead to ${name}`)
      names.add(name)
    }
    const told = this.#shared.getU64(this.#cache + CACHE_USED_BYTES)
    if (told !== usedBytes) this.problems.push(`${told} bytes are told, ${usedBytes} are used`)
    const insertions = this.#shared.getU64(this.#cache + CACHE_INSERTIONS)
    const evictions = this.#shared.getU64(this.#cache + CACHE_EVICTIONS)
    if (insertions - evictions !== this.blocks) {
      this.problems.push(`${insertions} came, ${evictions} went, ${this.blocks} are there`)
    }
  }

  views(segmentCount: number): void {
    for (let i = 0; i < CACHE_VIEWS_MAX; i++) {
      const view = this.get(CACHE_VIEWS + 4 * i)
      if (view === 0) continue
      let pinned = 0
      for (let segment = 0; segment < segmentCount; segment++) {
        const pins = this.#shared.getU32(view + VIEW_PINS + 4 * segment)
        if (pins === 0) continue
        pinned++
        if (pins > 1e6) this.problems.push(`view ${i} pins segment ${segment} ${pins} times`)
        if (this.places.get(segment) === 'free') this.problems.push('a free segment is pinned')
      }
      if (this.#shared.getU32(view + VIEW_PINNED_COUNT) !== pinned) {
        this.problems.push(`the pinned segments of view ${i} are miscounted`)
      }
    }
  }
}

/** REQUIRES: nobody changes the cache or pins; its lock is free. */
export function auditCache(shared: SharedMemory, cache: number): CacheAudit {
  const walk = new Walk(shared, cache)
  if (walk.get(CACHE_LOCK) !== 0) walk.problems.push('the cache is locked')
  const free = walk.list('free', CACHE_FREE_FIRST)
  if (free.length !== walk.get(CACHE_FREE_COUNT)) walk.problems.push('free ones are miscounted')
  const limbo = walk.list('limbo', CACHE_LIMBO_FIRST)
  walk.queue('small', [CACHE_SMALL_FIRST, CACHE_SMALL_LAST, CACHE_SMALL_COUNT])
  walk.queue('main', [CACHE_MAIN_FIRST, CACHE_MAIN_LAST, CACHE_MAIN_COUNT])
  for (const field of [CACHE_SMALL_OPEN, CACHE_MAIN_OPEN]) {
    const open = walk.number(field)
    if (open !== -1) walk.place(open, 'open')
  }
  const segmentCount = walk.get(CACHE_SEGMENT_COUNT)
  const expected = Array.from({ length: segmentCount }, (_, i) => i)
  const seen = [...walk.places.keys()].sort((a, b) => a - b)
  if (seen.join() !== expected.join()) walk.problems.push(`segments ${seen} are all that is left`)
  walk.slots(walk.records())
  walk.views(segmentCount)
  const { problems, blocks } = walk
  return { problems, blocks, freeSegments: free.length, limboSegments: limbo.length }
}
