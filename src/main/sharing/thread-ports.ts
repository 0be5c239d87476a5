/**
 * How threads that share a tree reach each other: messages to a thread by its id, and calls over a port by comlink. The
 * owner of these imports in the sharing of trees. Any thread.
 *
 * I1: a port is unref'd as soon as it is listened to: it keeps no thread alive.
 */

import threads, { MessageChannel, type MessagePort, threadId } from 'node:worker_threads'
import { expose, type Remote, transfer, wrap } from 'comlink'
import { VarveError } from '../../shared/base/errors.js'

export type { MessagePort, Remote }

/** The thread that this runs on. */
export function currentThreadId(): number {
  return threadId
}

/** Two ends of a new line. */
export function makeLine(): { readonly near: MessagePort; readonly far: MessagePort } {
  const { port1, port2 } = new MessageChannel()
  return { near: port1, far: port2 }
}

/** @throws VARVE_UNSUPPORTED where this Node cannot send a message to any thread */
export function requireThreadMessages(): void {
  // Looked up when it is asked for: an older Node has no such export, and must not fail to load this module.
  if (typeof threads.postMessageToThread === 'function') return
  throw new VarveError(
    'VARVE_UNSUPPORTED',
    `Node ${process.version} cannot send messages from any thread to any other; use Node 20.19, 22.5 or later to share trees`,
    { details: { feature: 'postMessageToThread', node: process.version } },
  )
}

/** Sends `message` to a thread of this process, with the ports in it. @throws what Node says where nobody listens there */
export async function sendToThread(
  id: number,
  message: unknown,
  ports: readonly MessagePort[],
): Promise<void> {
  requireThreadMessages()
  await threads.postMessageToThread(id, message, ports)
}

let isListening = false

/** Takes messages that other threads send to this one; one receiver for a process, which stays. */
export function receiveThreadMessages(receive: (message: unknown) => void): void {
  if (isListening) return
  isListening = true
  process.on('workerMessage', receive)
}

/** Answers calls that come over the port by the methods of `target`. A port is an endpoint of comlink's as it is. */
export function answerCalls(port: MessagePort, target: object): void {
  expose(target, port)
  port.unref()
}

/** Bytes that a call is to take along instead of copying them: nobody here may use them again. */
export function transferred(bytes: Uint8Array<ArrayBuffer>): Uint8Array {
  return transfer(bytes, [bytes.buffer])
}

/** The other side of {@link answerCalls}. */
export function callsOver<T>(port: MessagePort): Remote<T> {
  const remote = wrap<T>(port)
  port.unref()
  return remote
}
