/**
 * The options that hold code of the user's: what they come to on this thread, and how jobs elsewhere get the same. Main
 * thread.
 */
import { type Comparator, orderOf } from '../shared/base/comparator.js'
import { typeError } from '../shared/base/errors.js'
import { BYTE_ORDER } from '../shared/base/key-order.js'
import { COMPARATOR, type JobCode, type JobCodeReferences } from '../shared/jobs/job-code.js'
import { referenceOf, resolveUserCode, type UserCode } from '../shared/jobs/user-code.js'

/** The options, as given. */
export interface UserCodeOptions {
  readonly comparator?: UserCode<Comparator>
}

/** The code of a tree. */
export interface TreeCode extends JobCode {
  /** What jobs carry. */
  readonly references: JobCodeReferences
  /** True where a plain object keeps jobs on this thread. */
  readonly isLocal: boolean
}

/** Without any. */
export const NO_CODE: TreeCode = {
  order: BYTE_ORDER,
  references: { comparator: undefined },
  isLocal: false,
}

/**
 * Imports what references name, and checks all of it.
 * @throws TypeError, RangeError, VARVE_UNSUPPORTED
 */
export async function resolveCode({ comparator }: UserCodeOptions): Promise<TreeCode> {
  if (comparator === undefined) return NO_CODE
  const resolved = await resolveUserCode<Comparator>(comparator, COMPARATOR, 'comparator')
  if (typeof resolved.name !== 'string')
    throw typeError('the name of a comparator must be a string')
  const order = orderOf(resolved)
  // Workers need no comparator for the order of bytes, whatever it is called.
  const reference = order.isBytes ? undefined : (referenceOf(comparator) ?? referenceOf(resolved))
  return {
    order,
    references: { comparator: reference },
    isLocal: !order.isBytes && reference === undefined,
  }
}
