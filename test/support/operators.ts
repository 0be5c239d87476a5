/** Merge operators for tests, as a user would write them: a module that workers import. */
import type { MergeOperator } from '../../src/shared/base/merge-operator.js'

/** Base and operands, one behind the other: what `mergeOperators.append` does. */
export const joining: MergeOperator = {
  merge: (_key, base, operands) =>
    Buffer.concat(base === undefined ? operands : [base, ...operands]),
}

/** The same with something in between, made from options; it cannot join operands without knowing what they stand on. */
export function separated({ by }: { readonly by: string }): MergeOperator {
  return {
    merge: (_key, base, operands) =>
      Buffer.from(
        [...(base === undefined ? [] : [base]), ...operands]
          .map((value) => Buffer.from(value).toString('latin1'))
          .join(by),
        'latin1',
      ),
    partialMerge: () => undefined,
  }
}
