/**
 * One tree under test beside its model: opening and closing under changing options, writes and maintenance that go to
 * both, promises that are still to settle. Steps of programs are built from this.
 */
import { setImmediate } from 'node:timers/promises'
import { Cache } from '../../src/main/cache.js'
import { open } from '../../src/main/open.js'
import type { OpenOptions } from '../../src/main/options.js'
import type { PinnableSlice } from '../../src/main/reading/pinnable-slice.js'
import type { TreeIterator } from '../../src/main/reading/tree-iterator.js'
import type { Snapshot } from '../../src/main/snapshot.js'
import type { Tree } from '../../src/main/tree.js'
import type { WriteBatch } from '../../src/main/writing/write-batch.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { mergeOperators } from '../../src/shared/base/merge-operator.js'
import { DescriptorTable } from '../../src/shared/fs/descriptor-table.js'
import type { FileSystem } from '../../src/shared/fs/file-system.js'
import { Model, type ModelRangeDelete, type ModelWrite } from './model.js'
import { type OptionSet, usesDictionary, withDictionary } from './option-sets.js'

/** An open iterator with what it has still to yield. */
export interface OpenIterator {
  readonly iterator: TreeIterator<[Buffer, Buffer]>
  readonly rest: (readonly [Buffer, Buffer])[]
}

/** Where a session lives. */
export interface Place {
  readonly root: string
  /** Undefined for the disk. */
  readonly fs: FileSystem | undefined
}

/** Fails with what a test would say. */
export function check(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Error(message())
}

const SIBLING_KEYS = 70

export class Session {
  readonly place: Place
  model: Model
  readonly snapshots: Snapshot[] = []
  readonly iterators: OpenIterator[] = []
  /** Values that are pinned, and what they must stay. */
  readonly slices: { readonly slice: PinnableSlice; readonly wanted: Buffer }[] = []
  /** The seqno of writes that are not published yet. */
  held: number | undefined
  /** What was written of which key under that seqno. */
  readonly #heldKinds = new Map<string, string>()
  readonly #background: Promise<unknown>[] = []
  #tree: Tree | undefined
  #cache: Cache | undefined
  #sibling: Tree | undefined
  #set: OptionSet
  #needsDictionary = false
  readonly #onOpen: (tree: Tree) => void

  /** @param onOpen is shown every tree that the session opens for its program */
  constructor(place: Place, set: OptionSet, onOpen: (tree: Tree) => void = () => undefined) {
    this.place = place
    this.#onOpen = onOpen
    this.#set = set
    this.model = new Model(set.order?.compare)
  }

  get set(): OptionSet {
    return this.#set
  }

  get tree(): Tree {
    return this.#tree as Tree
  }

  get visible(): number {
    return this.tree.visibleSeqno.get()
  }

  /** Orders keys as the tree does. */
  compare(a: Buffer, b: Buffer): number {
    return (this.#set.order?.compare ?? Buffer.compare)(a, b)
  }

  /** No read below it will come: what a caller may promise. */
  get safeWatermark(): number {
    return this.snapshots.reduce((least, { seqno }) => Math.min(least, seqno), this.visible)
  }

  /** Opens a copy of the tree, under the same options, for reading. */
  async openCopy(root: string): Promise<Tree> {
    return open(root, { ...this.#options(), maintenance: 'manual' })
  }

  async open(extra: OpenOptions = {}): Promise<void> {
    const set = this.#set
    this.#needsDictionary ||= usesDictionary(set)
    this.#cache =
      set.cacheBytes === undefined
        ? undefined
        : new Cache({ capacityBytes: set.cacheBytes, ...set.cacheOptions })
    const shared: OpenOptions = {
      ...(this.#cache === undefined ? {} : { cache: this.#cache }),
      ...(set.descriptors === undefined
        ? {}
        : { descriptorTable: new DescriptorTable(set.descriptors) }),
    }
    this.#tree = await open(this.place.root, { ...this.#options(), ...shared, ...extra })
    this.#onOpen(this.#tree)
    if (set.hasSibling === true) await this.#openSibling(shared)
  }

  /** Closes and opens again, under another set, with the counters of before or with fresh ones. */
  async reopen(set: OptionSet, keepsCounters: boolean): Promise<void> {
    const { seqno, visibleSeqno } = this.tree
    const highest = this.tree.highestSeqno() ?? -1
    await this.close()
    this.#set = set
    await this.open(keepsCounters ? { seqno, visibleSeqno } : {})
    const persisted = this.tree.highestPersistedSeqno() ?? -1
    if (persisted < highest) throw new Error(`seqnos went back from ${highest} to ${persisted}`)
    this.model.reopen(this.visible)
  }

  async close(): Promise<void> {
    for (const snapshot of this.snapshots.splice(0)) snapshot[Symbol.dispose]()
    for (const { iterator } of this.iterators.splice(0)) iterator[Symbol.dispose]()
    for (const { slice } of this.slices.splice(0)) slice[Symbol.dispose]()
    this.#endHold()
    await this.settle()
    await this.#tree?.close()
    await this.#sibling?.close()
    this.#sibling = undefined
    this.#cache?.[Symbol.dispose]()
    this.#tree = undefined
    this.#cache = undefined
  }

  /** Gives everything up after a failure, without a further one. */
  async abandon(): Promise<void> {
    for (const { iterator } of this.iterators.splice(0)) iterator[Symbol.dispose]()
    for (const { slice } of this.slices.splice(0)) slice[Symbol.dispose]()
    await Promise.allSettled(this.#background.splice(0))
    await this.#tree?.close({ flush: 'discard' }).catch(() => undefined)
    await this.#sibling?.close()
    this.#cache?.[Symbol.dispose]()
  }

  /** Lets `work` run beside the next steps. */
  start(work: Promise<unknown>): void {
    work.catch(() => undefined)
    this.#background.push(work)
  }

  /** Waits for what {@link start} began. */
  async settle(): Promise<void> {
    for (const work of this.#background.splice(0)) await work
  }

  /** Writes to both. A write that the buffers refuse for its size is refused by both. */
  async write(
    writes: readonly ModelWrite[],
    batch: WriteBatch | undefined,
    seqno?: number,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const drawn = seqno ?? this.tree.seqno.get()
      try {
        this.#writeTree(writes, batch, seqno)
        this.model.write(drawn, writes)
        for (const range of batch?.ranges ?? []) {
          this.model.removeRange(drawn, {
            start: Buffer.from(range.start),
            end: Buffer.from(range.end),
          })
        }
        if (seqno === undefined) this.#endHold()
        return
      } catch (error) {
        if (this.#isTooLarge(error, writes, batch?.ranges ?? [])) return
        if (!VarveError.is(error, 'VARVE_STALLED') || attempt === 100) throw error
        await this.tree.flush()
      }
    }
  }

  /**
   * Deletes a range in both. `batch` holds the same range, and `writes` under the same seqno, which it does not hide.
   */
  async removeRange(
    range: ModelRangeDelete,
    options: { readonly seqno?: number; readonly isPrefix?: boolean } = {},
  ): Promise<void> {
    const { seqno, isPrefix = false } = options
    for (let attempt = 0; ; attempt++) {
      const drawn = seqno ?? this.tree.seqno.get()
      try {
        if (isPrefix) this.tree.removePrefix(range.start, seqno)
        else this.tree.removeRange(range.start, range.end, seqno)
        this.model.removeRange(drawn, range)
        if (seqno === undefined && this.tree.seqno.get() > drawn) this.#endHold()
        return
      } catch (error) {
        if (this.#isTooLarge(error, [], [range])) return
        if (!VarveError.is(error, 'VARVE_STALLED') || attempt === 100) throw error
        await this.tree.flush()
      }
    }
  }

  /**
   * Writes under a seqno that no plain read sees before it is published. Left out where another kind of write of the same
   * key has the seqno already: nobody could say which one is newer.
   */
  async writeHeld(write: ModelWrite): Promise<void> {
    const name = write.key.toString('latin1')
    const kind = write.form ?? 'plain'
    this.held ??= this.tree.seqno.next()
    if ((this.#heldKinds.get(name) ?? kind) !== kind) return
    this.#heldKinds.set(name, kind)
    await this.write([write], undefined, this.held)
  }

  async removeRangeHeld(range: ModelRangeDelete): Promise<void> {
    this.held ??= this.tree.seqno.next()
    await this.removeRange(range, { seqno: this.held })
  }

  publish(): void {
    if (this.held !== undefined) this.tree.visibleSeqno.fetchMax(this.held + 1)
    this.#endHold()
  }

  async clear(): Promise<void> {
    await this.tree.clear()
    this.model.clear(this.visible - 1)
    this.#endHold()
  }

  /** Lets jobs of the same thread go on. */
  async turn(): Promise<void> {
    await setImmediate()
    if (this.#sibling === undefined) return
    for (let i = 0; i < SIBLING_KEYS; i += 7) {
      const found = this.#sibling.getString(`key${i}`)
      check(found === `sibling ${i}`, () => `the sibling's key${i} is ${found}`)
    }
  }

  /** A tree of other values, in files of the same names, at the same path of another file system. */
  async #openSibling(shared: OpenOptions): Promise<void> {
    const options = { ...shared, fs: 'memory', maintenance: 'manual', blockSize: 64 } as const
    this.#sibling = await open(this.place.root, options)
    for (let i = 0; i < SIBLING_KEYS; i++) this.#sibling.insert(`key${i}`, `sibling ${i}`)
    await this.#sibling.flush()
  }

  #options(): OpenOptions {
    const { fs } = this.place
    return {
      mergeOperator: mergeOperators.append,
      ...(this.#needsDictionary ? withDictionary(this.#set) : this.#set.options),
      ...(fs === undefined ? {} : { fs }),
    }
  }

  #writeTree(writes: readonly ModelWrite[], batch: WriteBatch | undefined, seqno?: number): void {
    if (batch !== undefined) {
      this.tree.apply(batch, seqno)
      return
    }
    for (const { key, value, form } of writes) {
      if (form === 'weak') this.tree.removeWeak(key, seqno)
      else if (value === undefined) this.tree.remove(key, seqno)
      else if (form === 'merge') this.tree.merge(key, value, seqno)
      else this.tree.insert(key, value, seqno)
    }
  }

  #endHold(): void {
    this.held = undefined
    this.#heldKinds.clear()
  }

  #isTooLarge(
    error: unknown,
    writes: readonly ModelWrite[],
    ranges: readonly { readonly start: Uint8Array; readonly end: Uint8Array }[],
  ): boolean {
    if (!(error instanceof RangeError) || !error.message.includes('write buffer')) return false
    const bytes =
      writes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0) +
      ranges.reduce((sum, { start, end }) => sum + start.length + end.length, 0)
    check(bytes > 16 * 1024, () => `a write of ${bytes} bytes was refused: ${error.message}`)
    return true
  }
}
