/**
 * A thread that uses a block cache as reads do, at random: finds, inserts, pins, checks every byte of what it sees. What
 * a block holds follows from its name, so any thread can tell.
 */
import { CacheView } from '../../src/shared/memory/cache-view.js'
import { EpochSlot } from '../../src/shared/memory/epochs.js'
import { SharedMemory } from '../../src/shared/memory/shared-memory.js'
import { Random } from './random.js'

export const HAMMER_BLOCK_BYTES_MAX = 6000

const PINS_MAX = 6

export interface HammerData {
  readonly memory: WebAssembly.Memory
  readonly epochs: number
  readonly slot: number
  readonly view: number
  /** HAMMER_BLOCK_BYTES_MAX bytes of the thread's own. */
  readonly source: number
  readonly seed: number
  /** Blocks that there are names for. */
  readonly names: number
  /** Never more than so many bytes in a block. */
  readonly bytesMax: number
  /** The thread stands still for good after so many atomic accesses while it held the lock; 0: never. */
  readonly standsAfter: number
  /** u32 words, one for each slot: 1 asks its thread to come to an end. */
  readonly stops: SharedArrayBuffer
}

export interface HammerReport {
  readonly operations: number
  readonly found: number
  readonly inserted: number
  /** What the cache did not take. */
  readonly refused: number
  readonly pinned: number
  readonly problems: readonly string[]
}

interface Block {
  readonly owner: number
  readonly offset: number
  readonly words: number
}

export function hammerBlock(name: number, bytesMax: number): Block {
  const mixed = Math.imul(name + 1, 0x9e37_79b1) >>> 0
  const words = 2 + ((mixed >>> 7) % (bytesMax / 4 - 2))
  return { owner: 1 + (name % 5), offset: name * 4096, words }
}

/** The word at `index` of a block. */
function wordAt({ owner, offset }: Block, index: number): number {
  return Math.imul(offset + owner * 7919 + index, 0x85eb_ca6b) >>> 0
}

/** Writes a block to `address`. */
export function fillHammerBlock(words: Uint32Array, address: number, block: Block): void {
  for (let i = 0; i < block.words; i++) words[(address >>> 2) + i] = wordAt(block, i)
}

export function isHammerBlock(words: Uint32Array, address: number, block: Block): boolean {
  for (let i = 0; i < block.words; i++) {
    if (words[(address >>> 2) + i] !== wordAt(block, i)) return false
  }
  return true
}

/** The same over a view of its own, in any thread. */
export class Hammer {
  operations = 0
  found = 0
  inserted = 0
  refused = 0
  pinned = 0
  readonly problems: string[] = []
  readonly #shared: SharedMemory
  readonly #slot: EpochSlot
  readonly #view: CacheView
  readonly #random: Random
  readonly #data: HammerData
  readonly #pins: { readonly at: number; readonly block: Block }[] = []

  constructor(data: HammerData, shared?: SharedMemory) {
    this.#data = data
    this.#shared = shared ?? new SharedMemory(data.memory)
    this.#slot = new EpochSlot(this.#shared, data.epochs, data.slot)
    this.#view = new CacheView(this.#shared, data.view)
    this.#random = new Random(data.seed)
  }

  /** A few reads in one epoch, as a read of several tables makes them. */
  step(): void {
    this.#slot.enter()
    const seen: { at: number; block: Block }[] = []
    const count = 1 + this.#random.below(4)
    for (let i = 0; i < count; i++) this.#use(seen)
    for (const { at, block } of seen) this.#check(at, block, 'was changed while it was read')
    this.#slot.leave()
    this.#usePin()
  }

  /** One read outside of any epoch. REQUIRES: no other thread uses the cache. */
  stepAlone(): void {
    this.#use([])
    this.#usePin()
  }

  /** Looks at a pinned block, and may let go of it. */
  #usePin(): void {
    const { length } = this.#pins
    if (length === 0) return
    const which = this.#random.below(length)
    const { at, block } = this.#pins[which]!
    this.#check(at, block, 'was changed while it was pinned')
    if (length === PINS_MAX || this.#random.chance(0.2)) {
      this.#view.unpin(at)
      this.#pins.splice(which, 1)
    }
  }

  report(): HammerReport {
    for (const { at, block } of this.#pins.splice(0)) {
      this.#check(at, block, 'was changed while it was pinned')
      this.#view.unpin(at)
    }
    const { operations, found, inserted, refused, pinned } = this
    return { operations, found, inserted, refused, pinned, problems: this.problems.slice(0, 5) }
  }

  #use(seen: { at: number; block: Block }[]): void {
    const random = this.#random
    const { names, source, bytesMax } = this.#data
    this.operations++
    // A few are hot.
    const block = hammerBlock(random.below(random.chance(0.5) ? names / 10 : names), bytesMax)
    let at = this.#view.find(block.owner, block.offset)
    if (at !== 0) this.found++
    else {
      fillHammerBlock(this.#shared.u32, source, block)
      const bytes = block.words * 4
      at = this.#view.insert(block.owner, block.offset, source, bytes, random.chance(0.1))
      if (at === 0) this.refused++
      else this.inserted++
    }
    if (at === 0) return
    this.#check(at, block, 'is another one')
    seen.push({ at, block })
    if (this.#pins.length >= PINS_MAX || !random.chance(0.05) || !this.#view.pin(at)) return
    this.pinned++
    this.#pins.push({ at, block })
  }

  #check(at: number, block: Block, problem: string): void {
    if (isHammerBlock(this.#shared.u32, at, block)) return
    this.problems.push(`${block.owner}/${block.offset} ${problem}`)
  }
}
