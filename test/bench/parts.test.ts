/** The parts that the benches' figures stand on: percentiles, draws, what must come out, and what db_bench's output says. */
import t from 'tap'
import { Histogram } from '../../bench/macro/histogram.js'
import { KeySpace, Random, shuffled } from '../../bench/macro/key-space.js'
import { Ledger, taste } from '../../bench/macro/ledger.js'
import { Meter } from '../../bench/macro/meter.js'
import { toCount } from '../../bench/macro/options.js'
import { WORKLOADS } from '../../bench/macro/workloads/index.js'
import { Zipfian } from '../../bench/macro/zipfian.js'
import { judge, TARGETS } from '../../bench/targets.js'

t.test('a percentile is told within 4 %', async (t) => {
  const histogram = new Histogram()
  const random = new Random(7)
  const values = Array.from({ length: 10_000 }, () => Math.floor(10 ** (1 + 7 * random.unit())))
  for (const value of values) histogram.record(value)
  values.sort((a, b) => a - b)
  for (const share of [0.01, 0.5, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(share * values.length) - 1] as number
    const told = histogram.percentile(share) as number
    t.ok(told >= exact && told <= exact * 1.04, `${share}: ${told} for ${exact}`)
  }
  t.equal(histogram.max, values.at(-1))
  t.equal(new Histogram().percentile(0.5), undefined)
})

t.test('the meter counts every operation once, whether it answers at once or later', async (t) => {
  const seen: number[] = []
  const sync = await Meter.each('sync', 3000, (i) => i)
  const mixed = await Meter.each('mixed', 3000, (i) => {
    seen.push(i)
    return i % 7 === 0 ? Promise.resolve(i) : i
  })
  t.strictSame(seen, [...seen.keys()])
  t.equal(seen.length, 3000)
  t.equal(mixed.checksum, sync.checksum)
  t.ok((mixed.p50Ns ?? 0) <= (mixed.p999Ns ?? 0))
  t.ok((mixed.p999Ns ?? 0) <= (mixed.maxNs ?? 0) * 1.04)
})

t.test('zipfian draws favour what they must, as often as the law says', async (t) => {
  const items = 1000
  const draws = 200_000
  const zipfian = new Zipfian(items)
  const random = new Random(3)
  const counts = new Float64Array(items)
  for (let i = 0; i < draws; i++) {
    const rank = zipfian.rank(random)
    counts[rank] = (counts[rank] as number) + 1
  }
  const zeta = Array.from({ length: items }, (_, i) => (i + 1) ** -0.99).reduce((a, b) => a + b)
  for (const rank of [0, 1]) {
    const wanted = (draws * (rank + 1) ** -0.99) / zeta
    const found = counts[rank] as number
    t.ok(Math.abs(found / wanted - 1) < 0.05, `rank ${rank}: ${found} of ${wanted}`)
  }
  zipfian.grow()
  t.equal(Math.max(...Array.from({ length: 1000 }, () => zipfian.latest(random))), items)
  for (let i = 0; i < 1000; i++) t.ok(zipfian.scattered(random) <= items)
})

t.test('a shuffle has every number once', async (t) => {
  t.strictSame(
    [...shuffled(500, 1)].sort((a, b) => a - b),
    [...Array(500).keys()],
  )
})

t.test('the ledger knows what a read must find', async (t) => {
  const space = new KeySpace(16, 100, 1)
  const ledger = new Ledger(space, 10)
  ledger.set(3, 0)
  ledger.set(4, 2)
  ledger.set(5, 0)
  ledger.remove(5)
  t.equal(ledger.taste(3), taste(space.value(3)))
  t.equal(ledger.taste(4), taste(space.value(4, 2)))
  t.equal(ledger.taste(5), -1)
  t.equal(ledger.size, 2)
  t.equal(ledger.rows(0, 10, false), ledger.rows(3, 2, false))
  t.not(ledger.rows(0, 10, false), ledger.rows(9, 10, true))
})

t.test('counts are read as people write them', async (t) => {
  t.equal(toCount('10_000', 1), 10_000)
  t.equal(toCount('5m', 1), 5_000_000)
  t.equal(toCount(undefined, 7), 7)
  for (const wrong of ['', '0', '-1', '1.5', 'x', '5g'])
    t.throws(() => toCount(wrong, 1), RangeError)
})

t.test('names of workloads are told apart', async (t) => {
  t.equal(new Set(WORKLOADS.map(({ name }) => name)).size, WORKLOADS.length)
})

t.test(
  'a target is met by the median of the rounds, and not where nothing was measured',
  async (t) => {
    const verdicts = judge((part, engine, workload) => {
      if (part !== 'main' || workload !== 'fillseq') return undefined
      const factors = engine === 'varve' ? [1, 1, 5] : [2, 2, 2]
      return factors.map((wallNs) => ({ name: workload, operations: 1, wallNs }))
    })
    t.equal(verdicts.length, TARGETS.length)
    const measured = verdicts.filter(({ isMet }) => isMet !== undefined)
    t.same(
      measured.map(({ workload, ratio, isMet }) => [workload, ratio, isMet]),
      [['fillseq', 2, true]],
    )
  },
)
