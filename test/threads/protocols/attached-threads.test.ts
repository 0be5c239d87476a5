/**
 * Threads that come and go, every order of steps: `AttachedReader` and `OwnerPort` of sharing/ give a slot and a region and
 * take them back when the thread says so or its port closes; `Reclaimer` frees what was retired. Threads may die before any
 * of their steps. A thread has its slot and its region while it may use them; both come back once; no state goes that a
 * thread reads; nothing stays in limbo.
 */
import t from 'tap'
import { caught, holds } from '../../support/explorer/canaries.js'
import { BLOCKED, END, ENDED, Model } from '../../support/explorer/model.js'
import { advance, EpochWords, enter, havePassed, leave } from './epoch-steps.js'

type Mistake =
  | 'says goodbye before it lets go'
  | 'takes back again when the port closes'
  | 'takes back nothing when a port closes'
  | 'counts a thread in some time after its grant'
  | 'leaves the slot of the dead as it is'
  | 'closing the tree takes all back'

const GARBAGE = 9
/** What goes over a thread's port. */
const NOTHING = 0
const ATTACH = 1
const DETACH = 2
const NOBODY = 0

function model(mistake: string): Model {
  const threadCount = 2
  const model = new Model('threads that come and go')
  // One slot beside the owner's, so that the second thread gets what the first one had, or waits for it.
  const epochs = new EpochWords(model, 2)
  const history = model.word('SHARE_HISTORY', 1)
  const states = model.words('STATE', 3)
  const inboxes = model.words('port', threadCount)
  const grants = model.words('grant', threadCount)
  // Each thread has its own READER; the one region is given with the one slot.
  const held = model.words('READER_STATES', threadCount)
  const region = model.word('region')
  /** Who has the slot: 1 + thread. For the owner alone to look at. */
  const taken = model.word('taken', NOBODY)
  const isAttached = model.words('attached', threadCount)

  const threads = Array.from({ length: threadCount }, (_, number) => {
    const thread = model.thread(`thread ${number + 1}`, { isMortal: true })
    const state = thread.local('state')
    const me = number + 1
    const check = (): void => {
      thread.step('finds in its region what it wrote there', (p) => {
        if (p.load(region) !== me) p.fail('a region has two threads')
      })
    }
    const goodbye = (): void => {
      thread.step('OwnerControl.detach', (p) => p.store(inboxes + number, DETACH))
    }
    thread.step('attach', (p) => p.store(inboxes + number, ATTACH))
    thread.step('has its grant', (p) => {
      const grant = p.load(grants + number)
      if (grant === 0) return BLOCKED
      if (grant === 2) return END
    })
    thread.step('writes to its region', (p) => p.store(region, me))
    enter(thread, epochs, 1)
    thread.step('ShareWords.history', (p) => {
      p.set(state, p.load(history))
      if (p.get(state) === 0) return 'is closed'
    })
    if (mistake === 'says goodbye before it lets go') goodbye()
    thread.step('ReaderWords.hold', (p) => p.store(held + number, p.get(state)))
    leave(thread, epochs, 1)
    for (let i = 0; i < 2; i++) {
      thread.step('reads the state', (p) => {
        if (p.read(states + p.get(state)) === GARBAGE) p.fail('a state that was used anew is read')
      })
    }
    check()
    thread.step('ReaderWords.release', (p) => {
      p.set(state, 0)
      p.store(held + number, 0)
    })
    thread.step('goes on', () => 'goes')
    thread.label('is closed')
    leave(thread, epochs, 1)
    thread.label('goes')
    check()
    if (mistake !== 'says goodbye before it lets go') goodbye()
    thread.step('OwnerLine.close', (p) => {
      if (p.load(inboxes + number) !== NOTHING) return BLOCKED
      return END
    })
    return thread
  })

  const owner = model.thread('owner')
  const old = owner.local('old state', 1)
  const stamp = owner.local('stamp')
  const isClosed = owner.local('closed')
  /** Ports whose end was told. */
  const ended = owner.local('ended ports')
  const limbo = owner.local('in limbo')

  const count = (at: (word: number) => number): number => {
    let sum = 0
    for (let i = 0; i < threadCount; i++) sum += at(isAttached + i)
    return sum
  }

  owner.label('turn')
  owner.choice('an event', 3 + threadCount, (p, event) => {
    if (event === 0) return p.get(isClosed) === 0 ? 'publishes' : BLOCKED
    if (event === 1) return p.get(limbo) > 0 ? 'sweeps' : BLOCKED
    if (event === 2) return p.get(ended) === 3 && p.get(limbo) === 0 ? END : BLOCKED
    const number = event - 3
    const bit = 1 << number
    if ((p.get(ended) & bit) !== 0) return BLOCKED
    const position = p.get((threads[number] as (typeof threads)[number]).position)
    const message = p.load(inboxes + number)
    // A port closes with its thread; what was under way may come or be lost.
    if (message === ATTACH) return `grants ${number}`
    if (message === DETACH) return `ends ${number}`
    if (position >= ENDED) return `closes ${number}`
    return BLOCKED
  })

  owner.label('publishes')
  owner.step('ShareWords.publish, or close', (p) => {
    const next = p.get(old) === 1 ? 2 : 0
    p.store(history, next)
    if (next === 0) p.set(isClosed, 1)
    if (next === 0 && mistake === 'closing the tree takes all back') {
      p.set(taken, NOBODY)
      p.set(region, 0)
      for (let i = 0; i < threadCount; i++) p.set(isAttached + i, 0)
    }
  })
  owner.step('Reclaimer.retire', (p) => {
    if (count((word) => p.get(word)) > 0) return
    p.set(states + p.get(old), GARBAGE)
    return 'is retired'
  })
  advance(owner, epochs, stamp)
  owner.step('to limbo', (p) => {
    // Stamps of the two states: the later one is good for both.
    p.set(limbo, p.get(limbo) | (1 << p.get(old)))
  })
  owner.label('is retired')
  owner.step('goes on', (p) => {
    p.set(old, p.get(old) + 1)
    return 'turn'
  })

  owner.label('sweeps')
  owner.step('Reclaimer.sweep: is anybody there', (p) => {
    return count((word) => p.get(word)) === 0 ? 'frees all' : undefined
  })
  havePassed(owner, epochs, (p) => p.get(stamp), 'turn')
  for (let number = 0; number < threadCount; number++) {
    owner.step(`ReaderWords.holds, of thread ${number + 1}`, (p) => {
      if (p.get(isAttached + number) === 0) return
      const state = p.load(held + number)
      if (state > 0 && (p.get(limbo) & (1 << state)) !== 0) return 'turn'
    })
  }
  owner.label('frees all')
  owner.step('frees', (p) => {
    for (const state of [1, 2])
      if ((p.get(limbo) & (1 << state)) !== 0) p.set(states + state, GARBAGE)
    p.set(limbo, 0)
    p.set(stamp, 0)
    return 'turn'
  })

  for (const number of threads.keys()) {
    const bit = 1 << number
    owner.label(`grants ${number}`)
    owner.step('OwnerPort.grant', (p) => {
      if (p.get(isClosed) === 1) return `refuses ${number}`
      // All slots are taken: the model has the thread wait, where the engine would refuse.
      if (p.get(taken) !== NOBODY) return 'turn'
      p.set(taken, number + 1)
      if (mistake !== 'counts a thread in some time after its grant') p.set(isAttached + number, 1)
    })
    owner.step('AttachedReader: words.clear', (p) => p.store(held + number, 0))
    owner.step('takes the message', (p) => p.store(inboxes + number, NOTHING))
    owner.step('the grant', (p) => {
      p.store(grants + number, 1)
      return mistake === 'counts a thread in some time after its grant'
        ? `counts ${number}`
        : 'turn'
    })
    if (mistake === 'counts a thread in some time after its grant') {
      owner.label(`counts ${number}`)
      // Where the grant is sent in another turn than the one that counts.
      owner.choice('another event comes first', 2, (p, choice) => {
        p.set(isAttached + number, choice)
        return 'turn'
      })
    }
    owner.label(`refuses ${number}`)
    owner.step('VARVE_CLOSED', (p) => p.store(inboxes + number, NOTHING))
    owner.step('the refusal', (p) => {
      p.store(grants + number, 2)
      return 'turn'
    })

    owner.label(`ends ${number}`)
    owner.step('OwnerPort.detach', (p) => p.store(inboxes + number, NOTHING))
    owner.step('goes on', () => `takes back ${number}`)
    owner.label(`closes ${number}`)
    owner.step('the port has closed', (p) => {
      p.set(ended, p.get(ended) | bit)
      p.store(inboxes + number, NOTHING)
      if (mistake === 'takes back nothing when a port closes') return 'turn'
    })
    owner.label(`takes back ${number}`)
    owner.step('Share.detach', (p) => {
      if (p.get(isAttached + number) === 0) {
        // A second call does nothing.
        if (mistake === 'takes back again when the port closes' && p.get(grants + number) === 1)
          return
        return 'turn'
      }
      p.set(isAttached + number, 0)
    })
    owner.step('AttachedReader.end: words.clear', (p) => p.store(held + number, 0))
    owner.step('frees the region', (p) => p.store(region, 0))
    owner.step('Epochs.give', (p) => {
      p.set(taken, NOBODY)
      if (mistake !== 'leaves the slot of the dead as it is') p.store(epochs.slots + 1, 0)
      return 'turn'
    })
  }

  model.finally('nothing stays in limbo', (at) => at(limbo) === 0)
  model.finally('slot and region are back', (at) => {
    return at(taken) === NOBODY && at(region) === 0 && at(epochs.slots + 1) === 0
  })
  return model
}

t.test('a thread has what it was given while it may use it, and no longer', async (test) => {
  holds(test, model)
})

t.test('each mistake is found', async (test) => {
  const shared = /a region has two threads/
  const lost = /slot and region are back/
  caught<Mistake>(test, model, {
    'says goodbye before it lets go': shared,
    'takes back again when the port closes': shared,
    'takes back nothing when a port closes': lost,
    'counts a thread in some time after its grant': lost,
    'leaves the slot of the dead as it is': lost,
    'closing the tree takes all back': shared,
  })
})
