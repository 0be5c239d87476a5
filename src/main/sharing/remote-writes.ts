/**
 * Applies what attached threads write, on the thread that owns the tree: by the tree's own methods, one after the other.
 * Main thread.
 *
 * I1: writes are applied in the order in which they were packed, and packs in the order in which they came. One that fails
 *     changes nothing and keeps no other one from being applied.
 */
import { assert, type EncodedError, encodeError, typeError } from '../../shared/base/errors.js'
import { WriteBatch } from '../writing/write-batch.js'
import type { WriteOperations } from '../writing/write-operations.js'
import {
  type PackedWrite,
  unpackWrites,
  WRITE_BATCH,
  WRITE_INSERT,
  WRITE_MERGE,
  WRITE_REMOVE,
  WRITE_REMOVE_PREFIX,
  WRITE_REMOVE_RANGE,
  WRITE_REMOVE_WEAK,
} from './packed-writes.js'
import { WRITE_DONE, WRITE_FAILED, WRITE_THROTTLED, type WriteResults } from './protocol.js'

/** @throws TypeError where the pack is cut short: what comes before that was applied */
export function applyWrites(tree: WriteOperations, packed: Uint8Array): WriteResults {
  const outcomes: number[] = []
  const errors: EncodedError[] = []
  for (const write of unpackWrites(packed)) {
    try {
      outcomes.push(apply(tree, write) ? WRITE_DONE : WRITE_THROTTLED)
    } catch (error) {
      outcomes.push(WRITE_FAILED)
      errors.push(encodeError(error))
    }
  }
  return { outcomes: Uint8Array.from(outcomes), errors }
}

function apply(tree: WriteOperations, write: PackedWrite): boolean {
  const { operation, first, second, seqno, needsRoom } = write
  if (needsRoom) tree.writeAdmission()
  switch (operation) {
    case WRITE_INSERT:
      return tree.insert(first, second, seqno)
    case WRITE_REMOVE:
      return tree.remove(first, seqno)
    case WRITE_REMOVE_WEAK:
      return tree.removeWeak(first, seqno)
    case WRITE_MERGE:
      return tree.merge(first, second, seqno)
    case WRITE_REMOVE_RANGE:
      return tree.removeRange(first, second, seqno)
    case WRITE_REMOVE_PREFIX:
      return tree.removePrefix(first, seqno)
    case WRITE_BATCH:
      return tree.apply(batchOf(write), seqno)
    default:
      throw typeError(`there is no write operation ${operation}`)
  }
}

function batchOf({ parts }: PackedWrite): WriteBatch {
  const batch = new WriteBatch()
  for (const { operation, first, second } of parts) {
    if (operation === WRITE_INSERT) batch.insert(first, second)
    else if (operation === WRITE_REMOVE) batch.remove(first)
    else if (operation === WRITE_REMOVE_WEAK) batch.removeWeak(first)
    else if (operation === WRITE_MERGE) batch.merge(first, second)
    else {
      assert(operation === WRITE_REMOVE_RANGE, 'a batch holds what batches can hold')
      batch.removeRange(first, second)
    }
  }
  return batch
}
