/**
 * Folds the operands that the compaction stream hands over, by the tree's merge operator (semantics.md 18.2, 20.3). The
 * thread of the actor.
 *
 * I1: whatever the operator does, nothing is lost: where it throws, or gives no bytes, the operands are written as they
 *     are, and the first failure is told to main.
 */
import { type EncodedError, encodeError, VarveError } from '../shared/base/errors.js'
import { type MergeOperator, requireFolded } from '../shared/base/merge-operator.js'
import {
  COMPACTION_FOLD,
  COMPACTION_KEY,
  COMPACTION_KEY_LENGTH,
  FOLD_AS_IT_IS,
  FOLD_BYTES,
  FOLD_CAPACITY,
  FOLD_DONE,
  FOLD_HAS_BASE,
  FOLD_IS_FINAL,
  FOLD_OUT,
  FOLD_OUTCOME,
  FOLD_RESULT,
  FOLD_RESULT_LENGTH,
  FOLD_ROW_BYTES,
  FOLD_ROW_LENGTH,
  FOLD_ROW_VALUE,
  FOLD_ROWS,
  FOLD_TOP,
} from '../shared/kernel/layout-compaction.js'
import type { SharedMemory } from '../shared/memory/shared-memory.js'
import { GrowingBuffer, type Workspace } from '../shared/memory/workspace.js'

/** First size of either buffer: some dozens of counters. */
const BUFFER_BYTES = 4 * 1024

export class OperandFolder {
  readonly #workspace: Workspace
  readonly #operator: MergeOperator
  readonly #compaction: number
  readonly #fold: number
  readonly #result: GrowingBuffer
  #rows: number
  #rowsBytes = BUFFER_BYTES
  #failure: EncodedError | undefined

  /** Names itself in the COMPACTION structure at `compaction`. */
  constructor(workspace: Workspace, operator: MergeOperator, compaction: number) {
    const { shared, heap } = workspace
    this.#workspace = workspace
    this.#operator = operator
    this.#compaction = compaction
    this.#fold = heap.allocate(FOLD_BYTES)
    this.#rows = heap.allocate(BUFFER_BYTES)
    this.#result = new GrowingBuffer(heap, BUFFER_BYTES)
    shared.bytes.fill(0, this.#fold, this.#fold + FOLD_BYTES)
    shared.setU32(compaction + COMPACTION_FOLD, this.#fold)
    this.#nameRows()
  }

  /** The first refusal of the operator. */
  get failure(): EncodedError | undefined {
    return this.#failure
  }

  /** EVENT_FOLD_SPACE: room for an entry of `entryBytes` more; what was collected stays. */
  grow(entryBytes: number): void {
    const { shared, heap } = this.#workspace
    const used = shared.getU32(this.#fold + FOLD_TOP)
    const bytes = Math.max(2 * this.#rowsBytes, used + FOLD_ROW_VALUE + entryBytes + 8)
    const fresh = heap.allocate(bytes)
    shared.bytes.copyWithin(fresh, this.#rows, this.#rows + used)
    heap.free(this.#rows)
    this.#rows = fresh
    this.#rowsBytes = bytes
    this.#nameRows()
  }

  /** EVENT_FOLD: asks the operator. */
  fold(): void {
    const { shared } = this.#workspace
    const result = this.#ask(shared)
    shared.setU32(this.#fold + FOLD_OUTCOME, result === undefined ? FOLD_AS_IT_IS : FOLD_DONE)
    if (result === undefined) return
    this.#result.reserve(Math.max(8, result.length))
    shared.bytes.set(result, this.#result.address)
    shared.setU32(this.#fold + FOLD_RESULT, this.#result.address)
    shared.setU32(this.#fold + FOLD_RESULT_LENGTH, result.length)
  }

  /** What the operator makes of the rows; undefined where they stay as they are. */
  #ask(shared: SharedMemory): Uint8Array | undefined {
    const values: Uint8Array[] = []
    let row = this.#rows
    for (let i = shared.getU32(this.#fold + FOLD_ROWS); i > 0; i--) {
      values.push(shared.copy(row + FOLD_ROW_VALUE, shared.getU32(row + FOLD_ROW_LENGTH)))
      row += shared.getU32(row + FOLD_ROW_BYTES)
    }
    const base = shared.getU32(this.#fold + FOLD_HAS_BASE) === 1 ? values.pop() : undefined
    const operands = values.reverse()
    const isFinal = shared.getU32(this.#fold + FOLD_IS_FINAL) === 1
    const length = shared.getU32(this.#compaction + COMPACTION_KEY_LENGTH)
    const key = shared.copy(shared.getU32(this.#compaction + COMPACTION_KEY), length)
    const operator = this.#operator
    try {
      if (!isFinal && operator.partialMerge !== undefined) {
        const joined = operator.partialMerge(key, operands)
        return joined === undefined ? undefined : requireFolded(joined)
      }
      return requireFolded(operator.merge(key, base, operands))
    } catch (cause) {
      this.#failure ??= encodeError(
        new VarveError(
          'VARVE_MERGE_OPERATOR',
          `the merge operator refused ${operands.length} operands of key ${key.toString('latin1')}; ` +
            'they were written as they are',
          { details: { key: key.toString('hex'), operands: operands.length }, cause },
        ),
      )
      return undefined
    }
  }

  #nameRows(): void {
    const { shared } = this.#workspace
    shared.setU32(this.#fold + FOLD_OUT, this.#rows)
    shared.setU32(this.#fold + FOLD_CAPACITY, this.#rowsBytes)
  }
}
