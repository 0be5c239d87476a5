/**
 * Applies a log record to the tree, as the kind of write that it was and under its own seqno: the one way in, for what
 * was just logged and for what is replayed. Main thread.
 */
import { type Tree, WriteBatch } from '../index.js'
import { type LogRecord, type Operation, RecordType } from './record.js'

/**
 * Applies a write and publishes its seqno. False where the tree asks its caller to slow down.
 * @throws what the tree's own method throws, with nothing changed; a `clear` is for {@link applyClear}
 */
export function applyRecord(tree: Tree, record: LogRecord): boolean {
  const isWelcome = applyTo(tree, record)
  tree.visibleSeqno.fetchMax(record.seqno + 1)
  return isWelcome
}

/** A clear draws a seqno of its own, behind that of the record. */
export async function applyClear(tree: Tree): Promise<void> {
  await tree.clear()
}

function applyTo(tree: Tree, record: LogRecord): boolean {
  const { type, first, second, seqno } = record
  switch (type) {
    case RecordType.Insert:
      return tree.insert(first, second, seqno)
    case RecordType.Remove:
      return tree.remove(first, seqno)
    case RecordType.RemoveWeak:
      return tree.removeWeak(first, seqno)
    case RecordType.Merge:
      return tree.merge(first, second, seqno)
    case RecordType.RemoveRange:
      return tree.removeRange(first, second, seqno)
    case RecordType.RemovePrefix:
      return tree.removePrefix(first, seqno)
    default:
      return tree.apply(batchOf(record.operations), seqno)
  }
}

function batchOf(operations: readonly Operation[]): WriteBatch {
  const batch = new WriteBatch()
  for (const { type, first, second } of operations) {
    if (type === RecordType.Insert) batch.insert(first, second)
    else if (type === RecordType.Remove) batch.remove(first)
    else if (type === RecordType.RemoveWeak) batch.removeWeak(first)
    else if (type === RecordType.Merge) batch.merge(first, second)
    else batch.removeRange(first, second)
  }
  return batch
}
