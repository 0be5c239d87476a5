/**
 * Programs written down as text, played on a tree and on its model. One step a line: writes `insert k v`, `remove k`,
 * `weak k`, `range k k`, `merge k v`; maintenance `seal`, `flush`, `compact`, `major`, `down from to`, `reopen`, `clear`;
 * `pin` and `unpin` for snapshots. `flush`, `compact`, `major` and `down` take a watermark at their end: a number, or
 * `now`; without one nothing is collected. After each maintenance step everything is compared, at seqnos that the
 * watermarks so far have left readable.
 */
import { type OpenOptions, open, type Snapshot, type Tree } from '../../src/main/index.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import { major } from '../../src/main/strategies/major.js'
import { moveDown } from '../../src/main/strategies/move-down.js'
import type { FileSystem } from '../../src/shared/fs/file-system.js'
import { Random } from '../support/random.js'
import { concatenation, linesOfPairs } from '../support/trees.js'
import { isInside, Model } from './model.js'

const strategy = leveled({ l0Threshold: 2, targetBytes: 2048, levelRatios: [2] })

/** Seqnos at which everything is compared after a step, evenly chosen. */
const SEQNOS_MAX = 25

/** What a player has done, for those who want to know that it did something. */
export interface PlayReport {
  readonly steps: number
  readonly comparisons: number
  /** Deepest level that ever held a table. */
  readonly deepest: number
}

class Player {
  readonly #options: OpenOptions
  readonly #model = new Model()
  readonly #keys = new Map<string, Buffer>()
  readonly #snapshots: Snapshot[] = []
  #tree: Tree
  /** Reads below it may be gone. */
  #readableFrom = 0
  #comparisons = 0
  #deepest = 0

  constructor(tree: Tree, options: OpenOptions) {
    this.#tree = tree
    this.#options = options
  }

  async play(step: readonly string[]): Promise<void> {
    const [verb = '', first = '', second = ''] = step
    if (this.#write(verb, first, second)) return
    const watermark = this.#watermark(step[verb === 'down' ? 3 : 1])
    const tree = this.#tree
    if (verb === 'seal') tree.rotateMemtable()
    else if (verb === 'flush') await tree.flush(watermark)
    else if (verb === 'compact') await tree.compact(strategy, watermark)
    else if (verb === 'major') await tree.compact(major({ targetBytes: 3000 }), watermark)
    else if (verb === 'down') await tree.compact(moveDown(Number(first), Number(second)), watermark)
    else if (verb === 'pin') this.#snapshots.push(tree.snapshot())
    else if (verb === 'unpin') this.#snapshots.shift()?.[Symbol.dispose]()
    else if (verb === 'clear') await this.#clear()
    else if (verb === 'reopen') await this.#reopen()
    else throw new Error(`no such step: ${verb}`)
    this.#compareAll(verb)
  }

  async end(steps: number): Promise<PlayReport> {
    for (const snapshot of this.#snapshots.splice(0)) snapshot[Symbol.dispose]()
    this.#compareAll('the end')
    await this.#tree.close()
    return { steps, comparisons: this.#comparisons, deepest: this.#deepest }
  }

  async abandon(): Promise<void> {
    for (const snapshot of this.#snapshots.splice(0)) snapshot[Symbol.dispose]()
    await this.#tree.close({ flush: 'discard' })
  }

  #write(verb: string, first: string, second: string): boolean {
    const tree = this.#tree
    const seqno = tree.seqno.get()
    const key = Buffer.from(first)
    const put = (value: Buffer | undefined): boolean => {
      this.#keys.set(first, key)
      this.#model.write(seqno, [{ key, value }])
      return true
    }
    if (verb === 'insert') {
      tree.insert(key, second)
      return put(Buffer.from(second))
    }
    if (verb === 'remove') {
      tree.remove(key)
      return put(undefined)
    }
    if (verb === 'weak') {
      tree.removeWeak(key)
      return put(undefined)
    }
    if (verb === 'merge') {
      tree.merge(key, second)
      const base = this.#model.get(key, seqno) ?? Buffer.alloc(0)
      return put(Buffer.concat([base, Buffer.from(second)]))
    }
    if (verb !== 'range') return false
    tree.removeRange(key, second)
    const bounds = { gte: key, lt: Buffer.from(second) }
    const covered = [...this.#keys.values()].filter((one) => isInside(one, bounds))
    this.#model.write(
      seqno,
      covered.map((one) => ({ key: one, value: undefined })),
    )
    return true
  }

  /** The watermark that a step names, which no snapshot may lie below. */
  #watermark(word: string | undefined): { gcWatermark: number } {
    const seqno = word === 'now' ? this.#tree.visibleSeqno.get() : Number(word)
    if (!Number.isInteger(seqno)) return { gcWatermark: 0 }
    const gcWatermark = this.#snapshots.reduce((least, pin) => Math.min(least, pin.seqno), seqno)
    this.#readableFrom = Math.max(this.#readableFrom, gcWatermark)
    return { gcWatermark }
  }

  async #clear(): Promise<void> {
    const seqno = this.#tree.seqno.get()
    await this.#tree.clear()
    this.#model.clear(seqno)
    this.#readableFrom = seqno + 1
  }

  async #reopen(): Promise<void> {
    for (const snapshot of this.#snapshots.splice(0)) snapshot[Symbol.dispose]()
    const { path, seqno, visibleSeqno } = this.#tree
    await this.#tree.close()
    // What a watermark left readable, versions from before its merge answered: they end with the session.
    if (this.#readableFrom > 0) this.#readableFrom = visibleSeqno.get()
    const runtime = { ...this.#options.runtime, retainFrom: this.#readableFrom }
    this.#tree = await open(path, { ...this.#options, runtime, seqno, visibleSeqno })
  }

  #compareAll(when: string): void {
    const latest = this.#tree.visibleSeqno.get()
    for (const { seqno } of this.#snapshots) this.#compare(seqno, when)
    const step = Math.max(1, Math.floor((latest - this.#readableFrom) / SEQNOS_MAX))
    for (let seqno = latest; seqno >= this.#readableFrom; seqno -= step) this.#compare(seqno, when)
    for (let level = 0; level < 7; level++) {
      if ((this.#tree.levelTableCount(level) ?? 0) > 0)
        this.#deepest = Math.max(this.#deepest, level)
    }
  }

  #compare(seqno: number, when: string): void {
    this.#comparisons++
    const expected = linesOfPairs(this.#model.range({}, seqno)).join('\n')
    const fail = (what: string): never => {
      throw new Error(`${when}: ${what} at ${seqno} of ${this.#tree.visibleSeqno.get()}`)
    }
    const forward = linesOfPairs(this.#tree.range({ seqno }))
    if (forward.join('\n') !== expected) fail('a scan is wrong')
    const backward = linesOfPairs(this.#tree.range({ seqno, reverse: true })).reverse()
    if (backward.join('\n') !== expected) fail('a reverse scan is wrong')
    for (const key of this.#keys.values()) {
      const value = this.#tree.get(key, { seqno })
      const right = this.#model.get(key, seqno)
      const isRight = value === undefined ? right === undefined : right?.equals(value) === true
      if (!isRight) fail(`${key} is wrong`)
    }
  }
}

/**
 * Plays a recording on a new tree.
 * @throws what was wrong, with the line of the step
 */
export async function play(
  text: string,
  options: Omit<OpenOptions, 'fs'> & { readonly fs: FileSystem },
): Promise<PlayReport> {
  const settings: OpenOptions = {
    maintenance: 'manual',
    mergeOperator: concatenation,
    blockSize: 64,
    ...options,
    runtime: { memtableBytes: 128 * 1024, ...options.runtime, retainFrom: 0 },
  }
  const player = new Player(await open('/recorded', settings), settings)
  const steps = text.split('\n').map((line) => line.trim())
  let at = 0
  try {
    for (const line of steps) {
      at++
      if (line !== '' && !line.startsWith('#')) await player.play(line.split(' '))
    }
    return await player.end(steps.length)
  } catch (error) {
    await player.abandon()
    throw new Error(`line ${at}, ${steps[at - 1]}: ${(error as Error).message}`, { cause: error })
  }
}

/** A recording made up: always the same one for a seed. One that collects nothing leaves every moment readable. */
export function record(seed: number, length: number, collects = true): string {
  const random = new Random(seed)
  const lines: string[] = []
  const live = new Set<string>()
  let reopenings = 0
  const watermark = (share: number): string => (collects && random.chance(share) ? ' now' : '')
  for (let i = 0; i < length; i++) {
    const key = `k${random.below(24)}`
    const kind = random.below(100)
    if (kind < 40) lines.push(`insert ${key} ${i}`)
    else if (kind < 52) lines.push(`remove ${key}`)
    else if (kind < 64) lines.push(`merge ${key} .${i}`)
    else if (kind < 69) lines.push(`range k${random.below(24)} k${random.below(24)}`)
    else if (kind < 77) {
      // Keys of weak deletes are written once between two of them.
      lines.push(live.delete(key) ? `weak w${key}` : `insert w${key} ${i}`)
      if (lines.at(-1)?.startsWith('insert')) live.add(key)
    } else if (kind < 81) lines.push('seal')
    else if (kind < 88) lines.push(`flush${watermark(0.3)}`)
    else if (kind < 92) lines.push(`compact${watermark(0.3)}`)
    else if (kind < 94) lines.push(random.chance(0.5) ? 'pin' : 'unpin')
    else if (kind < 95) lines.push(`major${watermark(0.4)}`)
    else if (kind < 96 && reopenings++ < 3) lines.push('reopen')
  }
  return lines.join('\n')
}
