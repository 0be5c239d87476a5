/**
 * How a protocol is tested: its model is explored and nothing may be wrong; then once for each mistake, and each time
 * something must be.
 */
import type { Test } from 'tap'
import { type Exploration, explore } from './explorer.js'
import type { Model } from './model.js'

function told({ states, transitions, trace }: Exploration): string {
  return [`${states} states, ${transitions} steps`, ...trace].join('\n  ')
}

/** @param make the model as the code is, or with one of the mistakes */
export function holds(test: Test, make: (mistake: string) => Model): void {
  const model = make('')
  const found = explore(model)
  test.equal(found.failure, undefined, `${model.name}: ${told(found)}`)
}

/** Each mistake must be found; `expected` says as what. */
export function caught<M extends string>(
  test: Test,
  make: (mistake: M) => Model,
  mistakes: Readonly<Record<M, RegExp>>,
): void {
  for (const [mistake, expected] of Object.entries(mistakes) as [M, RegExp][]) {
    const found = explore(make(mistake))
    const summary = `${mistake}: ${found.failure ?? 'NOT FOUND'} (${found.states} states, ${found.trace.length} steps to it)`
    test.match(found.failure ?? '', expected, summary)
  }
}
