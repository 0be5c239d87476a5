/**
 * The results of the parts of one piece of work, as the result of all of it. Any thread.
 */
import type { JobResult } from './jobs.js'

/** Tables come in the order of the parts; what lies behind the last part lies behind all of it. */
export function combineResults(results: readonly JobResult[]): JobResult {
  const sum = (of: (result: JobResult) => number): number =>
    results.reduce((total, result) => total + of(result), 0)
  return {
    tables: results.flatMap(({ tables }) => tables),
    entriesIn: sum(({ entriesIn }) => entriesIn),
    entriesDropped: sum(({ entriesDropped }) => entriesDropped),
    bytesWritten: sum(({ bytesWritten }) => bytesWritten),
    isFiltered: results.some(({ isFiltered }) => isFiltered),
    nextKey: results.at(-1)?.nextKey,
    foldFailure: results.find(({ foldFailure }) => foldFailure !== undefined)?.foldFailure,
  }
}
