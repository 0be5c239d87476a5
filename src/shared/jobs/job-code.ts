/**
 * The user's code that jobs run: how a job names it, and what the thread that runs the job has of it. Any thread.
 *
 * I1: a job names code by references alone, which survive `structuredClone`. What has none stays on main, and so do the
 *     jobs that need it.
 */

import type { CompactionFilterFactory } from '../base/compaction-filter.js'
import { type Comparator, orderOf } from '../base/comparator.js'
import { BYTE_ORDER, type KeyOrder } from '../base/key-order.js'
import type { MergeOperator } from '../base/merge-operator.js'
import { loadReference, type PlainReference, type UserCodeKind } from './user-code.js'

/** Where a worker finds the code of a job. */
export interface JobCodeReferences {
  /** Undefined for the order of bytes. */
  readonly comparator: PlainReference | undefined
  readonly mergeOperator: PlainReference | undefined
  readonly compactionFilter: PlainReference | undefined
}

/** The same, loaded. */
export interface JobCode {
  readonly order: KeyOrder
  readonly mergeOperator: MergeOperator | undefined
  readonly compactionFilter: CompactionFilterFactory | undefined
}

export const COMPARATOR: UserCodeKind = { what: 'a comparator', methods: ['compare'] }
export const MERGE_OPERATOR: UserCodeKind = { what: 'a merge operator', methods: ['merge'] }
export const COMPACTION_FILTER: UserCodeKind = { what: 'a compaction filter', methods: ['create'] }

/** @throws as {@link loadReference} */
export async function loadJobCode(references: JobCodeReferences): Promise<JobCode> {
  const { comparator, mergeOperator, compactionFilter } = references
  return {
    order:
      comparator === undefined
        ? BYTE_ORDER
        : orderOf(await loadReference<Comparator>(comparator, COMPARATOR)),
    mergeOperator:
      mergeOperator && (await loadReference<MergeOperator>(mergeOperator, MERGE_OPERATOR)),
    compactionFilter:
      compactionFilter &&
      (await loadReference<CompactionFilterFactory>(compactionFilter, COMPACTION_FILTER)),
  }
}
