/** A workspace over a shared memory of its own: what tests of tables, merges and scans stand on. */
import { REGIONS_ADDRESS } from '../../src/shared/kernel/layout.js'
import { Heap } from '../../src/shared/memory/heap.js'
import { SharedMemory } from '../../src/shared/memory/shared-memory.js'
import { Workspace } from '../../src/shared/memory/workspace.js'

export function testWorkspace(mebibytes: number): Workspace {
  const shared = SharedMemory.create(mebibytes << 20)
  return new Workspace(shared, new Heap(REGIONS_ADDRESS, shared.bytes.length))
}

/** Copies bytes into a fresh piece of the heap. */
export function place(workspace: Workspace, bytes: Uint8Array): number {
  const address = workspace.heap.allocate(Math.max(1, bytes.length))
  workspace.shared.bytes.set(bytes, address)
  return address
}
