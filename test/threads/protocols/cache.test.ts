/**
 * The block cache, every order of steps: threads that look up, insert, pin and read, one of which may die before any of
 * its steps; the owner of the memory takes its things back then (`BlockCache.closeView`, `Epochs.give`). What is found is
 * the block that was asked for and stays while its thread is inside or pins it; no segment is lost; the lock is free in
 * the end.
 */
import t from 'tap'
import { caught, holds } from '../../support/explorer/canaries.js'
import {
  BLOCKED,
  DEAD,
  END,
  ENDED,
  Model,
  type Processor,
  type Thread,
} from '../../support/explorer/model.js'
import {
  type CacheMistake,
  CacheWords,
  clear,
  FREED,
  insert,
  LIMBO,
  lookUp,
  OPEN,
  QUEUED,
  reclaim,
} from './cache-steps.js'
import { EpochWords, enter, leave } from './epoch-steps.js'

interface Scene {
  readonly segments: number
  readonly reserve: number
  /** What each thread reads, and whether it may die. */
  /** Stores of a thread that may wait; default 0. */
  readonly buffered?: number
  readonly threads: readonly { readonly blocks: readonly number[]; readonly isMortal?: boolean }[]
}

function model(scene: Scene, mistake: string): Model {
  const { segments, reserve, threads } = scene
  const model = new Model(
    `the block cache, ${segments} segments, ${threads.length} threads`,
    scene.buffered,
  )
  const epochs = new EpochWords(model, 1 + threads.length)
  const cache = new CacheWords(model, epochs, segments, 2, 1 + threads.length, reserve)
  // Block 1 was inserted some time ago, block 2 lately.
  cache.begin(model, 0, 0, 1, QUEUED)
  cache.begin(model, 1, 1, 2, OPEN)

  const readers = threads.map(({ blocks, isMortal = false }, i): Thread => {
    const slot = i + 1
    const thread = model.thread(`thread ${slot}`, { isMortal })
    const found = thread.local('found')
    const round = thread.local('rounds')
    const block = (p: Processor): number => blocks[p.get(round)] ?? 0
    const pins = cache.pins + slot * segments
    const read = (): void => {
      thread.step('reads the block', (p) => {
        if (p.read(cache.recordBytes + p.get(found) - 1) !== block(p))
          p.fail('the bytes are of another block')
      })
    }
    const pin = (): void => {
      thread.step('cache_pin', (p) => p.write(pins + p.get(found) - 1, 1))
    }
    thread.label('again')
    enter(thread, epochs, slot)
    lookUp(thread, cache, block, found, true, mistake)
    thread.step('cache_find', (p) => (p.get(found) !== 0 ? 'found' : undefined))
    insert(thread, cache, slot, block, found, mistake)
    thread.step('cache_insert', (p) => (p.get(found) === 0 ? 'leaves' : undefined))
    thread.label('found')
    read()
    thread.choice('reads on, or pins', 2, (_, choice) => (choice === 0 ? 'reads on' : undefined))
    if (mistake === 'pins after leaving') {
      leave(thread, epochs, slot)
      pin()
    } else {
      pin()
      leave(thread, epochs, slot)
    }
    read()
    thread.step('cache_unpin', (p) => {
      p.store(pins + p.get(found) - 1, 0)
      p.set(found, 0)
      return 'ends'
    })
    thread.label('reads on')
    read()
    thread.label('leaves')
    leave(thread, epochs, slot)
    thread.label('ends')
    thread.step('goes on', (p) => {
      p.set(found, 0)
      p.set(round, p.get(round) + 1)
      return p.get(round) < blocks.length ? 'again' : END
    })
    return thread
  })

  const owner = model.thread('owner')
  const waiting = owner.local('waiting')
  for (const [i, { isMortal = false }] of threads.entries()) {
    if (!isMortal) continue
    const { position } = readers[i] as Thread
    const slot = i + 1
    const goes = owner.freshLabel('goes')
    const isFree = owner.freshLabel('is free')
    owner.step(`thread ${slot} is gone`, (p) => {
      if (p.get(position) === ENDED) return goes
      if (p.get(position) !== DEAD) return BLOCKED
    })
    if (mistake !== 'the owner leaves the pins of the dead') {
      for (let segment = 0; segment < segments; segment++) {
        owner.step('closeView: its pins', (p) => p.store(cache.pins + slot * segments + segment, 0))
      }
      owner.step('closeView: its view', (p) => p.store(cache.views + slot, 0))
    }
    if (mistake !== 'the owner leaves the lock to the dead') {
      owner.step('#recover: exchange the lock', (p) => {
        if (p.change(cache.lock, (old) => (old === slot + 1 ? 1 : old)) !== slot + 1) return isFree
      })
      clear(owner, cache, mistake)
      owner.step('#unlock', (p) => p.store(cache.lock, 0))
      owner.label(isFree)
    }
    const isKept = owner.freshLabel('the view is kept')
    if (mistake !== 'the owner frees a view without the lock') {
      owner.step('#freeClosed: exchange the lock', (p) => {
        // Otherwise it is freed later.
        if (p.change(cache.lock, (old) => (old === 0 ? 1 : old)) !== 0) return isKept
      })
    }
    if (mistake !== 'the owner leaves the pins of the dead') {
      owner.step('#freeClosed: free', (p) => {
        for (let i = 0; i < segments; i++) p.set(cache.pins + slot * segments + i, FREED)
      })
    }
    if (mistake !== 'the owner frees a view without the lock') {
      owner.step('#unlock', (p) => p.store(cache.lock, 0))
    }
    owner.label(isKept)
    owner.step('Epochs.give', (p) => p.store(epochs.slots + slot, 0))
    owner.label(goes)
  }
  // Once all have left, nothing keeps what is in limbo.
  owner.step('all are gone', (p) => {
    for (const [i, { position }] of readers.entries()) {
      const slot = i + 1
      if (p.get(position) < ENDED || p.get(epochs.slots + slot) !== 0) return BLOCKED
      if (p.get(position) === DEAD) continue
      // Whoever hears of its end sees all that it stored.
      for (let segment = 0; segment < segments; segment++) {
        if (p.get(cache.pins + slot * segments + segment) !== 0) return BLOCKED
      }
    }
  })
  owner.step('lock', (p) => {
    if (p.change(cache.lock, (old) => (old === 0 ? 1 : old)) !== 0) return BLOCKED
  })
  // Twice: the first may have to begin an epoch.
  reclaim(owner, cache, waiting, '')
  reclaim(owner, cache, waiting, '')
  owner.step('unlock', (p) => {
    p.store(cache.lock, 0)
    return END
  })
  model.finally('nothing stays in limbo', (at) => {
    for (let i = 0; i < segments; i++) if (at(cache.places + i) === LIMBO) return false
    return true
  })
  model.finally('nobody pins', (at) => {
    for (let i = 0; i < (1 + threads.length) * segments; i++)
      if (at(cache.pins + i) !== 0 && at(cache.pins + i) !== FREED) return false
    return true
  })
  model.finally('the lock is free', (at) => at(cache.lock) === 0)
  return model
}

const alone: Scene = { segments: 3, reserve: 1, threads: [{ blocks: [3, 4] }] }
const evicted: Scene = {
  segments: 3,
  reserve: 1,
  threads: [{ blocks: [1] }, { blocks: [3, 4], isMortal: true }],
}
const same: Scene = { segments: 3, reserve: 1, threads: [{ blocks: [3] }, { blocks: [3] }] }

const recovered: Scene = {
  segments: 3,
  reserve: 1,
  threads: [{ blocks: [1] }, { blocks: [3], isMortal: true }, { blocks: [4] }],
}

/** Small ones: each shows something else that can happen. */
const scenes: Readonly<Record<string, Scene>> = {
  'one thread': alone,
  'a block goes while it is read, and the thread that evicts it dies': evicted,
  'two threads insert the same block': same,
  'each reads what the other evicts': {
    segments: 3,
    reserve: 1,
    threads: [{ blocks: [1, 2] }, { blocks: [3, 1] }],
  },
  'more segments': {
    segments: 4,
    reserve: 1,
    threads: [{ blocks: [1] }, { blocks: [3, 4], isMortal: true }],
  },
  'any thread dies': {
    segments: 3,
    reserve: 1,
    threads: [
      { blocks: [1], isMortal: true },
      { blocks: [3], isMortal: true },
    ],
  },
  'two threads insert while another reads': {
    segments: 3,
    reserve: 1,
    threads: [{ blocks: [1] }, { blocks: [3] }, { blocks: [4] }],
  },
  'stores become visible late, and a thread dies': {
    segments: 3,
    reserve: 1,
    threads: [{ blocks: [1] }, { blocks: [3], isMortal: true }],
    buffered: 2,
  },
  'stores become visible late, and two insert': { ...same, buffered: 2 },
}

for (const [name, scene] of Object.entries(scenes)) {
  t.test(`what is found is the block, and it stays: ${name}`, async (test) => {
    holds(test, (mistake) => model(scene, mistake))
  })
}

t.test('each mistake is found', async (test) => {
  const bytes = /bytes are of another block/
  const whole = /leads to a whole record/
  const inScene: Partial<Record<CacheMistake, Scene>> = {
    'links a block before it is whole': same,
    'the owner frees at once what it clears': recovered,
    'the owner frees a view without the lock': recovered,
  }
  caught<CacheMistake>(test, (mistake) => model(inScene[mistake] ?? evicted, mistake), {
    'takes the tag for the block': bytes,
    'links a block before it is whole': bytes,
    'inserts without the lock': whole,
    'counts a use by a store': whole,
    'frees a segment as soon as it is emptied': bytes,
    'begins the epoch before the slots are given up': bytes,
    'asks for pins before the epochs': bytes,
    'asks for epochs alone': bytes,
    'pins after leaving': bytes,
    'the owner leaves the lock to the dead': /owner stands for ever/,
    'the owner frees at once what it clears': bytes,
    'the owner clears no slots': whole,
    'the owner leaves the pins of the dead': /nobody pins/,
    'the owner frees a view without the lock': /a view that is gone/,
  })
})
