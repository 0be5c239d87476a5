/**
 * Epochs, every order of steps: nobody that is inside reads memory that was used anew. Readers enter, find a piece, read it
 * twice and leave; the owner puts another piece in its place and uses the old one anew once the epochs have passed; a third
 * thread begins epochs, as eviction from the block cache does. Counters wrap at 8.
 */
import t from 'tap'
import { caught, holds } from '../../support/explorer/canaries.js'
import { END, Model } from '../../support/explorer/model.js'
import { advance, type EpochMistake, EpochWords, enter, havePassed } from './epoch-steps.js'

/** What a piece holds while nobody may read it. */
const GARBAGE = 9

/**
 * @param firstLook whether what readers look at first is read atomically, as the HISTORY of a tree, or plainly, as the tags
 *   of the block cache
 */
function model(firstLook: 'atomic' | 'plain', mistake: string): Model {
  const model = new Model(`epochs, first look ${firstLook}`, firstLook === 'plain' ? 2 : 0)
  const epochs = new EpochWords(model, 2)
  const link = model.word('LINK', 0)
  const pieces = model.words('PIECE', 2)

  const reader = model.thread('reader')
  const found = reader.local('found')
  const rounds = reader.local('rounds')
  const look = (): void => {
    reader.step('looks: which piece?', (p) => {
      p.set(found, firstLook === 'plain' ? p.read(link) : p.load(link))
    })
  }
  reader.label('again')
  if (mistake === 'enters after the first look') look()
  enter(reader, epochs, 1, mistake)
  if (mistake !== 'enters after the first look') look()
  for (let i = 0; i < 2; i++) {
    reader.step('reads the piece', (p) => {
      if (p.read(pieces + p.get(found)) === GARBAGE) p.fail('memory that was used anew is read')
    })
  }
  reader.step('leave: Atomics.store(slot, 0)', (p) => {
    p.store(epochs.slots + 1, 0)
    p.set(found, 0)
    p.set(rounds, p.get(rounds) + 1)
    return p.get(rounds) < 2 ? 'again' : END
  })

  const owner = model.thread('owner')
  const used = owner.local('used')
  const stamp = owner.local('stamp')
  const turns = owner.local('turns')
  const takeOut = (): void => {
    owner.step('puts the other piece in its place', (p) => p.store(link, 1 - p.get(used)))
  }
  const put = (value: number): void => {
    owner.step(`fills a piece with ${value}`, (p) => {
      const piece = pieces + (value === GARBAGE ? p.get(used) : 1 - p.get(used))
      if (firstLook === 'plain') p.write(piece, value)
      else p.store(piece, value)
    })
  }
  owner.label('again')
  put(0)
  if (mistake === 'takes out after beginning an epoch') {
    advance(owner, epochs, stamp)
    takeOut()
  } else {
    takeOut()
    advance(owner, epochs, stamp, mistake)
  }
  owner.label('waits')
  havePassed(owner, epochs, (p) => p.get(stamp), 'waits', mistake)
  put(GARBAGE)
  owner.step('goes on', (p) => {
    p.set(used, 1 - p.get(used))
    p.set(stamp, 0)
    p.set(turns, p.get(turns) + 1)
    return p.get(turns) < 3 ? 'again' : END
  })

  const evicting = model.thread('evicting thread')
  const other = evicting.local('stamp')
  const times = evicting.local('times')
  evicting.label('again')
  advance(evicting, epochs, other, mistake)
  evicting.step('goes on', (p) => {
    p.set(other, 0)
    p.set(times, p.get(times) + 1)
    return p.get(times) < 3 ? 'again' : END
  })
  return model
}

t.test('nobody inside reads what is used anew', async (test) => {
  holds(test, (mistake) => model('atomic', mistake))
  holds(test, (mistake) => model('plain', mistake))
})

t.test('each mistake is found', async (test) => {
  const anew = /used anew/
  caught<EpochMistake>(test, (mistake) => model('atomic', mistake), {
    'enters after the first look': anew,
    'enters without looking at the epoch again': anew,
    'takes out after beginning an epoch': anew,
    'takes a slot of the same epoch for a later one': anew,
    'forgets the last slot': anew,
    'begins epochs whatever lags behind': anew,
    'leaves it to others to begin the epoch that is missing': /end cannot be reached/,
  })
  caught(test, (mistake) => model('plain', mistake), {
    'enters without looking at the epoch again': anew,
  })
})
