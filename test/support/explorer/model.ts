/**
 * Small models of protocols between threads, for the explorer (`explorer.ts`) to run in every order.
 *
 * A model is a handful of shared words and threads written as steps. A step makes one access to one shared word, as the
 * code does, and anything with the thread's own locals: between two accesses nobody can tell the order. What a step calls
 * an atomic access is sequentially consistent. A plain store waits in a buffer of its thread and may become visible later
 * than any other one of that thread, but for stores to the same word and for atomic ones after it: those wait for it. An
 * atomic store in turn may be overtaken by later plain ones. This is weaker than any machine of today for stores. Plain
 * loads take effect in their order; where that is not certain a model says so with a choice.
 *
 * All values are 0 … 255. Locals that do not matter any more are set to 0, or equal states count as different ones.
 */

/** An index into the state: a shared word, a local, or something that only the properties look at. */
export type Word = number

/** Where a step goes on: a label, or nothing for the next step. `BLOCKED`: not now, and nothing was done. */
// biome-ignore lint/suspicious/noConfusingVoidType: a step that only changes something returns nothing.
export type Next = string | undefined | void

export const BLOCKED = '(blocked)'
/** The thread has come to its end. */
export const END = '(end)'

/** What a step may do. */
export interface Processor {
  /** Atomic accesses. */
  load(word: Word): number
  store(word: Word, value: number): void
  /** Reads and replaces at once; what was there. */
  change(word: Word, change: (old: number) => number): number
  /** Plain accesses. */
  read(word: Word): number
  write(word: Word, value: number): void
  /** Locals, and what only the properties look at. */
  get(local: Word): number
  set(local: Word, value: number): void
  /** A property is broken. */
  fail(what: string): void
}

export interface Step {
  readonly name: string
  /** Ways in which it may go: `act` is called with 0 … choices - 1. */
  readonly choices: number
  readonly act: (processor: Processor, choice: number) => Next
}

export interface ThreadOptions {
  /** It may end before any of its steps, leaving everything as it is. */
  readonly isMortal?: boolean
}

export class Thread {
  readonly steps: Step[] = []
  readonly labels = new Map<string, number>()
  readonly isMortal: boolean
  /** Index of the step that comes next: in the state. */
  readonly position: Word

  constructor(
    readonly model: Model,
    readonly name: string,
    options: ThreadOptions,
  ) {
    this.isMortal = options.isMortal ?? false
    this.position = model.word(`${name} at`)
  }

  local(name: string, initial = 0): Word {
    return this.model.word(`${this.name}.${name}`, initial)
  }

  /** Names the step that is added next. */
  label(name: string): this {
    if (this.labels.has(name)) throw new Error(`${this.name} has two labels ${name}`)
    this.labels.set(name, this.steps.length)
    return this
  }

  step(name: string, act: (processor: Processor) => Next): this {
    this.steps.push({ name, choices: 1, act })
    return this
  }

  /** A step that may go several ways. */
  choice(name: string, choices: number, act: (processor: Processor, choice: number) => Next): this {
    this.steps.push({ name, choices, act })
    return this
  }

  /** A label that no other part of the thread has. */
  freshLabel(name: string): string {
    return `${name} #${this.steps.length}.${this.labels.size}`
  }
}

/** What holds of a state; `at` reads words and locals. */
export type Property = (at: (word: Word) => number) => boolean

export interface NamedProperty {
  readonly name: string
  readonly holds: Property
}

export class Model {
  readonly names: string[] = []
  readonly initial: number[] = []
  readonly threads: Thread[] = []
  readonly always: NamedProperty[] = []
  readonly atEnd: NamedProperty[] = []

  /** @param bufferedStores how many stores of a thread may wait; 0 where all of them are visible at once */
  constructor(
    readonly name: string,
    readonly bufferedStores = 0,
  ) {}

  word(name: string, initial = 0): Word {
    this.names.push(name)
    this.initial.push(initial)
    return this.names.length - 1
  }

  /** Words in a row; the first one's index. */
  words(name: string, count: number, initial = 0): Word {
    const first = this.names.length
    for (let i = 0; i < count; i++) this.word(`${name}[${i}]`, initial)
    return first
  }

  thread(name: string, options: ThreadOptions = {}): Thread {
    const thread = new Thread(this, name, options)
    this.threads.push(thread)
    return thread
  }

  /** Holds in every state. */
  invariant(name: string, holds: Property): void {
    this.always.push({ name, holds })
  }

  /** Holds once no thread can go on. */
  finally(name: string, holds: Property): void {
    this.atEnd.push({ name, holds })
  }
}

/** True where the thread has died; it does not come back. */
export const DEAD = 255
/** True where the thread has come to its end. */
export const ENDED = 254
