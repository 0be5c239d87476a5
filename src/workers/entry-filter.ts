/**
 * Asks the user's compaction filter about the entries that the compaction stream shows (semantics.md 19). The thread of
 * the actor.
 *
 * I1: what the filter throws, and a verdict that is none, ends the job: nothing of it is installed.
 */
import type {
  CompactionFilter,
  CompactionFilterFactory,
  CompactionFilterItem,
  CompactionVerdict,
} from '../shared/base/compaction-filter.js'
import { typeError } from '../shared/base/errors.js'
import {
  KIND_MERGE_OPERAND,
  MERGE_HEAP,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_SEQNO,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../shared/kernel/layout.js'
import {
  COMPACTION_FILTERS,
  COMPACTION_REPLACEMENT,
  COMPACTION_REPLACEMENT_LENGTH,
  COMPACTION_VERDICT,
  VERDICT_DESTROY,
  VERDICT_KEEP,
  VERDICT_REMOVE,
  VERDICT_REMOVE_WEAK,
  VERDICT_REPLACE,
} from '../shared/kernel/layout-compaction.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import { GrowingBuffer, type Workspace } from '../shared/memory/workspace.js'

const BUFFER_BYTES = 1024

const CODES: Readonly<Record<Exclude<CompactionVerdict, object>, number>> = {
  keep: VERDICT_KEEP,
  remove: VERDICT_REMOVE,
  removeWeak: VERDICT_REMOVE_WEAK,
  destroy: VERDICT_DESTROY,
}

/** The entry at the top of the merge, its value copied when it is asked for. */
class Item implements CompactionFilterItem {
  readonly key: Buffer
  readonly seqno: number
  readonly isMergeOperand: boolean
  readonly #shared: SharedMemory
  readonly #source: number
  #value: Buffer | undefined

  constructor(shared: SharedMemory, source: number) {
    this.#shared = shared
    this.#source = source
    const length = shared.getU32(source + SOURCE_KEY_LENGTH)
    this.key = shared.copy(shared.getU32(source + SOURCE_KEY), length)
    this.seqno = shared.getU64(source + SOURCE_SEQNO)
    this.isMergeOperand = shared.getU32(source + SOURCE_KIND) === KIND_MERGE_OPERAND
  }

  get value(): Buffer {
    const shared = this.#shared
    const length = shared.getU32(this.#source + SOURCE_VALUE_LENGTH)
    this.#value ??= shared.copy(shared.getU32(this.#source + SOURCE_VALUE), length)
    return this.#value
  }
}

export class EntryFilter {
  readonly #shared: SharedMemory
  readonly #filter: CompactionFilter
  readonly #name: string
  readonly #compaction: number
  readonly #replacement: GrowingBuffer
  #changes = 0

  /** Turns filtering on in the COMPACTION structure at `compaction`. */
  constructor(
    { shared, heap }: Workspace,
    factory: CompactionFilterFactory,
    isLastLevel: boolean,
    compaction: number,
  ) {
    this.#shared = shared
    this.#name = String(factory.name)
    this.#filter = factory.create({ isLastLevel })
    if (typeof this.#filter?.filter !== 'function') {
      throw typeError(
        `the compaction filter ${this.#name} must create an object with the method filter`,
      )
    }
    this.#compaction = compaction
    this.#replacement = new GrowingBuffer(heap, BUFFER_BYTES)
    shared.setU32(compaction + COMPACTION_FILTERS, 1)
  }

  /** How many entries it did not keep as they are. */
  get changes(): number {
    return this.#changes
  }

  /** EVENT_FILTER: judges the entry at the top of the merge. */
  judge(merge: number): void {
    const shared = this.#shared
    const source = shared.getU32(shared.getU32(merge + MERGE_HEAP))
    const verdict = this.#filter.filter(new Item(shared, source))
    if (verdict !== 'keep') this.#changes++
    shared.setU32(this.#compaction + COMPACTION_VERDICT, this.#codeOf(verdict))
  }

  finish(): void {
    this.#filter.finish?.()
  }

  #codeOf(verdict: CompactionVerdict): number {
    if (typeof verdict === 'string' && Object.hasOwn(CODES, verdict)) return CODES[verdict]
    const replace = (verdict as { replace?: unknown } | null | undefined)?.replace
    if (typeof replace !== 'string' && !(replace instanceof Uint8Array)) {
      throw typeError(
        `the compaction filter ${this.#name} must answer 'keep', 'remove', 'removeWeak', 'destroy' or { replace }`,
      )
    }
    const shared = this.#shared
    const bytes = typeof replace === 'string' ? Buffer.from(replace) : replace
    this.#replacement.reserve(Math.max(8, bytes.length))
    shared.bytes.set(bytes, this.#replacement.address)
    shared.setU32(this.#compaction + COMPACTION_REPLACEMENT, this.#replacement.address)
    shared.setU32(this.#compaction + COMPACTION_REPLACEMENT_LENGTH, bytes.length)
    return VERDICT_REPLACE
  }
}
