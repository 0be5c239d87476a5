/**
 * `varve/opentelemetry`: the counts of `tree.metrics()` as instruments of OpenTelemetry. Main thread.
 *
 * Uses the types of `@opentelemetry/api` only: the meter is the caller's, and so is the package.
 */
import type { Attributes, BatchObservableCallback, Meter, Observable } from '@opentelemetry/api'
import type { Tree } from './tree.js'

interface Count {
  readonly name: string
  readonly value: number
}

/** `dataBlocks` and `loadBytes` as `data_blocks.load_bytes`: what names of instruments look like. */
const nameOf = (path: readonly string[]): string =>
  path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)).join('.')

function* countsOf(counts: object, path: readonly string[]): Generator<Count> {
  for (const [key, value] of Object.entries(counts) as [string, unknown][]) {
    if (typeof value === 'number') yield { name: nameOf([...path, key]), value }
    else if (typeof value === 'object' && value !== null) yield* countsOf(value, [...path, key])
  }
}

/**
 * Has `meter` observe every number of `tree.metrics()`: one gauge each, named `varve.` and its place there, as
 * `varve.data_blocks.hit_rate` or `varve.maintenance.stalled_ms`. They are read when the meter collects, all at once, and
 * cost nothing in between. Ends with what is returned; a closed tree is observed no more.
 *
 * @param attributes set on every observation, beside `varve.tree`, the tree's path
 *
 * @example
 * ```ts
 * import { metrics } from '@opentelemetry/api'
 * import { observeTree } from 'varve/opentelemetry'
 *
 * using observation = observeTree(metrics.getMeter('my-service'), tree)
 * ```
 */
export function observeTree(meter: Meter, tree: Tree, attributes: Attributes = {}): Disposable {
  const given = { ...attributes, 'varve.tree': tree.path }
  const gauges = new Map<string, Observable>()
  for (const { name } of countsOf(tree.metrics(), ['varve'])) {
    gauges.set(name, meter.createObservableGauge(name))
  }
  const observe: BatchObservableCallback = (result) => {
    if (!tree.isOpen) return
    for (const { name, value } of countsOf(tree.metrics(), ['varve'])) {
      const gauge = gauges.get(name)
      if (gauge !== undefined) result.observe(gauge, value, given)
    }
  }
  const observed = [...gauges.values()]
  meter.addBatchObservableCallback(observe, observed)
  return {
    [Symbol.dispose]: () => {
      meter.removeBatchObservableCallback(observe, observed)
    },
  }
}
