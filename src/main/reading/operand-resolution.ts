/**
 * Resolves a key whose newest visible version is a merge operand (semantics.md 20.2). Pure but for the operator.
 */
import { VarveError } from '../../shared/base/errors.js'
import { type MergeOperator, requireFolded } from '../../shared/base/merge-operator.js'
import {
  KIND_INDIRECTION,
  KIND_MERGE_OPERAND,
  KIND_TOMBSTONE,
  KIND_VALUE,
  KIND_WEAK_TOMBSTONE,
} from '../../shared/kernel/layout.js'

/** One visible version of the key. */
export interface KeyVersion {
  readonly kind: number
  readonly seqno: number
  readonly value: Uint8Array
}

/**
 * The key's value from its visible versions, newest first; undefined where it is absent.
 * @param coveredBelow versions with a lower seqno are hidden by a range tombstone; -1 for none
 * @throws VARVE_MERGE_OPERATOR where the operator refuses
 */
export function resolveOperands(
  key: Uint8Array,
  versions: readonly KeyVersion[],
  coveredBelow: number,
  operator: MergeOperator | undefined,
): Uint8Array | undefined {
  const [newest] = versions
  if (newest === undefined || newest.seqno < coveredBelow) return undefined
  if (newest.kind === KIND_TOMBSTONE || newest.kind === KIND_WEAK_TOMBSTONE) return undefined
  if (newest.kind !== KIND_MERGE_OPERAND || operator === undefined) return newest.value
  const operands: Uint8Array[] = []
  let base: Uint8Array | undefined
  for (const version of versions) {
    if (version.seqno < coveredBelow) break
    if (version.kind === KIND_MERGE_OPERAND) {
      operands.push(version.value)
      continue
    }
    // A value in a blob file cannot be folded onto: the newest operand stands for itself.
    if (version.kind === KIND_INDIRECTION) return newest.value
    if (version.kind === KIND_VALUE) base = version.value
    break
  }
  try {
    return requireFolded(operator.merge(key, base, operands.reverse()))
  } catch (cause) {
    throw new VarveError(
      'VARVE_MERGE_OPERATOR',
      `the merge operator refused ${operands.length} operands of key ${Buffer.from(key).toString('latin1')}`,
      { details: { key: Buffer.from(key).toString('hex'), operands: operands.length }, cause },
    )
  }
}
