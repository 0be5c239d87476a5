/**
 * Drives the scan kernel over a {@link KernelMerge} as a range read does: takes batches, gives
 * blocks, grows a batch that is too small for one row, and notes operands in their place.
 */

import type { KeyBound } from '../../src/shared/base/key-order.js'
import {
  EVENT_BATCH_FULL,
  EVENT_DONE,
  EVENT_NO_SPACE,
  EVENT_OPERAND,
  EVENT_WANTS_BLOCK,
  KIND_MERGE_OPERAND,
  ROW_BYTES,
  ROW_KEY,
  ROW_KEY_LENGTH,
  ROW_KIND,
  ROW_SEQNO,
  ROW_VALUE_LENGTH,
  SCAN_BOUND,
  SCAN_BOUND_INCLUSIVE,
  SCAN_BOUND_LENGTH,
  SCAN_BYTES,
  SCAN_CAPACITY,
  SCAN_FLAGS,
  SCAN_HAS_KEY,
  SCAN_KEY,
  SCAN_KEY_LENGTH,
  SCAN_KEYS_ONLY,
  SCAN_MERGE,
  SCAN_OUT,
  SCAN_ROWS,
  SCAN_ROWS_MAX,
  SCAN_SEQNO,
  SCAN_TENTATIVE,
  SCAN_TOP,
} from '../../src/shared/kernel/layout.js'
import type { Version } from '../../src/shared/kernel/reference/version.js'
import type { Workspace } from '../../src/shared/memory/workspace.js'
import type { KernelMerge } from './kernel-merge.js'

const GUARD = 0xa5
const GUARD_BYTES = 64
const NOTHING = new Uint8Array(0)

export interface ScanCall {
  readonly flags: number
  readonly isReverse: boolean
  readonly seqno?: number
  /** Upper bound of a forward scan, lower of a reverse one. */
  readonly bound?: KeyBound | undefined
  readonly capacity?: number
  readonly rowsMax?: number
}

export interface ScanOutcome {
  /** Operands are there by their key alone. */
  readonly versions: Version[]
  /** How often each event came. */
  readonly events: Map<number, number>
}

/** Reads the rows of a batch. */
function takeRows(workspace: Workspace, out: number, top: number, isKeyOnly: boolean): Version[] {
  const { shared } = workspace
  const rows: Version[] = []
  for (let at = out; at < out + top; at += shared.getU32(at + ROW_BYTES)) {
    const keyLength = shared.getU32(at + ROW_KEY_LENGTH)
    const valueLength = shared.getU32(at + ROW_VALUE_LENGTH)
    const value = at + ROW_KEY + keyLength
    rows.push({
      key: Uint8Array.from(shared.view(at + ROW_KEY, keyLength)),
      seqno: shared.getU64(at + ROW_SEQNO),
      kind: shared.getU32(at + ROW_KIND),
      // Of keys alone the value's length is all there is.
      value: isKeyOnly
        ? new Uint8Array(valueLength)
        : Uint8Array.from(shared.view(value, valueLength)),
    })
  }
  return rows
}

export function runScan(workspace: Workspace, merge: KernelMerge, call: ScanCall): ScanOutcome {
  const { shared, heap } = workspace
  const { flags, seqno = Number.MAX_SAFE_INTEGER, bound, rowsMax = 0xffff_ffff } = call
  let capacity = call.capacity ?? 4096
  const scan = heap.allocate(SCAN_BYTES)
  const key = heap.allocate(65_535 + 8)
  const boundAt = heap.allocate(65_535 + 8)
  let out = heap.allocate(capacity + GUARD_BYTES)
  const nameBatch = (): void => {
    shared.bytes.fill(GUARD, out, out + capacity + GUARD_BYTES)
    shared.setU32(scan + SCAN_OUT, out)
    shared.setU32(scan + SCAN_CAPACITY, capacity)
  }
  shared.bytes.fill(0, scan, scan + SCAN_BYTES)
  shared.setU32(scan + SCAN_MERGE, merge.address)
  shared.setU32(scan + SCAN_ROWS_MAX, rowsMax)
  shared.setU64(scan + SCAN_SEQNO, seqno)
  shared.setU32(scan + SCAN_FLAGS, flags)
  shared.setU32(scan + SCAN_KEY, key)
  shared.setU32(scan + SCAN_HAS_KEY, 0)
  shared.setU32(scan + SCAN_TENTATIVE, 0)
  if (bound !== undefined) {
    shared.bytes.set(bound.key, boundAt)
    shared.setU32(scan + SCAN_BOUND, boundAt)
    shared.setU32(scan + SCAN_BOUND_LENGTH, bound.key.length)
    shared.setU32(scan + SCAN_BOUND_INCLUSIVE, bound.isInclusive ? 1 : 0)
  }
  nameBatch()
  const versions: Version[] = []
  const events = new Map<number, number>()
  const take = (): void => {
    const top = shared.getU32(scan + SCAN_TOP)
    const rows = takeRows(workspace, out, top, (flags & SCAN_KEYS_ONLY) !== 0)
    if (rows.length !== shared.getU32(scan + SCAN_ROWS)) throw new Error('a wrong count of rows')
    if (rows.length > rowsMax) throw new Error('more rows than asked for')
    versions.push(...rows)
    shared.setU32(scan + SCAN_TOP, 0)
    shared.setU32(scan + SCAN_ROWS, 0)
    const guard = shared.view(out + capacity, GUARD_BYTES)
    if (guard.some((byte) => byte !== GUARD)) throw new Error('wrote behind the batch')
    // Rows that were taken are gone: whoever reads them again sees garbage.
    nameBatch()
  }
  for (let event = -1; event !== EVENT_DONE; ) {
    event = shared.kernel.scan_run(scan)
    events.set(event, (events.get(event) ?? 0) + 1)
    if (event === EVENT_WANTS_BLOCK) {
      merge.giveWanted()
      continue
    }
    if (event === EVENT_NO_SPACE) {
      if (shared.getU32(scan + SCAN_TOP) !== 0) throw new Error('no space for a row behind others')
      heap.free(out)
      capacity += 64
      out = heap.allocate(capacity + GUARD_BYTES)
      nameBatch()
      continue
    }
    const isKnown = event === EVENT_DONE || event === EVENT_BATCH_FULL || event === EVENT_OPERAND
    if (!isKnown) throw new Error(`event ${event}`)
    if (event === EVENT_BATCH_FULL && shared.getU32(scan + SCAN_ROWS) === 0) {
      throw new Error('a full batch without rows')
    }
    take()
    if (event === EVENT_OPERAND) {
      const length = shared.getU32(scan + SCAN_KEY_LENGTH)
      const operandKey = Uint8Array.from(shared.view(key, length))
      versions.push({ key: operandKey, seqno: 0, kind: KIND_MERGE_OPERAND, value: NOTHING })
    }
  }
  for (const piece of [scan, key, boundAt, out]) heap.free(piece)
  return { versions, events }
}
