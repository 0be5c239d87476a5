/**
 * Snapshots against decisions about what goes, every order of steps: `ReaderCore.pin` (sharing/reader-core.ts) against
 * `ShareWords.decide` of memory/share-words.ts. A snapshot that was handed out finds the state of its seqno until it is
 * disposed.
 *
 * A history is a set of bits here: state n is exact from seqno n on, up to the next state that there ever was.
 */
import t from 'tap'
import { caught, holds } from '../../support/explorer/canaries.js'
import { BLOCKED, END, Model } from '../../support/explorer/model.js'

type Mistake =
  | 'pins when it has found the state'
  | 'looks at the decisions before it pins'
  | 'does not wait for a decision'
  | 'hands out without a look'
  | 'the owner looks at pins before it decides'
  | 'the owner publishes after it has decided'
  | 'the owner drops a state before the next is visible'

function model(mistake: string): Model {
  const readerCount = 2
  const installs = 2
  const model = new Model('snapshots')
  const history = model.word('SHARE_HISTORY', 1)
  const visible = model.word('SHARE_VISIBLE')
  const collecting = model.word('SHARE_COLLECTING')
  const pins = model.words('READER_PINS', readerCount)

  for (let number = 0; number < readerCount; number++) {
    const reader = model.thread(`reader ${number + 1}`)
    const seqno = reader.local('seqno')
    const pin = (): void => {
      reader.step('ReaderWords.pin', (p) => p.store(pins + number, p.get(seqno) + 1))
    }
    const decided = (): void => {
      if (mistake === 'hands out without a look') return
      reader.step('ShareWords.decided', (p) => {
        const word = p.load(collecting)
        if (word % 2 === 1 && mistake !== 'does not wait for a decision') return BLOCKED
      })
    }
    reader.label('again')
    reader.step('ShareWords.visible', (p) => p.set(seqno, p.load(visible)))
    if (mistake === 'looks at the decisions before it pins') decided()
    if (mistake !== 'pins when it has found the state') pin()
    if (mistake !== 'looks at the decisions before it pins') decided()
    reader.step('ShareWords.history, for its state', (p) => {
      if ((p.load(history) & (1 << p.get(seqno))) === 0) return 'unpins'
    })
    if (mistake === 'pins when it has found the state') pin()
    for (let reads = 0; reads < 2; reads++) {
      reader.step('ShareWords.history, for a read of the snapshot', (p) => {
        if ((p.load(history) & (1 << p.get(seqno))) === 0) p.fail('the state of a snapshot is gone')
      })
    }
    reader.step('ReaderWords.unpin', (p) => {
      p.set(seqno, 0)
      p.store(pins + number, 0)
      return END
    })
    reader.label('unpins')
    reader.step('ReaderWords.unpin, to start over', (p) => {
      p.set(seqno, 0)
      p.store(pins + number, 0)
      return 'again'
    })
  }

  const owner = model.thread('owner')
  const latest = owner.local('latest')
  const needed = owner.local('needed')
  const lookAtPins = (): void => {
    for (let number = 0; number < readerCount; number++) {
      owner.step(`ReaderWords.pinned, of reader ${number + 1}`, (p) => {
        const value = p.load(pins + number)
        if (value > 0) p.set(needed, p.get(needed) | (1 << (value - 1)))
      })
    }
  }
  const collect = (): void => {
    if (mistake === 'the owner looks at pins before it decides') lookAtPins()
    owner.step('decide: odd', (p) => p.store(collecting, p.get(collecting) + 1))
    if (mistake !== 'the owner looks at pins before it decides') lookAtPins()
    const publish = (): void => {
      owner.step('VersionHistory.collect: ShareWords.publish', (p) => {
        const kept = p.get(needed) | (1 << p.get(latest))
        p.store(history, p.get(history) & kept)
        p.set(needed, 0)
      })
    }
    if (mistake !== 'the owner publishes after it has decided') publish()
    owner.step('decide: even', (p) => p.store(collecting, p.get(collecting) + 1))
    if (mistake === 'the owner publishes after it has decided') publish()
  }
  const makeVisible = (): void => {
    owner.step('ShareWords.setVisible', (p) => p.store(visible, p.get(latest)))
  }
  owner.label('begins')
  owner.step('VersionHistory.install: ShareWords.publish', (p) => {
    p.set(latest, p.get(latest) + 1)
    p.store(history, p.get(history) | (1 << p.get(latest)))
  })
  if (mistake === 'the owner drops a state before the next is visible') {
    collect()
    makeVisible()
  } else {
    makeVisible()
    collect()
  }
  owner.step('goes on', (p) => (p.get(latest) < installs ? 'begins' : END))

  const isKept = (at: (word: number) => number): boolean => (at(history) & (1 << at(visible))) !== 0
  model.invariant('the state of the visible seqno is there', isKept)
  return model
}

t.test('a snapshot finds the state of its seqno', async (test) => {
  holds(test, model)
})

t.test('each mistake is found', async (test) => {
  const gone = /state of a snapshot is gone/
  caught<Mistake>(test, model, {
    'pins when it has found the state': gone,
    'looks at the decisions before it pins': gone,
    'does not wait for a decision': gone,
    'hands out without a look': gone,
    'the owner looks at pins before it decides': gone,
    'the owner publishes after it has decided': gone,
    'the owner drops a state before the next is visible': /visible seqno is there/,
  })
})
