/** When writers are asked to slow down or to stop, how long they are to wait, and who is told. */

import t from 'tap'
import {
  leveled,
  open,
  type StallEvent,
  type WriteBackpressure,
} from '../../../../src/main/index.js'
import { pressureVerdict } from '../../../../src/main/writing/backpressure.js'
import { codeOf } from '../../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual' } as const

const textOf = ({ kind, suggestedDelayMs, cause }: WriteBackpressure): string =>
  kind === 'none' ? kind : `${kind} ${suggestedDelayMs} ${cause}`

t.test('`write_backpressure`: both axes and tiers, by the table', async (t) => {
  const l0 = { l0Slowdown: 4, l0Stop: 12, maxSlowdownMs: 8 }
  const bytes = { bytesSlowdown: 100, bytesStop: 300, maxSlowdownMs: 8 }
  const cases: readonly [Parameters<typeof pressureVerdict>[0], number, number, string][] = [
    [{}, 1000, 1e15, 'none'],
    [{ maxSlowdownMs: 5 }, 1000, 1e15, 'none'],
    [l0, 3, 0, 'none'],
    [l0, 4, 0, 'slowdown 0 l0'],
    [l0, 5, 0, 'slowdown 1 l0'],
    [l0, 11, 0, 'slowdown 7 l0'],
    [l0, 12, 0, 'stop 0 l0'],
    [bytes, 0, 99, 'none'],
    [bytes, 0, 100, 'slowdown 0 bytes'],
    [bytes, 0, 175, 'slowdown 3 bytes'],
    [bytes, 0, 300, 'stop 0 bytes'],
    [{ ...l0, ...bytes }, 5, 250, 'slowdown 6 bytes'],
    [{ ...l0, ...bytes }, 11, 125, 'slowdown 7 l0'],
    [{ ...l0, ...bytes }, 5, 301, 'stop 0 bytes'],
    [{ ...l0, ...bytes }, 12, 150, 'stop 0 l0'],
    // Without a hard limit, or with one that is not above the soft one, the delay is all of it.
    [{ l0Slowdown: 4, maxSlowdownMs: 8 }, 4, 0, 'slowdown 8 l0'],
    [{ l0Slowdown: 4, l0Stop: 4, maxSlowdownMs: 8 }, 3, 0, 'none'],
    [{ bytesSlowdown: 100, maxSlowdownMs: 8 }, 0, 1e15, 'slowdown 8 bytes'],
    [{ l0Slowdown: 4 }, 9, 0, 'slowdown 0 l0'],
    [{ l0Stop: 9 }, 8, 0, 'none'],
    [{ l0Stop: 9 }, 9, 0, 'stop 0 l0'],
    // Whole nanoseconds: a third of a millisecond is cut.
    [{ l0Slowdown: 1, l0Stop: 4, maxSlowdownMs: 1 }, 2, 0, 'slowdown 0.333333 l0'],
    [
      { bytesSlowdown: 1, bytesStop: 2 ** 53 - 1, maxSlowdownMs: 60_000 },
      0,
      2 ** 52,
      'slowdown 30000 bytes',
    ],
  ]
  for (const [thresholds, l0Tables, pendingBytes, expected] of cases) {
    const verdict = pressureVerdict(thresholds, { l0Tables, pendingBytes })
    t.equal(textOf(verdict), expected, JSON.stringify([thresholds, l0Tables, pendingBytes]))
  }
})

t.test(
  "`write_backpressure`: off by default where maintenance is the caller's, on where it is not",
  async (t) => {
    const tree = await open('db', manual)
    for (let i = 0; i < 40; i++) {
      t.equal(tree.insert('a', `${i}`), true)
      await tree.flush()
    }
    t.equal(tree.l0RunCount(), 40)
    t.same(tree.writeBackpressure(), { kind: 'none', suggestedDelayMs: 0, cause: undefined })
    await tree.close()
    const auto = await open('db', { fs: 'memory' })
    t.same(auto.runtimeConfig.backpressure, { l0Slowdown: 20, l0Stop: 36, maxSlowdownMs: 10 })
    await auto.close()
    const own = await open('db', { fs: 'memory', runtime: { backpressure: {} } })
    t.same(own.runtimeConfig.backpressure, {})
    await own.close()
  },
)

t.test('`write_backpressure`: toggled live, and cleared by draining', async (t) => {
  const tree = await open('db', manual)
  const stalls: string[] = []
  tree.on('stall', ({ phase, kind, cause }: StallEvent) => stalls.push(`${phase} ${kind} ${cause}`))
  const flushed = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) tree.insert(`key ${i}`, 'value')
    await tree.flush()
  }
  await flushed()
  await flushed()
  t.equal(tree.writeBackpressure().kind, 'none')
  tree.updateRuntimeConfig({ backpressure: { l0Slowdown: 2, l0Stop: 4, maxSlowdownMs: 4 } })
  t.equal(textOf(tree.writeBackpressure()), 'slowdown 0 l0')
  t.equal(tree.insert('a', '1'), false, 'a write says the same in one bit')
  await flushed()
  t.equal(textOf(tree.writeBackpressure()), 'slowdown 2 l0')
  await flushed()
  t.equal(textOf(tree.writeBackpressure()), 'stop 0 l0')
  t.equal(tree.insert('b', '1'), false, 'advice only: it was written')
  t.equal(tree.getString('b'), '1')
  tree.updateRuntimeConfig({ backpressure: {} })
  t.equal(tree.writeBackpressure().kind, 'none')
  tree.updateRuntimeConfig({ backpressure: { l0Stop: 2 } })
  t.equal(tree.writeBackpressure().kind, 'stop')
  await tree.majorCompact()
  t.equal(tree.writeBackpressure().kind, 'none')
  t.equal(tree.insert('c', '1'), true)
  const { bytesSlowdown } = { bytesSlowdown: 1 }
  tree.updateRuntimeConfig({ backpressure: { bytesSlowdown, maxSlowdownMs: 3 } })
  t.equal(tree.compactionDebt(), 0)
  t.equal(tree.writeBackpressure().kind, 'none')
  for (let i = 0; i < 5; i++) await flushed()
  t.ok(tree.compactionDebt(leveled({ l0Threshold: 4 })) > 0)
  t.equal(textOf(tree.writeBackpressure()), 'slowdown 3 bytes')
  t.same(stalls, [
    'begin slowdown l0',
    'end slowdown l0',
    'begin stop l0',
    'end stop l0',
    'begin stop l0',
    'end stop l0',
    'begin slowdown bytes',
  ])
  await tree.close()
})

t.test(
  'a full last write buffer slows down, a refused write is a stop, and both are told',
  async (t) => {
    let nowMs = 1_000_000
    const runtime = { memtableBytes: 128 * 1024, maxSealedMemtables: 1 }
    const tree = await open('db', { ...manual, runtime, clock: () => nowMs })
    const stalls: StallEvent[] = []
    tree.on('stall', (stall) => stalls.push(stall))
    const fill = (): string | undefined => {
      for (let i = 0; i < 400; i++) {
        try {
          tree.insert(`key ${i}`, 'x'.repeat(1000))
        } catch (error) {
          return (error as { code?: string }).code
        }
        if (tree.writeBackpressure().kind !== 'none') nowMs += 1
      }
      return undefined
    }
    t.equal(fill(), 'VARVE_STALLED')
    t.equal(textOf(tree.writeBackpressure()), 'slowdown 0 memtables')
    nowMs += 500
    t.equal(await codeOf(() => tree.insert('a', 'x'.repeat(1000))), 'VARVE_STALLED')
    await tree.flush()
    t.equal(tree.writeBackpressure().kind, 'none')
    const slow = stalls[1]?.durationMs ?? 0
    t.same(stalls, [
      { phase: 'begin', kind: 'slowdown', cause: 'memtables', durationMs: 0 },
      { phase: 'end', kind: 'slowdown', cause: 'memtables', durationMs: slow },
      { phase: 'begin', kind: 'stop', cause: 'memtables', durationMs: 0 },
      { phase: 'end', kind: 'stop', cause: 'memtables', durationMs: 500 },
    ])
    t.ok(slow > 10)
    t.match(tree.metrics().maintenance, {
      slowdowns: 1,
      stops: 1,
      stalledMs: slow + 500,
      refusedWrites: 2,
    })
    await tree.close()
  },
)
