/** The counts of trees as OpenTelemetry's own reader collects them. */
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import t from 'tap'
import { open, type Tree } from '../../../src/main/index.js'
import { observeTree } from '../../../src/main/opentelemetry.js'

/** Collects when it is asked to. */
class Reader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}

  /** Values by name and tree. */
  async values(): Promise<ReadonlyMap<string, number>> {
    const { resourceMetrics, errors } = await this.collect()
    if (errors.length > 0) throw errors[0]
    const values = new Map<string, number>()
    for (const { descriptor, dataPoints } of resourceMetrics.scopeMetrics[0]?.metrics ?? []) {
      for (const { attributes, value } of dataPoints) {
        values.set(`${descriptor.name} ${attributes['varve.tree']}`, value as number)
      }
    }
    return values
  }
}

const openTree = (path: string): Promise<Tree> =>
  open(path, { fs: 'memory', maintenance: 'manual' })

t.test('every number of `metrics()` is observed, for each tree, until it ends', async (t) => {
  const reader = new Reader()
  const meter = new MeterProvider({ readers: [reader] }).getMeter('test')
  const [tree, other] = [await openTree('/a'), await openTree('/b')]
  const observation = observeTree(meter, tree, { role: 'test' })
  observeTree(meter, other)
  for (let i = 0; i < 3; i++) {
    tree.insert(`key${i}`, 'value')
    await tree.flush()
  }
  const values = await reader.values()
  t.equal(values.get('varve.maintenance.flushes /a'), 3)
  t.equal(values.get('varve.maintenance.flushes /b'), 0)
  t.equal(values.get('varve.data_blocks.hit_rate /a'), tree.metrics().dataBlocks.hitRate)
  const numbers = JSON.stringify(tree.metrics()).match(/:-?\d/g)?.length
  t.equal([...values.keys()].filter((name) => name.endsWith('/a')).length, numbers)
  tree.insert('key', 'value')
  await tree.flush()
  t.equal((await reader.values()).get('varve.maintenance.flushes /a'), 4)
  observation[Symbol.dispose]()
  tree.insert('key', 'other')
  await tree.flush()
  await other.close()
  const last = await reader.values()
  // The reader goes on showing what it saw last.
  t.equal(last.get('varve.maintenance.flushes /a'), 4, 'what was ended is asked no more')
  t.equal(last.get('varve.maintenance.flushes /b'), 0, 'nor what was closed')
  await tree.close()
})
