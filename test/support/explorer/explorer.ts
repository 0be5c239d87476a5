/**
 * Runs a model of a protocol (`model.ts`) in every order there is: the graph of its states, breadth first, each state once.
 * What it finds wrong it tells with a shortest trace.
 *
 * Wrong is: a property that does not hold, a step that says so, a state in which a thread stands for ever, and a state from
 * which the end cannot be reached any more.
 */
import {
  BLOCKED,
  DEAD,
  END,
  ENDED,
  type Model,
  type Processor,
  type Thread,
  type Word,
} from './model.js'
import { StateStore } from './state-store.js'

export interface Exploration {
  readonly states: number
  /** Steps from one state to another. */
  readonly transitions: number
  /** What is wrong; undefined where nothing is. */
  readonly failure: string | undefined
  /** The shortest way to it. */
  readonly trace: readonly string[]
}

const STATES_MAX = 4_000_000

/** Entries of a store buffer: word, value, 1 for an atomic one. */
const ENTRY = 3

class Run implements Processor {
  readonly #model: Model
  readonly #store: StateStore
  /** The state that a step works on. */
  readonly #state: Uint8Array
  /** First word of each thread's buffer: how many stores wait, and they. */
  readonly #buffers: readonly Word[]
  readonly #bufferMax: number
  readonly #targets: readonly Map<string, number>[]
  #thread = 0
  #accesses = 0
  #mustWait = false
  #failure: string | undefined
  #from: number[] = []
  #to: number[] = []

  constructor(model: Model) {
    this.#model = model
    this.#bufferMax = model.bufferedStores
    const initial = [...model.initial]
    this.#buffers = model.threads.map(() => {
      const first = initial.length
      for (let i = 0; i < 1 + ENTRY * this.#bufferMax; i++) initial.push(0)
      return first
    })
    this.#store = new StateStore(initial.length)
    this.#state = this.#store.scratch
    this.#state.set(initial)
    this.#targets = model.threads.map(targetsOf)
  }

  explore(): Exploration {
    const store = this.#store
    store.add(-1, 0)
    let failure = this.#brokenIn()
    let at = 0
    let transitions = 0
    const ends: number[] = []
    for (; at < store.count && failure === undefined; at++) {
      const before = transitions
      for (let move = this.#firstMove(at); move >= 0; move = this.#nextMove(at)) {
        transitions++
        const known = store.count
        const index = store.add(at, move)
        this.#from.push(at)
        this.#to.push(index)
        failure = this.#failure ?? (store.count > known ? this.#brokenIn() : undefined)
        if (failure !== undefined) return this.#failed(failure, index, transitions, move)
        if (store.count > STATES_MAX) throw new Error(`${this.#model.name} has too many states`)
      }
      if (transitions > before) continue
      failure = this.#wrongAtEnd(at)
      if (failure !== undefined) return this.#failed(failure, at, transitions)
      ends.push(at)
    }
    const lost = this.#stateWithoutEnd(ends)
    if (lost >= 0) return this.#failed('the end cannot be reached from here', lost, transitions)
    return { states: store.count, transitions, failure: undefined, trace: [] }
  }

  // Moves: thread * 256 + choice, choice from 128 on for what the machine does by itself.

  #moves: number[] = []
  #moveIndex = 0

  #firstMove(at: number): number {
    this.#store.read(at)
    this.#moves.length = 0
    this.#moveIndex = 0
    this.#model.threads.forEach((thread, number) => {
      const position = this.#state[thread.position] as number
      const buffer = this.#buffers[number] as number
      const waiting = this.#state[buffer] as number
      for (let i = 0; i < waiting; i++)
        if (this.#mayDrain(buffer, i)) this.#moves.push(number * 256 + 128 + i)
      if (position >= ENDED) return
      // Whoever hears of its death sees all that it stored: with stores that wait, it dies later.
      if (thread.isMortal && waiting === 0) this.#moves.push(number * 256 + 255)
      const step = thread.steps[position]
      if (step === undefined) throw new Error(`${thread.name} runs beyond its steps`)
      for (let choice = 0; choice < step.choices; choice++) this.#moves.push(number * 256 + choice)
    })
    return this.#nextMove(at)
  }

  /** Makes the next move that is possible, in the scratch state; -1 where there is none left. */
  #nextMove(at: number): number {
    while (this.#moveIndex < this.#moves.length) {
      const move = this.#moves[this.#moveIndex++] as number
      this.#store.read(at)
      if (this.#make(move)) return move
    }
    return -1
  }

  #make(move: number): boolean {
    const number = move >>> 8
    const choice = move & 255
    const thread = this.#model.threads[number] as Thread
    if (choice === 255) {
      this.#state[thread.position] = DEAD
      return true
    }
    if (choice >= 128) {
      this.#drain(this.#buffers[number] as number, choice - 128)
      return true
    }
    this.#thread = number
    this.#accesses = 0
    this.#mustWait = false
    this.#failure = undefined
    const position = this.#state[thread.position] as number
    const next = (thread.steps[position] as Thread['steps'][number]).act(this, choice)
    if (this.#mustWait || next === BLOCKED) {
      this.#failure = undefined
      return false
    }
    if (this.#accesses > 1) throw new Error(`${this.#nameOf(move, position)} makes two accesses`)
    if (next === undefined) this.#state[thread.position] = position + 1
    else this.#state[thread.position] = this.#targetOf(number, next)
    return true
  }

  #targetOf(thread: number, label: string): number {
    const target = this.#targets[thread]?.get(label)
    if (target === undefined) throw new Error(`no label ${label} in thread ${thread}`)
    return target
  }

  // Store buffers.

  /** An atomic store waits for all before it, a plain one for those to the same word. */
  #mayDrain(buffer: number, index: number): boolean {
    const state = this.#state
    const at = buffer + 1 + ENTRY * index
    if (state[at + 2] === 1) return index === 0
    for (let i = buffer + 1; i < at; i += ENTRY) if (state[i] === state[at]) return false
    return true
  }

  #drain(buffer: number, index: number): void {
    const state = this.#state
    const at = buffer + 1 + ENTRY * index
    state[state[at] as number] = state[at + 1] as number
    const end = buffer + 1 + ENTRY * (state[buffer] as number)
    state.copyWithin(at, at + ENTRY, end)
    state.fill(0, end - ENTRY, end)
    ;(state[buffer] as number)--
  }

  #push(word: Word, value: number, atomic: number): void {
    this.#accesses++
    const state = this.#state
    if (this.#bufferMax === 0) {
      state[word] = value
      return
    }
    const buffer = this.#buffers[this.#thread] as number
    const waiting = state[buffer] as number
    if (waiting === this.#bufferMax) {
      this.#mustWait = true
      return
    }
    state.set([word, value, atomic], buffer + 1 + ENTRY * waiting)
    state[buffer] = waiting + 1
  }

  #look(word: Word): number {
    const buffer = this.#buffers[this.#thread] as number
    for (let i = (this.#state[buffer] as number) - 1; i >= 0; i--) {
      const at = buffer + 1 + ENTRY * i
      if (this.#state[at] === word) return this.#state[at + 1] as number
    }
    return this.#state[word] as number
  }

  // Processor.

  load(word: Word): number {
    this.#accesses++
    const buffer = this.#buffers[this.#thread] as number
    const waiting = this.#state[buffer] as number
    for (let i = 0; i < waiting; i++) {
      // Atomic accesses of a thread stay in their order.
      if (this.#state[buffer + ENTRY * (i + 1)] === 1) this.#mustWait = true
    }
    return this.#look(word)
  }

  store(word: Word, value: number): void {
    this.#push(word, value & 255, 1)
  }

  change(word: Word, change: (old: number) => number): number {
    this.#accesses++
    if (this.#state[this.#buffers[this.#thread] as number] !== 0) this.#mustWait = true
    const old = this.#state[word] as number
    this.#state[word] = change(old) & 255
    return old
  }

  read(word: Word): number {
    this.#accesses++
    return this.#look(word)
  }

  write(word: Word, value: number): void {
    this.#push(word, value & 255, 0)
  }

  get(local: Word): number {
    return this.#state[local] as number
  }

  set(local: Word, value: number): void {
    this.#state[local] = value & 255
  }

  fail(what: string): void {
    this.#failure ??= what
  }

  // Properties.

  readonly #at = (word: Word): number => this.#state[word] as number

  #brokenIn(): string | undefined {
    for (const { name, holds } of this.#model.always) if (!holds(this.#at)) return name
    return undefined
  }

  #wrongAtEnd(at: number): string | undefined {
    this.#store.read(at)
    for (const { name, position } of this.#model.threads) {
      if ((this.#state[position] as number) < ENDED) return `${name} stands for ever`
    }
    for (const { name, holds } of this.#model.atEnd) if (!holds(this.#at)) return name
    return undefined
  }

  /** The first state from which no end is reached; -1 where there is none. */
  #stateWithoutEnd(ends: readonly number[]): number {
    const count = this.#store.count
    const into = new Int32Array(count + 1)
    for (const to of this.#to) into[to + 1]!++
    for (let i = 0; i < count; i++) into[i + 1]! += into[i] as number
    const sources = new Int32Array(this.#to.length)
    const filled = into.slice()
    this.#to.forEach((to, i) => {
      sources[filled[to]!++] = this.#from[i] as number
    })
    const reaches = new Uint8Array(count)
    const open = [...ends]
    for (const end of ends) reaches[end] = 1
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (let i = into[at] as number; i < (into[at + 1] as number); i++) {
        const source = sources[i] as number
        if (reaches[source] === 1) continue
        reaches[source] = 1
        open.push(source)
      }
    }
    return reaches.indexOf(0)
  }

  // What is told.

  #failed(failure: string, index: number, transitions: number, move?: number): Exploration {
    const { count } = this.#store
    return { states: count, transitions, failure, trace: this.#traceTo(index, move) }
  }

  /** @param lastMove the move that failed, where it led to a state that was known */
  #traceTo(index: number, lastMove?: number): string[] {
    const store = this.#store
    const path: number[] = []
    const last = lastMove === undefined ? index : (this.#from.at(-1) as number)
    for (let i = last; i > 0; i = store.parentOf(i)) path.unshift(i)
    const lines = path.map((i) => this.#lineOf(store.parentOf(i), i, store.moveTo(i)))
    if (lastMove !== undefined) lines.push(this.#lineOf(last, index, lastMove))
    return lines
  }

  #lineOf(from: number, to: number, move: number): string {
    this.#store.read(from)
    const before = this.#state.slice()
    const position = before[(this.#model.threads[move >>> 8] as Thread).position] as number
    this.#store.read(to)
    const changes = this.#model.names.flatMap((name, word) => {
      if (before[word] === this.#state[word] || name.endsWith(' at')) return []
      return [`${name} ${before[word]} → ${this.#state[word]}`]
    })
    const name = this.#nameOf(move, position)
    return changes.length === 0 ? name : `${name}   [${changes.join(', ')}]`
  }

  #nameOf(move: number, position: number): string {
    const thread = this.#model.threads[move >>> 8] as Thread
    const choice = move & 255
    if (choice === 255) return `${thread.name} dies`
    if (choice >= 128) return `a store of ${thread.name} becomes visible`
    const step = thread.steps[position]
    return `${thread.name}: ${step?.name}${(step?.choices ?? 1) > 1 ? ` (${choice})` : ''}`
  }
}

function targetsOf({ labels, steps }: Thread): Map<string, number> {
  if (steps.length >= ENDED) throw new Error('a thread has too many steps')
  const targets = new Map(labels)
  targets.set(END, ENDED)
  return targets
}

/** Every state of the model, or as many as it takes to find something wrong. */
export function explore(model: Model): Exploration {
  return new Run(model).explore()
}
