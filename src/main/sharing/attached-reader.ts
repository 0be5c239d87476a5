/**
 * One attached thread, as the owner of the tree has it: everything that was given to it, and how all of it comes back.
 * Main thread.
 *
 *     attached ── detach(), the port closes (detached, exited, terminated) ──→ ended
 *
 * I1: nothing that the thread may touch is freed or given to another before the thread is gone, or has said that it reads
 *     nothing any more. The tree's closing is no end: the thread may be in the middle of a read.
 * I2: what the thread pins and holds is gone before its slot is another's.
 */
import { rangeError, VarveError } from '../../shared/base/errors.js'
import { EPOCH_SLOTS_MAX } from '../../shared/kernel/layout-epochs.js'
import { READER_BYTES } from '../../shared/kernel/layout-sharing.js'
import { ReaderWords } from '../../shared/memory/share-words.js'
import { givenDictionary } from '../options.js'
import type { TreeCore } from '../tree-core.js'
import type { AttachOptions, Grant } from './protocol.js'

const MIB = 1024 * 1024
const REGION_BYTES_DEFAULT = 16 * MIB
const REGION_BYTES_MIN = MIB
const REGION_BYTES_MAX = 256 * MIB

/** @throws RangeError */
function regionBytesOf({ memoryBytes = REGION_BYTES_DEFAULT }: AttachOptions): number {
  const isFine =
    Number.isInteger(memoryBytes) &&
    memoryBytes >= REGION_BYTES_MIN &&
    memoryBytes <= REGION_BYTES_MAX
  if (isFine) return memoryBytes
  throw rangeError(
    `memoryBytes must be an integer from ${REGION_BYTES_MIN} to ${REGION_BYTES_MAX}, not ${memoryBytes}`,
  )
}

export class AttachedReader {
  readonly grant: Grant
  readonly words: ReaderWords
  readonly #core: TreeCore
  /** What gives back, in the order in which it was taken. */
  readonly #returns: (() => void)[] = []
  #hasEnded = false

  /**
   * @param share address of SHARE
   * @throws RangeError; VARVE_UNSUPPORTED where no slot is free; VARVE_OUT_OF_MEMORY. Nothing is kept then
   */
  constructor(core: TreeCore, share: number, options: AttachOptions) {
    this.#core = core
    const bytes = regionBytesOf(options)
    try {
      const slot = this.#takeSlot()
      core.acquireReading()
      this.#returns.push(() => core.releaseReading())
      this.words = new ReaderWords(core.shared, this.#take(READER_BYTES))
      this.words.clear()
      const counters = core.counters.open()
      this.#returns.push(() => core.counters.fold(counters))
      this.grant = {
        epochs: core.environment.epochs.address,
        slot,
        share,
        reader: this.words.address,
        counters,
        region: { start: this.#take(bytes), bytes },
        cacheView: this.#openCache(slot),
        tree: {
          root: core.root,
          code: core.code.references,
          dictionary: givenDictionary(core.settings),
          descriptorCapacity: core.descriptors.capacity,
          isWritable: !core.settings.isReadOnly,
        },
      }
    } catch (error) {
      this.#giveBack()
      throw error
    }
  }

  /** Takes everything back. A second call does nothing. REQUIRES: the thread is gone, or reads nothing any more. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.words.clear()
    this.#giveBack()
  }

  #takeSlot(): number {
    const { environment } = this.#core
    const slot = environment.takeSlot()
    if (slot === undefined) {
      throw new VarveError(
        'VARVE_UNSUPPORTED',
        `${EPOCH_SLOTS_MAX - 1} threads are attached to trees of this process already, which is the most; ` +
          'detach one, or attach fewer and let tasks share them',
        { details: { limit: EPOCH_SLOTS_MAX - 1 } },
      )
    }
    this.#returns.push(() => environment.giveSlot(slot))
    return slot
  }

  #openCache(slot: number): number {
    const { blocks } = this.#core.cache
    const view = blocks.openView(slot)
    this.#returns.push(() => blocks.closeView(view))
    return view
  }

  #take(bytes: number): number {
    const { heap } = this.#core.workspace
    const address = heap.allocate(bytes)
    this.#returns.push(() => heap.free(address))
    return address
  }

  #giveBack(): void {
    for (const giveBack of this.#returns.splice(0).reverse()) giveBack()
  }
}
