/**
 * The visible seqno in three words, every order of steps: `ShareWords.setVisible` against `ShareWords.visible` of
 * memory/share-words.ts. Words hold 0 … 3 here, so that low words overflow all the time. What is read must have been
 * visible at some moment of the reading.
 */
import t from 'tap'
import { caught, holds } from '../../support/explorer/canaries.js'
import { END, Model, type Processor } from '../../support/explorer/model.js'

type Mistake =
  | 'reads the high word once'
  | 'reads in the order of writing'
  | 'writes the low word last'

/** In place of 2^32. */
const BASE = 4
const LAST = 13

function model(mistake: string): Model {
  const model = new Model('the visible seqno')
  const highFirst = model.word('SHARE_VISIBLE_HIGH_FIRST')
  const low = model.word('SHARE_VISIBLE_LOW')
  const highLast = model.word('SHARE_VISIBLE_HIGH_LAST')
  /** What the owner has set, and what it is about to set. */
  const set = model.word('set')
  const next = model.word('next')

  const owner = model.thread('owner')
  const high = (p: Processor): number => Math.floor(p.get(next) / BASE)
  const isHigher = (p: Processor): boolean => high(p) !== Math.floor(p.get(set) / BASE)
  owner.label('again')
  owner.choice('fetchMax', 3, (p, choice) => {
    p.set(next, Math.min(LAST, p.get(set) + (1 + 2 * choice)))
  })
  const stores: Record<string, () => void> = {
    first: () =>
      owner.step('setVisible: HIGH_FIRST', (p) => {
        if (isHigher(p)) p.store(highFirst, high(p))
      }),
    low: () => owner.step('setVisible: LOW', (p) => p.store(low, p.get(next) % BASE)),
    last: () =>
      owner.step('setVisible: HIGH_LAST', (p) => {
        if (isHigher(p)) p.store(highLast, high(p))
      }),
  }
  const order =
    mistake === 'writes the low word last' ? ['first', 'last', 'low'] : ['first', 'low', 'last']
  for (const name of order) stores[name]?.()
  owner.step('is done', (p) => {
    p.set(set, p.get(next))
    return p.get(next) < LAST ? 'again' : END
  })

  const reader = model.thread('reader')
  const readHigh = reader.local('high')
  const readLow = reader.local('low')
  const before = reader.local('set before')
  const lastSeen = reader.local('seen')
  const rounds = reader.local('rounds')
  const isTurned = mistake === 'reads in the order of writing'
  reader.label('again')
  reader.step('visible: HIGH_LAST', (p) => {
    if (p.get(before) === 0) p.set(before, p.get(set))
    p.set(readHigh, p.load(isTurned ? highFirst : highLast))
  })
  reader.step('visible: LOW', (p) => p.set(readLow, p.load(low)))
  reader.step('visible: HIGH_FIRST', (p) => {
    const again = p.load(isTurned ? highLast : highFirst)
    if (again !== p.get(readHigh) && mistake !== 'reads the high word once') return 'again'
    const seqno = p.get(readHigh) * BASE + p.get(readLow)
    if (seqno < p.get(before)) p.fail('less than was visible is read')
    if (seqno > p.get(next)) p.fail('more than is visible is read')
    if (seqno < p.get(lastSeen)) p.fail('the visible seqno goes back')
    p.set(lastSeen, seqno)
    for (const local of [readHigh, readLow, before]) p.set(local, 0)
    p.set(rounds, p.get(rounds) + 1)
    return p.get(rounds) < 2 ? 'again' : END
  })
  return model
}

t.test('what is read was visible', async (test) => {
  holds(test, model)
})

t.test('each mistake is found', async (test) => {
  const wrong = /is read|goes back/
  caught<Mistake>(test, model, {
    'reads the high word once': wrong,
    'reads in the order of writing': wrong,
    'writes the low word last': wrong,
  })
})
