/**
 * Holds that outlive an epoch, every order of steps: `ReaderWords.hold` of memory/share-words.ts against the owner, which
 * puts another read state in the place of the one at hand and uses the old one anew once the epochs have passed and nobody
 * holds it.
 */
import t from 'tap'
import { caught, holds } from '../../support/explorer/canaries.js'
import { END, Model } from '../../support/explorer/model.js'
import { advance, EpochWords, enter, havePassed, leave } from './epoch-steps.js'

type Mistake =
  | 'holds after leaving'
  | 'asks for holds before the epochs'
  | 'asks for epochs alone'
  | 'lets go before the last read'

const GARBAGE = 9

function model(mistake: string, readerCount = 2): Model {
  const model = new Model('holds')
  const epochs = new EpochWords(model, 1 + readerCount)
  // States are 1 and 2, so that 0 holds nothing.
  const history = model.word('SHARE_HISTORY', 1)
  const states = model.words('STATE', 3)
  const held = model.words('READER_STATES', readerCount)

  for (let number = 0; number < readerCount; number++) {
    const reader = model.thread(`reader ${number + 1}`)
    const state = reader.local('state')
    const rounds = reader.local('rounds')
    const read = (): void => {
      reader.step('reads the state', (p) => {
        if (p.read(states + p.get(state)) === GARBAGE) p.fail('a state that was used anew is read')
      })
    }
    const hold = (): void => {
      reader.step('ReaderWords.hold', (p) => p.store(held + number, p.get(state)))
    }
    const release = (): void => {
      reader.step('ReaderWords.release', (p) => p.store(held + number, 0))
    }
    reader.label('again')
    enter(reader, epochs, 1 + number)
    reader.step('ShareWords.history', (p) => p.set(state, p.load(history)))
    if (mistake === 'holds after leaving') {
      leave(reader, epochs, 1 + number)
      hold()
    } else {
      hold()
      leave(reader, epochs, 1 + number)
    }
    read()
    if (mistake === 'lets go before the last read') release()
    read()
    if (mistake !== 'lets go before the last read') release()
    reader.step('goes on', (p) => {
      p.set(state, 0)
      p.set(rounds, p.get(rounds) + 1)
      return p.get(rounds) < 2 && number === 0 ? 'again' : END
    })
  }

  const owner = model.thread('owner')
  const old = owner.local('old', 1)
  const stamp = owner.local('stamp')
  const turns = owner.local('turns')
  const askForHolds = (): void => {
    for (let number = 0; number < readerCount; number++) {
      owner.step(`ReaderWords.holds, of reader ${number + 1}`, (p) => {
        if (p.load(held + number) === p.get(old)) return 'is kept'
      })
    }
  }
  owner.label('again')
  owner.step('fills the next state', (p) => p.store(states + 3 - p.get(old), 0))
  owner.step('ShareWords.publish', (p) => p.store(history, 3 - p.get(old)))
  advance(owner, epochs, stamp)
  owner.label('is kept')
  if (mistake === 'asks for holds before the epochs') askForHolds()
  havePassed(owner, epochs, (p) => p.get(stamp), 'is kept')
  if (mistake !== 'asks for holds before the epochs' && mistake !== 'asks for epochs alone')
    askForHolds()
  owner.step('uses the old state anew', (p) => {
    p.store(states + p.get(old), GARBAGE)
    p.set(old, 3 - p.get(old))
    p.set(stamp, 0)
    p.set(turns, p.get(turns) + 1)
    return p.get(turns) < 2 ? 'again' : END
  })
  return model
}

t.test('nobody reads a state that was used anew', async (test) => {
  holds(test, model)
})

t.test('each mistake is found', async (test) => {
  const anew = /used anew/
  caught<Mistake>(test, (mistake) => model(mistake, 1), {
    'holds after leaving': anew,
    'asks for holds before the epochs': anew,
    'asks for epochs alone': anew,
    'lets go before the last read': anew,
  })
})
