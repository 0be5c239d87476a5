/**
 * The owner's end of the line to one thread: answers its calls, and notices when it is gone. Main thread.
 *
 * I1: whatever a call comes to, it answers; errors as plain data.
 * I2: when the port closes, by whatever end of the thread, the thread is detached.
 */
import { encodeError, typeError } from '../../shared/base/errors.js'
import type { RangeEstimateOptions } from '../statistics/statistics-operations.js'
import type { AttachedReader } from './attached-reader.js'
import {
  type Answer,
  type AttachOptions,
  type Grant,
  type OwnerControl,
  STATISTICS,
  type StatisticName,
  type WriteResults,
} from './protocol.js'
import { applyWrites } from './remote-writes.js'
import { closedError, type SharedTarget } from './share.js'
import { answerCalls, type MessagePort } from './thread-ports.js'

function answer<T>(work: () => T): Answer<T> {
  try {
    return { value: work() }
  } catch (error) {
    return { error: encodeError(error) }
  }
}

export class OwnerPort implements OwnerControl {
  readonly #target: SharedTarget | undefined
  readonly #port: MessagePort
  #reader: AttachedReader | undefined

  /** @param target undefined where the tree has closed: every call says so */
  constructor(target: SharedTarget | undefined, port: MessagePort) {
    this.#target = target
    this.#port = port
    port.on('close', () => this.#end())
    answerCalls(port, this)
  }

  grant(options: AttachOptions): Answer<Grant> {
    return answer(() => {
      const { share } = this.#require()
      this.#reader ??= share.attach(options, (notice) => this.#port.postMessage(notice))
      return this.#reader.grant
    })
  }

  write(packed: Uint8Array): Answer<WriteResults> {
    return answer(() => applyWrites(this.#require().tree, packed))
  }

  async drained(): Promise<Answer<undefined>> {
    try {
      await this.#require().tree.drained()
      return { value: undefined }
    } catch (error) {
      return { error: encodeError(error) }
    }
  }

  tell(name: StatisticName, range?: RangeEstimateOptions): Answer<unknown> {
    return answer(() => {
      const { core, tree } = this.#require()
      core.requireOpen()
      // What came over the port may be anything.
      if (!STATISTICS.includes(name)) throw typeError(`there is no statistic ${String(name)}`)
      const tell: (range?: RangeEstimateOptions) => unknown = tree[name]
      return tell.call(tree, range)
    })
  }

  detach(): Answer<undefined> {
    return answer(() => this.#end())
  }

  #require(): SharedTarget {
    if (this.#target !== undefined) return this.#target
    throw closedError('the shared tree')
  }

  #end(): undefined {
    const reader = this.#reader
    this.#reader = undefined
    if (reader !== undefined) this.#target?.share.detach(reader)
    return undefined
  }
}
