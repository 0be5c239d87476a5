/** Range tombstones as a published state of one memtable, for kernels that ask a state. */
import {
  STATE_BYTES,
  STATE_MEMTABLE_COUNT,
  STATE_MEMTABLES,
} from '../../src/shared/kernel/layout.js'
import type { ReferenceRange } from '../../src/shared/kernel/reference/ranges.js'
import type { Workspace } from '../../src/shared/memory/workspace.js'

const MEMTABLE_BYTES = 64 * 1024

/** REQUIRES: what 64 KiB hold. Address 0 where there are none. */
export function publishRanges(
  { shared, heap }: Workspace,
  ranges: readonly ReferenceRange[],
): { readonly address: number; dispose(): void } {
  if (ranges.length === 0) return { address: 0, dispose: () => undefined }
  const { kernel } = shared
  const memtable = heap.allocate(MEMTABLE_BYTES)
  const state = heap.allocate(STATE_BYTES + 8)
  kernel.memtable_init(memtable, MEMTABLE_BYTES)
  for (const { start, end, seqno } of ranges) {
    const address = kernel.memtable_reserve(memtable, start.length, end.length)
    if (address === 0) throw new Error('the memtable is too small')
    shared.bytes.set(start, address)
    shared.bytes.set(end, address + start.length)
    kernel.memtable_commit_range(memtable, start.length, end.length, seqno)
    kernel.memtable_settle_ranges(memtable)
  }
  shared.bytes.fill(0, state, state + STATE_BYTES + 8)
  shared.setU32(state + STATE_MEMTABLE_COUNT, 1)
  shared.setU32(state + STATE_MEMTABLES, state + STATE_BYTES)
  shared.setU32(state + STATE_BYTES, memtable)
  return {
    address: state,
    dispose: () => {
      heap.free(memtable)
      heap.free(state)
    },
  }
}
