/**
 * The trees of this thread that are shared, by their ids: where threads that ask to attach find them, and how a tree
 * becomes one of them. Main thread.
 *
 * I1: a tree has one share, made when it is first asked for; it is found here until the tree closes.
 */
import { VarveError } from '../../shared/base/errors.js'
import { SequenceNumberCounter } from '../seqno-counter.js'
import type { TreeCore } from '../tree-core.js'
import type { TreeCode } from '../user-code-options.js'
import { OwnerPort } from './owner-port.js'
import { ATTACH_REQUEST, type AttachRequest, type SharedTree } from './protocol.js'
import { Share, type SharedTarget, type SharedWrites } from './share.js'
import { currentThreadId, receiveThreadMessages, requireThreadMessages } from './thread-ports.js'

const targets = new Map<number, SharedTarget>()
let nextShareId = 1

/**
 * Shares a tree: its handle.
 * @throws VARVE_UNSUPPORTED where other threads could not read it
 */
export function shareTree(core: TreeCore, tree: SharedWrites): SharedTree {
  requireThreadMessages()
  const visible = requireShareable(core)
  const shareId = nextShareId++
  const share = new Share(core, visible, () => targets.delete(shareId))
  core.shareWith(share)
  targets.set(shareId, { core, tree, share })
  receiveThreadMessages(receiveAttach)
  const { memory } = core.environment.shared
  return Object.freeze({ memory, threadId: currentThreadId(), shareId, root: core.root })
}

/** Takes a request to attach, from another thread or from this one; anything else is not for us. */
export function receiveAttach(message: unknown): void {
  if (!isAttachRequest(message)) return
  new OwnerPort(targets.get(message.shareId), message.port)
}

function isAttachRequest(message: unknown): message is AttachRequest {
  if (typeof message !== 'object' || message === null) return false
  return (message as Partial<AttachRequest>).kind === ATTACH_REQUEST
}

/** What threads need of a tree, checked: its counter of visible seqnos, which they look into. */
function requireShareable(core: TreeCore): SequenceNumberCounter {
  if (core.fs.kind !== 'std') {
    throw unsupported(
      core,
      'fs',
      `its files are on a file system that other threads do not have (${core.fs.kind}); open it with fs: 'std'`,
    )
  }
  for (const option of localCode(core.code)) {
    throw unsupported(
      core,
      option,
      `its ${option} is an object of this thread alone; give it as a reference, ` +
        `{ module: new URL('./file.js', import.meta.url), export: 'name' }`,
    )
  }
  const visible = core.visibleSeqno
  if (visible === core.seqno) {
    // Drawing a seqno would make it visible to other threads before its write can be found.
    throw unsupported(
      core,
      'visibleSeqno',
      'one counter is its seqno and its visibleSeqno; give it two SequenceNumberCounters',
    )
  }
  // A class over ours may count in its own way: what it tells is not what is in the words.
  if (visible instanceof SequenceNumberCounter && visible.constructor === SequenceNumberCounter) {
    return visible
  }
  throw unsupported(
    core,
    'visibleSeqno',
    'its visibleSeqno is a generator of your own, which other threads cannot ask; ' +
      'give it a SequenceNumberCounter, and raise that',
  )
}

/** Options whose code reads need and other threads cannot import. */
function* localCode({ order, mergeOperator, references }: TreeCode): Generator<string, undefined> {
  const { comparator, mergeOperator: operator, prefixes } = references
  if (!order.isBytes && comparator === undefined) yield 'comparator'
  if (mergeOperator !== undefined && operator === undefined) yield 'mergeOperator'
  if (prefixes?.rule.kind === 'code' && prefixes.reference === undefined) yield 'prefixExtractor'
  return undefined
}

function unsupported(core: TreeCore, option: string, why: string): VarveError {
  return new VarveError('VARVE_UNSUPPORTED', `${core.root} cannot be shared: ${why}`, {
    details: { option },
  })
}
