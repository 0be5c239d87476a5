/**
 * The explorer itself, on protocols of which it is known what they can do: how many states there are, which outcomes of two
 * threads are possible with stores that wait and which are not, and what it calls wrong.
 */
import t from 'tap'
import { explore } from '../../support/explorer/explorer.js'
import { BLOCKED, END, Model } from '../../support/explorer/model.js'

/** All pairs of what the two threads have found in the end. */
function outcomes(make: (model: Model) => readonly [number, number], buffered: number): string[] {
  const found: string[] = []
  for (let left = 0; left < 2; left++) {
    for (let right = 0; right < 2; right++) {
      const model = new Model('outcomes', buffered)
      const [a, b] = make(model)
      model.finally('not this one', (at) => at(a) !== left || at(b) !== right)
      if (explore(model).failure === 'not this one') found.push(`${left}${right}`)
    }
  }
  return found
}

/** Each of two threads stores its word and looks at the other's. */
function crosswise(store: 'store' | 'write', load: 'load' | 'read', isLookedAtFirst = false) {
  return (model: Model): readonly [number, number] => {
    const words = [model.word('x'), model.word('y')] as const
    const found = [0, 1].map((i) => {
      const thread = model.thread(`thread ${i}`)
      const local = thread.local('found')
      thread.step('stores', (p) => p[store](words[i as 0 | 1], 1))
      if (isLookedAtFirst) thread.step('looks at its own', (p) => void p.load(words[i as 0 | 1]))
      thread.step('looks', (p) => {
        p.set(local, p[load](words[(1 - i) as 0 | 1]))
        return END
      })
      return local
    })
    return found as unknown as readonly [number, number]
  }
}

/** One thread stores data and then a flag, the other one looks at the flag and then at the data. */
function message(flag: 'store' | 'write') {
  return (model: Model): readonly [number, number] => {
    const [data, isThere] = [model.word('data'), model.word('flag')]
    const sender = model.thread('sender')
    sender.step('the data', (p) => p.write(data, 1))
    sender.step('the flag', (p) => {
      p[flag](isThere, 1)
      return END
    })
    const receiver = model.thread('receiver')
    const [seen, got] = [receiver.local('flag'), receiver.local('data')]
    receiver.step('the flag', (p) => p.set(seen, p.load(isThere)))
    receiver.step('the data', (p) => {
      p.set(got, p.read(data))
      return END
    })
    return [seen, got]
  }
}

t.test('threads that have nothing to do with each other make all pairs of places', async (t) => {
  const model = new Model('apart')
  for (const name of ['a', 'b']) {
    const thread = model.thread(name)
    const word = model.word(name)
    for (let i = 1; i <= 5; i++) thread.step('counts', (p) => p.store(word, i))
    thread.step('ends', () => END)
  }
  t.match(explore(model), { states: 7 * 7, transitions: 2 * 6 * 7, failure: undefined })
})

t.test('two that store and look crosswise', async (t) => {
  t.same(outcomes(crosswise('store', 'load'), 0), ['01', '10', '11'], 'in one order of all')
  t.same(
    outcomes(crosswise('store', 'load'), 2),
    ['01', '10', '11'],
    'atomic stores wait, loads behind them',
  )
  t.same(
    outcomes(crosswise('write', 'load'), 2),
    ['00', '01', '10', '11'],
    'plain stores come late',
  )
  t.same(outcomes(crosswise('store', 'read'), 2), ['00', '01', '10', '11'], 'plain loads go ahead')
  t.same(
    outcomes(crosswise('store', 'read', true), 2),
    ['01', '10', '11'],
    'but not of an atomic load',
  )
})

t.test('data and a flag', async (t) => {
  t.same(outcomes(message('store'), 2), ['00', '01', '11'])
  t.same(
    outcomes(message('write'), 2),
    ['00', '01', '10', '11'],
    'the flag is seen before the data',
  )
})

t.test('who only spins is not stuck; who waits for nothing is', async (t) => {
  const stuck = new Model('stuck')
  const word = stuck.word('word')
  stuck.thread('waiting').step('waits', (p) => (p.load(word) === 0 ? BLOCKED : END))
  t.equal(explore(stuck).failure, 'waiting stands for ever')

  const spinning = new Model('spinning')
  const flag = spinning.word('flag')
  spinning
    .thread('spinning')
    .label('again')
    .step('looks', (p) => (p.load(flag) === 0 ? 'again' : END))
  t.equal(explore(spinning).failure, 'the end cannot be reached from here')
  spinning.thread('other').step('sets it', (p) => {
    p.store(flag, 1)
    return END
  })
  t.equal(explore(spinning).failure, undefined)
})

t.test('a failure comes with a shortest trace, a step with one access', async (t) => {
  const model = new Model('counting')
  const word = model.word('word')
  for (const name of ['a', 'b']) {
    const thread = model.thread(name)
    const seen = thread.local('seen')
    thread.step('loads', (p) => p.set(seen, p.load(word)))
    thread.step('adds one', (p) => {
      p.store(word, p.get(seen) + 1)
      return END
    })
  }
  model.finally('nothing is lost', (at) => at(word) === 2)
  const { failure, trace } = explore(model)
  t.equal(failure, 'nothing is lost')
  t.equal(trace.length, 4)

  const two = new Model('two accesses')
  const other = two.word('other')
  two.thread('hasty').step('loads and stores', (p) => p.store(other, p.load(other) + 1))
  t.throws(() => explore(two), { message: /two accesses/ })
})

t.test('a thread may die before each of its steps', async (t) => {
  const model = new Model('death')
  const lock = model.word('lock')
  const mortal = model.thread('mortal', { isMortal: true })
  mortal.step('takes the lock', (p) => p.store(lock, 1))
  mortal.step('gives it back', (p) => {
    p.store(lock, 0)
    return END
  })
  model.finally('the lock is free', (at) => at(lock) === 0)
  const { failure, trace } = explore(model)
  t.equal(failure, 'the lock is free')
  t.match(trace.at(-1), /mortal dies/)
})
