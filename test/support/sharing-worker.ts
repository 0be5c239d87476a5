/**
 * A thread that attaches to a tree by hand and does what it is told: holds a state, pins, stays in an epoch, ends in one
 * way or another. It answers each command with its name.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { SharedTree } from '../../src/main/sharing/protocol.js'
import { HandReader } from './sharing.js'

const port = parentPort
if (port === null) throw new Error('this file is the entry of a worker')

const reader = await HandReader.attach(workerData as SharedTree, { memoryBytes: 1 << 20 })

const COMMANDS: Readonly<Record<string, () => unknown>> = {
  enter: () => reader.slot.enter(),
  leave: () => reader.slot.leave(),
  hold: () => {
    reader.slot.enter()
    reader.words.hold(reader.stateAt())
    reader.slot.leave()
  },
  pin: () => reader.pin(reader.share.visible),
  throw: () =>
    setImmediate(() => {
      throw new Error('a reader that fails')
    }),
  exit: () => process.exit(0),
  detach: () => reader.detach(),
  // Looks without end: terminated in the middle of it.
  spin: () => {
    port.postMessage('spin')
    for (;;) {
      reader.slot.enter()
      reader.stateAt()
      const number = reader.words.pin(reader.share.visible)
      reader.words.unpin(number)
      reader.slot.leave()
    }
  },
}

port.on('message', async (command: string) => {
  await COMMANDS[command]?.()
  port.postMessage(command)
})
port.postMessage('attached')
