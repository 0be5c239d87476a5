/**
 * The user's code that jobs run: how a job names it, and what the thread that runs the job has of it. Any thread.
 *
 * I1: a job names code by references alone, which survive `structuredClone`. What has none stays on main, and so do the
 *     jobs that need it.
 */
import { type Comparator, orderOf } from '../base/comparator.js'
import { BYTE_ORDER, type KeyOrder } from '../base/key-order.js'
import { loadReference, type PlainReference, type UserCodeKind } from './user-code.js'

/** Where a worker finds the code of a job. */
export interface JobCodeReferences {
  /** Undefined for the order of bytes. */
  readonly comparator: PlainReference | undefined
}

/** The same, loaded. */
export interface JobCode {
  readonly order: KeyOrder
}

export const COMPARATOR: UserCodeKind = { what: 'a comparator', methods: ['compare'] }

/** @throws as {@link loadReference} */
export async function loadJobCode({ comparator }: JobCodeReferences): Promise<JobCode> {
  if (comparator === undefined) return { order: BYTE_ORDER }
  return { order: orderOf(await loadReference<Comparator>(comparator, COMPARATOR)) }
}
