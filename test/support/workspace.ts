/** A workspace over a shared memory of its own: what tests of tables, merges and scans stand on. */
import { REGIONS_ADDRESS } from '../../src/shared/kernel/layout.js'
import { BlockCache, type BlockCacheOptions } from '../../src/shared/memory/block-cache.js'
import { Epochs } from '../../src/shared/memory/epochs.js'
import { Heap } from '../../src/shared/memory/heap.js'
import { SharedMemory } from '../../src/shared/memory/shared-memory.js'
import { Workspace } from '../../src/shared/memory/workspace.js'

export function testWorkspace(mebibytes: number): Workspace {
  const shared = SharedMemory.create(mebibytes << 20)
  return new Workspace(shared, new Heap(REGIONS_ADDRESS, shared.bytes.length))
}

const epochsOf = new WeakMap<Workspace, Epochs>()

/** The epochs of a workspace's memory. */
export function testEpochs(workspace: Workspace): Epochs {
  let epochs = epochsOf.get(workspace)
  if (epochs === undefined) {
    epochs = new Epochs(workspace.shared, workspace.heap)
    epochsOf.set(workspace, epochs)
  }
  return epochs
}

/** A block cache in a workspace. */
export function testCache(
  workspace: Workspace,
  capacityBytes: number,
  options: BlockCacheOptions = {},
): BlockCache {
  const { shared, heap } = workspace
  return new BlockCache({ shared, heap, epochs: testEpochs(workspace) }, capacityBytes, options)
}

/** Copies bytes into a fresh piece of the heap. */
export function place(workspace: Workspace, bytes: Uint8Array): number {
  const address = workspace.heap.allocate(Math.max(1, bytes.length))
  workspace.shared.bytes.set(bytes, address)
  return address
}
