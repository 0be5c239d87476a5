/**
 * The items of an asynchronous source, given up as soon as a signal says so: a source may make its reader wait for long.
 * Any thread.
 */
import { VarveError } from '../../shared/base/errors.js'

/**
 * The items of `source`. Where `signal` is aborted while the next one is waited for, the waiting ends with VARVE_ABORTED,
 * and the source is told that no more is wanted.
 */
export async function* itemsOf<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  let stop = (): void => undefined
  const onAbort = (): void => stop()
  signal.addEventListener('abort', onAbort)
  let isOver = false
  try {
    while (!signal.aborted) {
      // One promise an item: racing against one promise for all would keep every item's reaction alive.
      const next = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        stop = () => reject(new VarveError('VARVE_ABORTED', 'the source is not wanted any more'))
        iterator.next().then(resolve, reject)
      })
      if (next.done === true) {
        isOver = true
        return undefined
      }
      yield next.value
    }
    throw new VarveError('VARVE_ABORTED', 'the source is not wanted any more')
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not waited for: it may never answer.
    if (!isOver) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}
