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
import {
  type PrefixExtractor,
  type PrefixIndex,
  type PrefixRule,
  shippedExtractor,
} from '../base/prefix-extractor.js'
import { loadReference, type PlainReference, type UserCodeKind } from './user-code.js'

/** Where a worker finds the code of a job. */
export interface JobCodeReferences {
  /** Undefined for the order of bytes. */
  readonly comparator: PlainReference | undefined
  readonly mergeOperator: PlainReference | undefined
  readonly compactionFilter: PlainReference | undefined
  readonly prefixes: PrefixSource | undefined
}

/** How a job gets its prefix extractor: a shipped one by its rule, another one by reference; the name is main's. */
export interface PrefixSource {
  readonly name: string
  readonly rule: PrefixRule
  readonly reference: PlainReference | undefined
}

/** The same, loaded. */
export interface JobCode {
  readonly order: KeyOrder
  readonly mergeOperator: MergeOperator | undefined
  readonly compactionFilter: CompactionFilterFactory | undefined
  /** Undefined without an extractor. */
  readonly prefixes: PrefixIndex | undefined
}

export const COMPARATOR: UserCodeKind = { what: 'a comparator', methods: ['compare'] }
export const MERGE_OPERATOR: UserCodeKind = { what: 'a merge operator', methods: ['merge'] }
export const COMPACTION_FILTER: UserCodeKind = { what: 'a compaction filter', methods: ['create'] }

export const PREFIX_EXTRACTOR: UserCodeKind = {
  what: 'a prefix extractor',
  methods: ['prefixes'],
}

/** @throws as {@link loadReference} */
export async function loadJobCode(references: JobCodeReferences): Promise<JobCode> {
  const { comparator, mergeOperator, compactionFilter, prefixes } = references
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
    prefixes: await loadPrefixes(prefixes),
  }
}

async function loadPrefixes(source: PrefixSource | undefined): Promise<PrefixIndex | undefined> {
  if (source === undefined) return undefined
  const { name, rule, reference } = source
  const extractor =
    reference === undefined
      ? shippedExtractor(rule)
      : await loadReference<PrefixExtractor>(reference, PREFIX_EXTRACTOR)
  return { name, rule, extractor }
}
