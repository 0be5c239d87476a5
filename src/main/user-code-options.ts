/**
 * The options that hold code of the user's: what they come to on this thread, and how jobs elsewhere get the same. Main
 * thread.
 */

import type { CompactionFilterFactory } from '../shared/base/compaction-filter.js'
import { type Comparator, orderOf } from '../shared/base/comparator.js'
import { typeError } from '../shared/base/errors.js'
import { BYTE_ORDER, type KeyOrder } from '../shared/base/key-order.js'
import type { MergeOperator } from '../shared/base/merge-operator.js'
import {
  type PrefixExtractor,
  type PrefixIndex,
  prefixIndexOf,
} from '../shared/base/prefix-extractor.js'
import {
  COMPACTION_FILTER,
  COMPARATOR,
  type JobCode,
  type JobCodeReferences,
  MERGE_OPERATOR,
  PREFIX_EXTRACTOR,
} from '../shared/jobs/job-code.js'
import {
  type PlainReference,
  referenceOf,
  resolveUserCode,
  type UserCode,
  type UserCodeKind,
} from '../shared/jobs/user-code.js'

/** The options, as given. */
export interface UserCodeOptions {
  readonly comparator?: UserCode<Comparator>
  readonly mergeOperator?: UserCode<MergeOperator>
  readonly compactionFilter?: UserCode<CompactionFilterFactory>
  readonly prefixExtractor?: UserCode<PrefixExtractor>
}

/** The code of a tree. */
export interface TreeCode extends JobCode {
  /** What jobs carry. */
  readonly references: JobCodeReferences
  /** True where a plain object keeps jobs on this thread. */
  readonly isLocal: boolean
}

/** Code as this thread has it, and how other ones get it: not at all where it is a plain object. */
interface Resolved<T> {
  readonly value: T
  readonly reference: PlainReference | undefined
}

async function resolve<T extends object>(
  code: UserCode<T> | undefined,
  kind: UserCodeKind,
  option: string,
): Promise<Resolved<T> | undefined> {
  if (code === undefined) return undefined
  const value = await resolveUserCode<T>(code, kind, option)
  return { value, reference: referenceOf(code) ?? referenceOf(value) }
}

/** The order that a comparator gives. Workers need no comparator for the order of bytes, whatever it is called. */
function resolveOrder(
  comparator: Resolved<Comparator> | undefined,
): Resolved<KeyOrder> | undefined {
  if (comparator === undefined) return undefined
  if (typeof comparator.value.name !== 'string') {
    throw typeError('the name of a comparator must be a string')
  }
  return { value: orderOf(comparator.value), reference: comparator.reference }
}

/** Shipped extractors travel as the rule that they are. */
function isCode({ value }: Resolved<PrefixIndex>): boolean {
  return value.rule.kind === 'code'
}

async function resolvePrefixes(
  extractor: UserCodeOptions['prefixExtractor'],
): Promise<Resolved<PrefixIndex> | undefined> {
  const resolved = await resolve(extractor, PREFIX_EXTRACTOR, 'prefixExtractor')
  return resolved && { value: prefixIndexOf(resolved.value), reference: resolved.reference }
}

/**
 * Imports what references name, and checks all of it.
 * @throws TypeError, RangeError, VARVE_UNSUPPORTED
 */
export async function resolveCode(options: UserCodeOptions): Promise<TreeCode> {
  const order = resolveOrder(await resolve(options.comparator, COMPARATOR, 'comparator'))
  const operator = await resolve(options.mergeOperator, MERGE_OPERATOR, 'mergeOperator')
  const filter = await resolve(options.compactionFilter, COMPACTION_FILTER, 'compactionFilter')
  const prefixes = await resolvePrefixes(options.prefixExtractor)
  const custom = order?.value.isBytes === false ? order : undefined
  const prefixCode = prefixes && isCode(prefixes) ? prefixes : undefined
  return {
    order: order?.value ?? BYTE_ORDER,
    mergeOperator: operator?.value,
    compactionFilter: filter?.value,
    prefixes: prefixes?.value,
    references: {
      comparator: custom?.reference,
      mergeOperator: operator?.reference,
      compactionFilter: filter?.reference,
      prefixes: prefixes && {
        name: prefixes.value.name,
        rule: prefixes.value.rule,
        reference: prefixCode?.reference,
      },
    },
    isLocal: [custom, operator, filter, prefixCode].some(
      (code) => code && code.reference === undefined,
    ),
  }
}
