/** A reader of `readers-race.ts`: reads in every way, checks all of it, tells what is wrong, ends when it is told to. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach, type TreeReader } from '../../src/main/index.js'
import { Random } from '../support/random.js'
import {
  generationOf,
  RACE_BEGUN,
  RACE_CLEARS_BEGUN,
  RACE_CLEARS_ENDED,
  RACE_ENDED,
  RACE_KEYS,
  RACE_READS,
  RACE_STOP,
  type ReadersRaceData,
  raceKey,
} from './readers-race.js'

const data = workerData as ReadersRaceData
const words = new Int32Array(data.words)
const random = new Random(data.seed)
/** The newest generation that this thread has seen of each key. */
const seen = new Int32Array(RACE_KEYS)
let reader: TreeReader

const load = (word: number): number => Atomics.load(words, word)

/** What was true when a read began. */
interface Before {
  readonly ended: Int32Array
  readonly clears: number
}

function before(): Before {
  const clears = load(RACE_CLEARS_ENDED)
  // In this order: a clear that begins behind the look at its word shows at the end.
  const ended = Int32Array.from({ length: RACE_KEYS }, (_, i) => load(RACE_ENDED + i))
  return { ended, clears }
}

function fail(what: string): never {
  throw new Error(`${what} (seed ${data.seed})`)
}

/** Checks a value against what was written before the read began and what had begun when it ended; the generation. */
function check(how: string, number: number, value: Uint8Array | undefined, from: Before): number {
  if (value === undefined) {
    // A clear may lie between.
    if (load(RACE_CLEARS_BEGUN) === from.clears) fail(`${how}: key ${number} is lost`)
    return 0
  }
  const generation = generationOf(number, value)
  if (typeof generation === 'string') fail(`${how}: key ${number}: ${generation}`)
  const least = from.ended[number] as number
  if (generation < least) fail(`${how}: key ${number} is at ${generation}, but was at ${least}`)
  const most = load(RACE_BEGUN + number)
  if (generation > most) fail(`${how}: key ${number} is at ${generation}, but ${most} is the last`)
  if (generation < (seen[number] as number)) fail(`${how}: key ${number} goes back`)
  seen[number] = generation
  return generation
}

/** All keys in a list of entries, each once and in order, where nothing was cleared. */
function checkAll(how: string, entries: Iterable<readonly [Buffer, Buffer]>, from: Before): void {
  const found = new Set<number>()
  let last = ''
  for (const [key, value] of entries) {
    const name = String(key)
    if (name <= last) fail(`${how}: ${name} comes behind ${last}`)
    last = name
    const number = Number(name.slice(3))
    found.add(number)
    check(how, number, value, from)
  }
  if (found.size < RACE_KEYS && load(RACE_CLEARS_BEGUN) === from.clears) {
    fail(`${how}: ${RACE_KEYS - found.size} keys are lost`)
  }
}

const RANGE = { gte: 'key', lt: 'kez' }

const WAYS: readonly (() => void)[] = [
  () => {
    const number = random.below(RACE_KEYS)
    const from = before()
    for (let i = 0; i < 50; i++) check('get', number, reader.get(raceKey(number)), from)
  },
  () => {
    const from = before()
    for (let i = 0; i < 100; i++) {
      const number = random.below(RACE_KEYS)
      check('get', number, reader.get(raceKey(number)), from)
    }
  },
  () => {
    const numbers = Array.from({ length: 40 }, () => random.below(RACE_KEYS))
    const from = before()
    const values = reader.multiGet(numbers.map(raceKey))
    // As of one moment: a key that comes twice has one value.
    const once = new Map<number, number>()
    values.forEach((value, i) => {
      const number = numbers[i] as number
      const generation = check('multiGet', number, value, from)
      if ((once.get(number) ?? generation) !== generation) fail('multiGet: two moments')
      once.set(number, generation)
    })
  },
  () => {
    const from = before()
    checkAll('range', reader.range(RANGE), from)
  },
  () => {
    const from = before()
    const entries = Array.from(reader.range({ ...RANGE, reverse: true }))
    checkAll('reverse', entries.reverse(), from)
  },
  () => {
    const number = random.below(RACE_KEYS)
    const from = before()
    using slice = reader.getPinned(raceKey(number))
    const first = check('getPinned', number, slice?.value, from)
    // Others fill and empty the cache meanwhile.
    for (let i = 0; i < 20; i++) reader.get(raceKey(random.below(RACE_KEYS)))
    if (slice !== undefined && generationOf(number, slice.value) !== first) {
      fail('a pinned value has changed')
    }
  },
  () => {
    using snapshot = reader.snapshot()
    const number = random.below(RACE_KEYS)
    const [first, all] = [snapshot.get(raceKey(number)), Array.from(snapshot.range(RANGE))]
    for (let i = 0; i < 3; i++) {
      if (snapshot.get(raceKey(number))?.equals(first ?? Buffer.alloc(0)) === false) {
        fail('a snapshot reads something else')
      }
      for (const [key, value] of all) {
        if (snapshot.get(key)?.equals(value) !== true) fail(`a snapshot’s range and get differ`)
      }
    }
  },
  () => {
    // An iterator that takes its time, with gets in between.
    const from = before()
    using entries = reader.range(RANGE)
    const found: [Buffer, Buffer][] = []
    for (const entry of entries) {
      found.push(entry)
      if (random.chance(0.05)) reader.get(raceKey(random.below(RACE_KEYS)))
    }
    seen.fill(0)
    checkAll('slow range', found, from)
  },
  () => {
    using cursor = reader.seekable(RANGE)
    for (let i = 0; i < 10; i++) {
      const number = random.below(RACE_KEYS)
      cursor.seekTo(raceKey(number))
      const entry = cursor.next().value
      if (
        entry !== undefined &&
        typeof generationOf(Number(String(entry[0]).slice(3)), entry[1]) === 'string'
      ) {
        fail('seekable: a torn value')
      }
    }
  },
]

try {
  reader = await attach(data.handle, { memoryBytes: data.memoryBytes })
  let turns = 0
  while (load(RACE_STOP) === 0) {
    random.pick(WAYS)()
    Atomics.add(words, RACE_READS, 1)
    // Notices of the owner come between turns of the event loop; some threads rarely take any.
    if (++turns % (1 + (data.seed % 50)) === 0)
      await new Promise((resolve) => setImmediate(resolve))
  }
  await reader.detach()
} catch (error) {
  parentPort?.postMessage(String((error as Error).stack))
}
