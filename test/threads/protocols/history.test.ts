/**
 * Reading at the newest seqno, every order of steps: the look of a reader (HISTORY, visible seqno, HISTORY again:
 * memory/share-words.ts I1) against an owner that writes, rotates its memtable and clears its tree. Nothing written below
 * the seqno that was seen is missed, nothing cleared comes back, the seqno never goes back, and a HISTORY that is read is
 * whole.
 */
import t from 'tap'
import { caught, holds } from '../../support/explorer/canaries.js'
import { END, Model, type Processor, type Word } from '../../support/explorer/model.js'
import { advance, EpochWords, enter, havePassed } from './epoch-steps.js'

type Mistake =
  | 'does not look at the history again'
  | 'looks at the visible seqno first'
  | 'makes a write visible before it can be found'
  | 'makes a write visible before its memtable tells of it'
  | 'writes to a fresh memtable before it is published'
  | 'makes a clear visible before it is published'
  | 'drops the older state before the clear is visible'
  | 'enters after the look at the history'
  | 'uses an old history anew at once'

const GARBAGE = 255
const NO_STATE = 0
const PIECES = 3
const MEMTABLES = 4
/** The lowest seqno of a memtable that is empty. */
const NOTHING = 99

/** A read state here: the memtables from the first to the last one. */
const stateOf = (first: number, last: number): number => 16 + 4 * first + last
const firstOf = (state: number): number => Math.floor((state - 16) / 4)
const lastOf = (state: number): number => (state - 16) % 4

function model(mistake: string, operations = 3): Model {
  const model = new Model('histories and the visible seqno', 3)
  const epochs = new EpochWords(model, 2)
  const history = model.word('SHARE_HISTORY')
  const visible = model.word('SHARE_VISIBLE')
  // A HISTORY: the state before a clear, from which seqno on the latest one is exact, and the latest one.
  const older = model.words('older state', PIECES, NO_STATE)
  const from = model.words('exact from', PIECES)
  const latest = model.words('latest state', PIECES, NO_STATE)
  model.initial[latest] = stateOf(0, 0)
  // Bit n: the write with seqno n can be found there.
  const memtables = model.words('memtable', MEMTABLES)
  const lowest = model.words('MEMTABLE_SEQNO_MIN', MEMTABLES, NOTHING)
  /** All that was written, and the seqno from which on reads see nothing of before: for the properties. */
  const written = model.word('written')
  const cleared = model.word('cleared')

  const reader = model.thread('reader')
  const at = reader.local('history')
  const seqno = reader.local('seqno')
  const state = reader.local('state')
  const found = reader.local('found')
  const wanted = reader.local('wanted')
  const seen = reader.local('seen')
  const memtable = reader.local('memtable')
  const rounds = reader.local('rounds')
  const lookAtHistory = (): void => {
    reader.step('ShareWords.history', (p) => p.set(at, p.load(history)))
  }
  const lookAtSeqno = (): void => {
    reader.step('ShareWords.visible', (p) => {
      p.set(seqno, p.load(visible))
      // What this seqno may see, all of which lies below it.
      const isAfterClear = p.get(cleared) > 0 && p.get(seqno) >= p.get(cleared)
      const below = (1 << p.get(seqno)) - 1
      const gone = isAfterClear ? (1 << p.get(cleared)) - 1 : 0
      p.set(wanted, p.get(written) & below & ~gone)
    })
  }
  reader.label('begins')
  if (mistake !== 'enters after the look at the history') enter(reader, epochs, 1)
  reader.label('again')
  if (mistake === 'looks at the visible seqno first') {
    lookAtSeqno()
    lookAtHistory()
  } else {
    lookAtHistory()
    lookAtSeqno()
    if (mistake !== 'does not look at the history again') {
      reader.step('ShareWords.history again', (p) => {
        if (p.load(history) === p.get(at)) return
        p.set(wanted, 0)
        return 'again'
      })
    }
  }
  if (mistake === 'enters after the look at the history') enter(reader, epochs, 1)
  reader.step('HISTORY_EXACT_FROM of the latest', (p) => {
    const exactFrom = p.read(from + p.get(at))
    if (exactFrom === GARBAGE) p.fail('a history that was used anew is read')
    if (p.get(seqno) < p.get(seen)) p.fail('the seqno goes back')
    if (exactFrom <= p.get(seqno)) return 'latest'
  })
  reader.step('HISTORY_STATE of the older one', (p) => {
    const value = p.read(older + p.get(at))
    p.set(state, value)
    if (value === NO_STATE) p.fail('no state for the newest seqno')
    return 'walks'
  })
  reader.label('latest')
  reader.step('HISTORY_STATE of the latest', (p) => p.set(state, p.read(latest + p.get(at))))
  reader.label('walks')
  reader.step('begins with the oldest memtable', (p) => {
    if (p.get(state) === GARBAGE) p.fail('a history that was used anew is read')
    p.set(memtable, firstOf(p.get(state)))
  })
  reader.label('next memtable')
  reader.step('passes a memtable', (p) => {
    if (p.read(lowest + p.get(memtable)) >= p.get(seqno)) return 'is passed'
  })
  reader.step('reads a memtable', (p) => {
    p.set(found, p.get(found) | p.load(memtables + p.get(memtable)))
  })
  reader.label('is passed')
  reader.step('is it the newest?', (p) => {
    if (p.get(memtable) >= lastOf(p.get(state))) return
    p.set(memtable, p.get(memtable) + 1)
    return 'next memtable'
  })
  reader.step('leave', (p) => {
    const isSeen = p.get(found) & ((1 << p.get(seqno)) - 1)
    if ((isSeen & p.get(wanted)) !== p.get(wanted)) p.fail('a write is lost')
    if (isSeen !== p.get(wanted)) p.fail('something that was cleared is back')
    p.store(epochs.slots + 1, 0)
    p.set(seen, p.get(seqno))
    for (const local of [at, seqno, state, found, wanted, memtable]) p.set(local, 0)
    p.set(rounds, p.get(rounds) + 1)
    return p.get(rounds) < 2 ? 'begins' : END
  })

  const owner = model.thread('owner')
  const active = owner.local('active')
  const counted = owner.local('memtables with a lowest seqno')
  const first = owner.local('first')
  const next = owner.local('next seqno')
  const stamp = owner.local('stamp')
  const done = owner.local('done')
  const current = owner.local('history')
  const exactFrom = owner.local('exact from')
  const fresh = owner.local('fresh stamp')

  /** Another HISTORY in the place of the one at hand. Of three, one is current, one retired, one free for the next. */
  const publish = (what: string, keepsOlder: boolean, then?: () => void): void => {
    const fill = (field: string, words: Word, value: (p: Processor) => number): void => {
      owner.step(`${what}: ${field}`, (p) => {
        p.write(words + ((p.get(current) + 1) % PIECES), value(p))
      })
    }
    fill('exact from', from, (p) => p.get(exactFrom))
    fill('older', older, (p) => (keepsOlder ? p.get(latest + p.get(current)) : NO_STATE))
    fill('latest', latest, (p) => stateOf(p.get(first), p.get(active)))
    owner.step('ShareWords.publish', (p) => {
      p.set(current, (p.get(current) + 1) % PIECES)
      p.store(history, p.get(current))
    })
    then?.()
    advance(owner, epochs, fresh)
    const waits = owner.freshLabel('waits')
    const isFree = owner.freshLabel('is free')
    owner.step('is one retired since before?', (p) => (p.get(stamp) === 0 ? isFree : undefined))
    if (mistake !== 'uses an old history anew at once') {
      owner.label(waits)
      havePassed(owner, epochs, (p) => p.get(stamp), waits)
    }
    owner.step('frees the HISTORY before', (p) => {
      const free = (p.get(current) + 1) % PIECES
      p.write(from + free, GARBAGE)
      p.set(older + free, GARBAGE)
      p.set(latest + free, GARBAGE)
    })
    owner.label(isFree)
    owner.step('one more is retired', (p) => {
      p.set(stamp, p.get(fresh))
      p.set(fresh, 0)
    })
  }
  const insert = (): void => {
    owner.step('memtable_commit', (p) => {
      const bit = 1 << p.get(next)
      p.change(memtables + p.get(active), (old) => old | bit)
      p.set(written, p.get(written) | bit)
    })
  }
  const count = (): void => {
    owner.step('count_seqno', (p) => {
      // Seqnos ascend here: the first one of a memtable is its lowest.
      if (p.get(counted) > p.get(active)) return
      p.set(counted, p.get(active) + 1)
      p.write(lowest + p.get(active), p.get(next))
    })
  }
  const makeVisible = (): void => {
    owner.step('ShareWords.setVisible', (p) => p.store(visible, p.get(next) + 1))
  }

  owner.label('begins')
  owner.choice('writes, rotates and writes, or clears', 3, (p, choice) => {
    if (choice === 0) return 'writes'
    if (p.get(active) + 1 === MEMTABLES) return 'writes'
    if (choice === 1) return 'rotates'
    if (p.get(cleared) > 0) return 'writes'
    return 'clears'
  })

  owner.label('rotates')
  owner.step('a fresh memtable', (p) => p.set(active, p.get(active) + 1))
  if (mistake === 'writes to a fresh memtable before it is published') {
    insert()
    count()
    makeVisible()
    publish('TreeCore.rotate', false)
    owner.step('goes on', () => 'is done')
  } else {
    publish('TreeCore.rotate', false)
    owner.step('goes on', () => 'writes')
  }

  owner.label('clears')
  owner.step('a seqno for it', (p) => {
    p.set(exactFrom, p.get(next) + 1)
    p.set(active, p.get(active) + 1)
    p.set(first, p.get(active))
    p.set(cleared, p.get(next) + 1)
  })
  if (mistake === 'makes a clear visible before it is published') makeVisible()
  publish(
    'VersionHistory.install',
    mistake !== 'drops the older state before the clear is visible',
    makeVisible,
  )
  publish('VersionHistory.collectUnpinned', false)
  owner.step('goes on', () => 'is done')

  owner.label('writes')
  if (mistake === 'makes a write visible before it can be found') {
    makeVisible()
    owner.step('says so', (p) => p.set(written, p.get(written) | (1 << p.get(next))))
    insert()
    count()
  } else {
    insert()
    if (mistake !== 'makes a write visible before its memtable tells of it') count()
    makeVisible()
    if (mistake === 'makes a write visible before its memtable tells of it') count()
  }
  owner.label('is done')
  owner.step('goes on', (p) => {
    p.set(next, p.get(next) + 1)
    p.set(done, p.get(done) + 1)
    return p.get(done) < operations ? 'begins' : END
  })
  return model
}

t.test('a read at the newest seqno finds what is below it', async (test) => {
  holds(test, model)
})

t.test('each mistake is found', async (test) => {
  const lost = /a write is lost/
  const anew = /used anew/
  caught<Mistake>(test, model, {
    'does not look at the history again': /is lost|is back/,
    'looks at the visible seqno first': /no state for the newest seqno/,
    'makes a write visible before it can be found': lost,
    'makes a write visible before its memtable tells of it': lost,
    'writes to a fresh memtable before it is published': lost,
    'makes a clear visible before it is published': /is back/,
    'drops the older state before the clear is visible': /no state for the newest seqno/,
    'enters after the look at the history': anew,
    'uses an old history anew at once': anew,
  })
})
