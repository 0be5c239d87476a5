/**
 * The steps of `kernel/assembly/block-cache.ts`, one for each access to a shared word, for a cache of a handful of segments
 * with room for one block each, and one bucket. All blocks have the same tag, so only their records tell them apart.
 *
 * What is changed by the holder of the lock alone (the lists of segments, their stamps) takes no steps of its own: nobody
 * else looks at it.
 */
import type { Model, Processor, Thread, Word } from '../../support/explorer/model.js'
import { advance, type EpochWords, havePassed } from './epoch-steps.js'

export type CacheMistake =
  | 'takes the tag for the block'
  | 'links a block before it is whole'
  | 'inserts without the lock'
  | 'counts a use by a store'
  | 'frees a segment as soon as it is emptied'
  | 'begins the epoch before the slots are given up'
  | 'asks for pins before the epochs'
  | 'asks for epochs alone'
  | 'pins after leaving'
  | 'the owner leaves the lock to the dead'
  | 'the owner frees at once what it clears'
  | 'the owner clears no slots'
  | 'the owner leaves the pins of the dead'
  | 'the owner frees a view without the lock'

/** A slot's word: 0, or the segment plus one, and whether it was used. */
const SEGMENT_MASK = 15
const USED = 16

/** What the pins of a view that was freed are. */
export const FREED = 99

/** Where a segment is. */
export const FREE = 0
export const OPEN = 1
export const QUEUED = 2
export const LIMBO = 3
/** In the hands of the thread that holds the lock. */
const TAKEN = 4

const NONE = 15

export class CacheWords {
  readonly lock: Word
  readonly slots: Word
  /** Of the record in each segment: what it says it is, and its bytes. */
  readonly recordIds: Word
  readonly recordBytes: Word
  /** VIEW_PINS of each view, and CACHE_VIEWS. */
  readonly pins: Word
  readonly views: Word
  // Under the lock.
  readonly places: Word
  readonly stamps: Word
  readonly isFilled: Word
  /** The order in which queued segments came: the lower, the older. */
  readonly ages: Word

  constructor(
    model: Model,
    readonly epochs: EpochWords,
    readonly segmentCount: number,
    readonly slotCount: number,
    readonly viewCount: number,
    readonly reserve: number,
  ) {
    this.lock = model.word('CACHE_LOCK')
    this.slots = model.words('SLOT', slotCount)
    this.recordIds = model.words('RECORD_OFFSET', segmentCount)
    this.recordBytes = model.words('RECORD_BLOCK', segmentCount)
    this.pins = model.words('VIEW_PINS', viewCount * segmentCount)
    this.views = model.words('CACHE_VIEWS', viewCount, 1)
    this.places = model.words('place of segment', segmentCount, FREE)
    this.stamps = model.words('CACHE_STAMPS', segmentCount)
    this.isFilled = model.words('CACHE_FILLS', segmentCount)
    this.ages = model.words('age of segment', segmentCount)
    model.invariant('a slot leads to a whole record in a segment that is open or queued', (at) => {
      if (at(this.lock) !== 0) return true
      for (let slot = 0; slot < slotCount; slot++) {
        const word = at(this.slots + slot)
        if (word === 0) continue
        const segment = (word & SEGMENT_MASK) - 1
        const place = at(this.places + segment)
        if (place !== OPEN && place !== QUEUED) return false
        if (at(this.recordIds + segment) !== at(this.recordBytes + segment)) return false
      }
      return true
    })
    model.invariant('no segment is lost, and one at most is open', (at) => {
      if (at(this.lock) !== 0) return true
      let open = 0
      for (let i = 0; i < segmentCount; i++) {
        if (at(this.places + i) === TAKEN) return false
        if (at(this.places + i) === OPEN) open++
      }
      return open <= 1
    })
  }

  /** As a block that was inserted some time ago, into a segment that is open or queued. */
  begin(model: Model, segment: number, slot: number, block: number, place: number): void {
    model.initial[this.slots + slot] = segment + 1
    model.initial[this.recordIds + segment] = block
    model.initial[this.recordBytes + segment] = block
    model.initial[this.places + segment] = place
    model.initial[this.isFilled + segment] = 1
  }

  count(p: Processor, place: number): number {
    let count = 0
    for (let i = 0; i < this.segmentCount; i++) if (p.get(this.places + i) === place) count++
    return count
  }

  /** The oldest segment in a place, or NONE. */
  first(p: Processor, place: number): number {
    let first = NONE
    for (let i = 0; i < this.segmentCount; i++) {
      if (p.get(this.places + i) !== place) continue
      if (first === NONE || p.get(this.ages + i) < p.get(this.ages + first)) first = i
    }
    return first
  }

  /** To the end of the queue; ages stay small. */
  push(p: Processor, segment: number): void {
    const queued: number[] = []
    for (;;) {
      const first = this.first(p, QUEUED)
      if (first === NONE) break
      queued.push(first)
      p.set(this.places + first, TAKEN)
    }
    for (const [age, number] of [...queued, segment].entries()) {
      p.set(this.places + number, QUEUED)
      p.set(this.ages + number, age)
    }
  }

  /** `open_free`. */
  openFree(p: Processor): number {
    const open = this.first(p, OPEN)
    const free = this.first(p, FREE)
    if (open !== NONE) this.push(p, open)
    p.set(this.places + free, OPEN)
    p.set(this.isFilled + free, 0)
    return free
  }
}

/** `look_up`: the segment plus one into a local, 0 for none. */
export function lookUp(
  thread: Thread,
  cache: CacheWords,
  block: (p: Processor) => number,
  into: Word,
  isUse: boolean,
  mistake: string,
): void {
  const word = thread.local(`word ${thread.steps.length}`)
  const isDone = thread.freshLabel('looked up')
  for (let slot = 0; slot < cache.slotCount; slot++) {
    const next = thread.freshLabel('next slot')
    thread.step(`look_up: load slot ${slot}`, (p) => {
      p.set(word, p.load(cache.slots + slot))
      if (p.get(word) === 0) return next
    })
    if (mistake !== 'takes the tag for the block') {
      thread.step('look_up: the record', (p) => {
        const segment = (p.get(word) & SEGMENT_MASK) - 1
        if (p.read(cache.recordIds + segment) === block(p)) return
        p.set(word, 0)
        return next
      })
    }
    thread.step('look_up: it is used', (p) => {
      const seen = p.get(word)
      p.set(into, seen & SEGMENT_MASK)
      p.set(word, 0)
      if (!isUse || (seen & USED) !== 0) return isDone
      if (mistake === 'counts a use by a store') p.store(cache.slots + slot, seen | USED)
      else p.change(cache.slots + slot, (old) => (old === seen ? seen | USED : old))
      return isDone
    })
    thread.label(next)
  }
  thread.step('look_up: nothing', (p) => p.set(into, 0))
  thread.label(isDone)
}

/** `is_pinned`: goes on where no view pins the segment, and to `otherwise` where one does. */
function isPinned(
  thread: Thread,
  cache: CacheWords,
  segment: (p: Processor) => number,
  otherwise: string,
): void {
  for (let view = 0; view < cache.viewCount; view++) {
    const next = thread.freshLabel('next view')
    thread.step(`is_pinned: load view ${view}`, (p) => {
      if (p.load(cache.views + view) === 0) return next
    })
    thread.step(`is_pinned: load the pins of view ${view}`, (p) => {
      const pins = p.load(cache.pins + view * cache.segmentCount + segment(p))
      if (pins === FREED) p.fail('pins of a view that is gone are read')
      if (pins > 0) return otherwise
    })
    thread.label(next)
  }
}

/** `reclaim`; how many wait for epochs into a local. */
export function reclaim(thread: Thread, cache: CacheWords, waiting: Word, mistake: string): void {
  for (let segment = 0; segment < cache.segmentCount; segment++) {
    const next = thread.freshLabel('next segment')
    const waits = thread.freshLabel('waits')
    const free = thread.freshLabel('free')
    thread.step(`reclaim: is segment ${segment} in limbo`, (p) => {
      if (segment === 0) p.set(waiting, 0)
      if (p.get(cache.places + segment) !== LIMBO) return next
    })
    if (mistake === 'asks for pins before the epochs') isPinned(thread, cache, () => segment, next)
    havePassed(thread, cache.epochs, (p) => p.get(cache.stamps + segment), waits)
    if (mistake !== 'asks for pins before the epochs' && mistake !== 'asks for epochs alone') {
      isPinned(thread, cache, () => segment, next)
    }
    thread.step('reclaim: give_free', (p) => {
      p.set(cache.places + segment, FREE)
      p.set(cache.stamps + segment, 0)
      return next
    })
    thread.label(waits)
    thread.step('reclaim: one more waits', (p) => p.set(waiting, p.get(waiting) + 1))
    thread.label(free)
    thread.label(next)
  }
  thread.step('reclaim: done', () => undefined)
}

/** `give_limbo`. */
function giveLimbo(
  thread: Thread,
  cache: CacheWords,
  segment: (p: Processor) => number,
  stamp: Word,
): void {
  advance(thread, cache.epochs, stamp)
  thread.step('give_limbo: link', (p) => {
    p.set(cache.stamps + segment(p), p.get(stamp))
    p.set(cache.places + segment(p), LIMBO)
    p.set(cache.ages + segment(p), 0)
    p.set(stamp, 0)
  })
}

/** `evict_segment`: to `otherwise` where all of them are pinned. */
function evictSegment(thread: Thread, cache: CacheWords, otherwise: string, mistake: string): void {
  const victim = thread.local('victim')
  const left = thread.local('left')
  const slot = thread.local('slot')
  const target = thread.local('target')
  const stamp = thread.local('stamp')
  const begins = thread.freshLabel('begins')
  const pinned = thread.freshLabel('pinned')
  const limbo = thread.freshLabel('limbo')
  const found = thread.freshLabel('found')
  const keeps = thread.freshLabel('keeps')
  const none = thread.freshLabel('none')
  thread.step('evict_segment', (p) => p.set(left, cache.count(p, QUEUED)))
  thread.label(begins)
  thread.step('shift, or take the open one', (p) => {
    const segment = p.get(left) > 0 ? cache.first(p, QUEUED) : cache.first(p, OPEN)
    if (segment === NONE) return none
    p.set(victim, segment)
  })
  isPinned(thread, cache, (p) => p.get(victim), pinned)
  thread.step('take it', (p) => {
    p.set(cache.places + p.get(victim), TAKEN)
    p.set(left, 0)
  })
  // `empty_segment`: its one record.
  if (mistake === 'begins the epoch before the slots are given up') {
    advance(thread, cache.epochs, stamp)
  }
  for (let i = 0; i < cache.slotCount; i++) {
    thread.step(`slot_of: load slot ${i}`, (p) => {
      if ((p.load(cache.slots + i) & SEGMENT_MASK) !== p.get(victim) + 1) return
      p.set(slot, i)
      return found
    })
  }
  thread.step('slot_of: nothing', () => limbo)
  thread.label(found)
  thread.step('empty_segment: was it used', (p) => {
    const isUsed = (p.load(cache.slots + p.get(slot)) & USED) !== 0
    // `append_kept`: a segment has room for one.
    if (isUsed && cache.count(p, FREE) > 0) {
      p.set(target, cache.openFree(p))
      p.set(cache.isFilled + p.get(target), 1)
      return keeps
    }
  })
  thread.step('empty_segment: give up the slot', (p) => {
    p.store(cache.slots + p.get(slot), 0)
    return limbo
  })
  thread.label(keeps)
  thread.step('empty_segment: copy the block', (p) => {
    p.set(cache.recordIds + p.get(target), p.get(cache.recordIds + p.get(victim)))
    p.write(cache.recordBytes + p.get(target), p.get(cache.recordBytes + p.get(victim)))
  })
  thread.step('empty_segment: replace the slot', (p) => {
    p.store(cache.slots + p.get(slot), p.get(target) + 1)
    p.set(target, 0)
  })
  thread.label(limbo)
  thread.step('empty_segment: done', (p) => {
    p.set(slot, 0)
    p.set(cache.isFilled + p.get(victim), 0)
    if (mistake !== 'frees a segment as soon as it is emptied') return
    p.set(cache.places + p.get(victim), FREE)
    p.set(victim, 0)
    return thread.name
  })
  if (mistake === 'begins the epoch before the slots are given up') {
    thread.step('give_limbo: link', (p) => {
      p.set(cache.stamps + p.get(victim), p.get(stamp))
      p.set(cache.places + p.get(victim), LIMBO)
      p.set(cache.ages + p.get(victim), 0)
      p.set(stamp, 0)
    })
  } else {
    giveLimbo(thread, cache, (p) => p.get(victim), stamp)
  }
  thread.step('evict_segment: true', (p) => {
    p.set(victim, 0)
    return thread.name
  })
  thread.label(pinned)
  thread.step('it is pinned', (p) => {
    const segment = p.get(victim)
    p.set(victim, 0)
    if (p.get(left) === 0) return none
    cache.push(p, segment)
    p.set(left, p.get(left) - 1)
    return begins
  })
  thread.label(none)
  thread.step('evict_segment: false', (p) => {
    p.set(left, 0)
    return otherwise
  })
  thread.label(thread.name)
}

/** `cache_insert`; the segment plus one into a local, 0 where the cache does not take it. Once in a thread. */
export function insert(
  thread: Thread,
  cache: CacheWords,
  holder: number,
  block: (p: Processor) => number,
  into: Word,
  mistake: string,
): void {
  const rounds = thread.local('rounds of open_segment')
  const waiting = thread.local('waiting')
  const record = thread.local('record')
  const goes = thread.freshLabel('inserted')
  const again = thread.freshLabel('open_segment')
  const unlock = thread.freshLabel('unlock')
  const room = thread.freshLabel('room')
  if (mistake !== 'inserts without the lock') {
    thread.step('lock: cmpxchg', (p) => {
      p.set(into, 0)
      if (p.change(cache.lock, (old) => (old === 0 ? holder + 1 : old)) !== 0) return goes
    })
  }
  lookUp(thread, cache, block, into, false, mistake)
  thread.step('insert: append', (p) => {
    if (p.get(into) !== 0) return unlock
    p.set(rounds, 0)
    const open = cache.first(p, OPEN)
    if (open === NONE || p.get(cache.isFilled + open) === 1) return
    p.set(record, open)
    return room
  })
  thread.label(again)
  reclaim(thread, cache, waiting, mistake)
  thread.step('open_segment: is one free', (p) => {
    const free = cache.count(p, FREE)
    const enough = free + p.get(waiting) > cache.reserve
    p.set(waiting, 0)
    p.set(rounds, p.get(rounds) + 1)
    if (free > 0 && enough) {
      p.set(record, cache.openFree(p))
      return room
    }
    if (free === 0 || p.get(rounds) > cache.segmentCount + 1) return unlock
  })
  evictSegment(thread, cache, unlock, mistake)
  thread.step('open_segment: once more', () => again)
  thread.label(room)
  const link = (): void => {
    for (let i = 0; i < cache.slotCount; i++) {
      const isLast = i === cache.slotCount - 1
      const next = thread.freshLabel('next slot')
      const linked = `${thread.name} linked`
      thread.step(`free_slot: load slot ${i}`, (p) => {
        const word = p.load(cache.slots + i)
        // The last one is the victim of a full bucket here.
        if (word !== 0 && !isLast) return next
      })
      thread.step(`insert: store slot ${i}`, (p) => {
        p.store(cache.slots + i, p.get(record) + 1)
        if (!isLast) return linked
      })
      thread.label(next)
    }
    thread.label(`${thread.name} linked`)
  }
  if (mistake === 'links a block before it is whole') link()
  thread.step('insert: offset and owner', (p) => {
    p.set(cache.isFilled + p.get(record), 1)
    p.write(cache.recordIds + p.get(record), block(p))
  })
  thread.step('insert: the block', (p) => p.write(cache.recordBytes + p.get(record), block(p)))
  if (mistake !== 'links a block before it is whole') link()
  thread.step('insert: done', (p) => p.set(into, p.get(record) + 1))
  thread.label(unlock)
  thread.step('cache_insert: unlock', (p) => {
    p.set(rounds, 0)
    p.set(record, 0)
    if (mistake !== 'inserts without the lock') p.store(cache.lock, 0)
  })
  thread.label(goes)
}

/** `cache_clear`, by the holder of the lock. */
export function clear(thread: Thread, cache: CacheWords, mistake: string): void {
  const stamp = thread.local('stamp of what is cleared')
  if (mistake !== 'the owner clears no slots') {
    for (let slot = 0; slot < cache.slotCount; slot++) {
      thread.step(`cache_clear: slot ${slot}`, (p) => p.store(cache.slots + slot, 0))
    }
  }
  for (let segment = 0; segment < cache.segmentCount; segment++) {
    thread.step(`cache_clear: take segment ${segment}`, (p) => {
      p.set(cache.isFilled + segment, 0)
      p.set(cache.ages + segment, 0)
      p.set(
        cache.places + segment,
        mistake === 'the owner frees at once what it clears' ? FREE : TAKEN,
      )
    })
    if (mistake !== 'the owner frees at once what it clears') {
      giveLimbo(thread, cache, () => segment, stamp)
    }
  }
}
