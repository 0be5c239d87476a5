/** Who gets a thread of a shared pool next: by the order in which jobs begin, no clock involved. */

import t from 'tap'
import { JobLine, PASSES_MAX } from '../../../../src/main/scheduling/job-line.js'
import { VarveError } from '../../../../src/shared/base/errors.js'
import { Random } from '../../../support/random.js'

/** A line whose jobs end when they are told to, and the names of those that have begun. */
class Stage {
  readonly begun: string[] = []
  readonly line: JobLine
  readonly #ends = new Map<string, () => void>()
  readonly #runs = new Map<string, Promise<unknown>>()

  constructor(threads: number) {
    this.line = new JobLine(threads)
  }

  /** A job named `tree:kind:number`. */
  add(name: string, priority: number): Promise<unknown> {
    const [tree = '', kind] = name.split(':')
    const place = { owner: tree.charCodeAt(0), priority, isMerge: kind !== 'flush' }
    const run = this.line.run(place, async () => {
      this.begun.push(name)
      await new Promise<void>((resolve) => this.#ends.set(name, resolve))
    })
    this.#runs.set(name, run)
    return run
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.()
    await this.#runs.get(name)
    await Promise.resolve()
  }

  /** Ends jobs in the order in which they begin, until none is left. */
  async drain(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < this.begun.length; i++) {
      await this.end(this.begun[i] as string)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return this.begun
  }
}

t.test('a flush of any tree goes before the merges of all, L0 before deeper levels', async (t) => {
  const stage = new Stage(1)
  for (const name of ['a:merge:1', 'a:merge:2', 'b:merge:1']) void stage.add(name, 20)
  void stage.add('b:l0:1', 30)
  void stage.add('b:flush:1', 50)
  void stage.add('a:flush:1', 50)
  t.equal(stage.line.length, 5)
  t.same(await stage.drain(), [
    'a:merge:1',
    'b:flush:1',
    'a:flush:1',
    'b:l0:1',
    'a:merge:2',
    'b:merge:1',
  ])
})

t.test('among equals the trees take turns, however much one of them asks for', async (t) => {
  const stage = new Stage(1)
  for (let i = 1; i <= 5; i++) void stage.add(`a:merge:${i}`, 20)
  for (let i = 1; i <= 2; i++) void stage.add(`b:merge:${i}`, 20)
  void stage.add('c:merge:1', 20)
  t.same(await stage.drain(), [
    'a:merge:1',
    'b:merge:1',
    'c:merge:1',
    'a:merge:2',
    'b:merge:2',
    'a:merge:3',
    'a:merge:4',
    'a:merge:5',
  ])
})

t.test('no job is overtaken for ever', async (t) => {
  const stage = new Stage(1)
  void stage.add('a:flush:0', 50)
  void stage.add('b:merge:1', 20)
  for (let i = 1; i <= PASSES_MAX + 9; i++) void stage.add(`a:flush:${i}`, 50)
  const order = await stage.drain()
  t.equal(order.indexOf('b:merge:1'), PASSES_MAX + 1)
})

t.test('of several threads merges leave one free', async (t) => {
  const stage = new Stage(3)
  t.equal(stage.line.mergesMax, 2)
  for (let i = 1; i <= 4; i++) void stage.add(`a:merge:${i}`, 20)
  void stage.add('b:flush:1', 50)
  await Promise.resolve()
  t.same(stage.begun, ['a:merge:1', 'a:merge:2', 'b:flush:1'])
  await stage.end('b:flush:1')
  t.equal(stage.begun.length, 3, 'the free thread waits for no merge')
  await stage.end('a:merge:1')
  t.same(stage.begun.slice(3), ['a:merge:3'])
  await stage.drain()
  t.equal(new JobLine(1).mergesMax, 1, 'a single thread does all')
})

t.test('what is withdrawn never begins, and what fails hands its thread on', async (t) => {
  const stage = new Stage(1)
  void stage.add('a:merge:1', 20)
  const waiting = stage.add('a:merge:2', 20)
  const error = new VarveError('VARVE_ABORTED', 'closed')
  stage.line.withdraw(({ isMerge }) => isMerge, error)
  await t.rejects(waiting, error)
  const failing = stage.line.run(undefined, async () => {
    throw new Error('job')
  })
  void stage.add('b:flush:1', 50)
  await stage.end('a:merge:1')
  await stage.end('b:flush:1')
  await t.rejects(failing, /job/)
  void stage.add('c:merge:1', 20)
  t.same(await stage.drain(), ['a:merge:1', 'b:flush:1', 'c:merge:1'])
})

t.test('random jobs: each runs once, and none waits longer than the rules say', async (t) => {
  const random = new Random(Number(process.env['SEED'] ?? 7))
  const stage = new Stage(1)
  const names: string[] = []
  for (let i = 0; i < 200; i++) {
    const name = `${'abcd'[random.below(4)]}:${random.below(2) === 0 ? 'flush' : 'merge'}:${i}`
    names.push(name)
    void stage.add(name, random.below(5) * 10)
  }
  const order = await stage.drain()
  t.same([...order].sort(), [...names].sort())
})
