/**
 * How a thread comes to read a tree of another one. Any thread.
 */
import { rangeError, typeError, VarveError } from '../../shared/base/errors.js'
import { loadJobCode } from '../../shared/jobs/job-code.js'
import { SharedMemory } from '../../shared/memory/shared-memory.js'
import { OwnerLine } from './owner-line.js'
import {
  ATTACH_REQUEST,
  type AttachOptions,
  type AttachRequest,
  type SharedTree,
} from './protocol.js'
import { ReaderCore } from './reader-core.js'
import { receiveAttach } from './shares.js'
import { currentThreadId, makeLine, requireThreadMessages, sendToThread } from './thread-ports.js'
import { TreeReader } from './tree-reader.js'

const MEMORY_BYTES_MIN = 1 << 20
const MEMORY_BYTES_MAX = 256 << 20

/**
 * Attaches this thread to a tree that another one, or this one, has open: a {@link TreeReader} over the same memory. Any
 * number of threads may, up to 63 at once; a thread may more than once.
 *
 * @param handle what `tree.share()` gave, as it arrived in this thread
 * @throws VARVE_CLOSED where the tree was closed; VARVE_OUT_OF_MEMORY; VARVE_UNSUPPORTED where this Node cannot send
 *   messages between any two threads, too many are attached, or user code of the tree cannot be loaded here; TypeError,
 *   RangeError
 *
 * @example
 * ```ts
 * // main.js
 * new Worker(new URL('./worker.js', import.meta.url), { workerData: tree.share() })
 * // worker.js
 * await using reader = await attach(workerData)
 * console.log(reader.get('a'))
 * ```
 */
export async function attach(handle: SharedTree, options: AttachOptions = {}): Promise<TreeReader> {
  requireHandle(handle)
  requireMemoryBytes(options.memoryBytes)
  requireThreadMessages()
  const line = await openLine(handle)
  try {
    const grant = await line.call((control) => control.grant({ ...options }))
    const code = await loadJobCode({ ...grant.tree.code, compactionFilter: undefined })
    const shared = new SharedMemory(handle.memory)
    return new TreeReader((onEnd) => new ReaderCore(shared, grant, code, onEnd), line)
  } catch (error) {
    // The owner takes back what it granted when the line is closed.
    line.close()
    throw error
  }
}

async function openLine({ threadId, shareId, root }: SharedTree): Promise<OwnerLine> {
  const { near, far } = makeLine()
  const line = new OwnerLine(near, root)
  const request: AttachRequest = { kind: ATTACH_REQUEST, shareId, port: far }
  try {
    // A thread cannot send itself such messages.
    if (threadId === currentThreadId()) receiveAttach(request)
    else await line.waitFor(() => sendToThread(threadId, request, [far]))
  } catch (cause) {
    line.close()
    throw new VarveError('VARVE_CLOSED', `the thread that owned ${root} is gone`, { cause })
  }
  return line
}

/** @throws TypeError */
function requireHandle(handle: unknown): asserts handle is SharedTree {
  const { memory, threadId, shareId, root } = (handle ?? {}) as Partial<SharedTree>
  const isHandle =
    memory instanceof WebAssembly.Memory &&
    typeof threadId === 'number' &&
    typeof shareId === 'number' &&
    typeof root === 'string'
  if (!isHandle) throw typeError('attach takes what tree.share() gave')
}

/** @throws RangeError */
function requireMemoryBytes(bytes: unknown): void {
  if (bytes === undefined) return
  const isGood = Number.isInteger(bytes) && Number(bytes) >= MEMORY_BYTES_MIN
  if (isGood && Number(bytes) <= MEMORY_BYTES_MAX) return
  throw rangeError(
    `memoryBytes is a whole number from ${MEMORY_BYTES_MIN} to ${MEMORY_BYTES_MAX}, not ${String(bytes)}`,
  )
}
