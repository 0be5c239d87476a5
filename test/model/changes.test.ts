// Random writes of every kind, with maintenance and reopening in between, on a tree that keeps its history: the changes
// since 0 are exactly what was written, and replaying them rebuilds what the tree shows at any seqno. SEED=… replays.
import t from 'tap'
import { type ChangeEvent, open, type Tree, WriteBatch } from '../../src/main/index.js'
import { leveled } from '../../src/main/strategies/leveled.js'
import { major } from '../../src/main/strategies/major.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../support/random.js'
import { concatenation } from '../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

const KEYS = Array.from({ length: 60 }, (_, i) => `k${String(i).padStart(2, '0')}`)

/** One write: `seqno type key rest`, as a line. */
type Write = string

const lineOf = (event: ChangeEvent): Write => {
  const { type, key, seqno } = event
  const rest =
    type === 'insert'
      ? event.value
      : type === 'mergeOperand'
        ? event.operand
        : type === 'rangeTombstone'
          ? event.end
          : ''
  return `${seqno} ${type} ${key} ${rest}`
}

/** What readers see after the events below `seqno`, by replaying them one after the other. */
function replay(events: readonly ChangeEvent[], seqno: number): Map<string, string> {
  const state = new Map<string, string>()
  let at = 0
  const visible = events.filter((event) => event.seqno < seqno)
  while (at < visible.length) {
    const now = visible[at]?.seqno
    const together = visible.slice(at).filter((event) => event.seqno === now)
    at += together.length
    // A range delete hides what is older than its seqno; what shares the seqno stays.
    for (const event of together) {
      if (event.type !== 'rangeTombstone') continue
      for (const key of state.keys()) {
        if (key >= String(event.key) && key < String(event.end)) state.delete(key)
      }
    }
    for (const event of together) {
      const key = String(event.key)
      if (event.type === 'insert') state.set(key, String(event.value))
      else if (event.type === 'pointTombstone') state.delete(key)
      else if (event.type === 'mergeOperand')
        state.set(key, (state.get(key) ?? '') + String(event.operand))
    }
  }
  return state
}

class Run {
  readonly writes: Write[] = []
  readonly #random: Random
  readonly #fs = new MemoryFileSystem()
  tree!: Tree
  #number = 0

  constructor(random: Random) {
    this.#random = random
  }

  async open(): Promise<void> {
    const random = this.#random
    this.tree = await open('/db', {
      fs: this.#fs,
      maintenance: random.pick(['auto', 'manual']),
      blockSize: random.pick([1, 100, 4096]),
      mergeOperator: concatenation,
      strategy: leveled({ targetBytes: 2000, l0Threshold: 2, levelRatios: [3] }),
      runtime: { retainFrom: 0, memtableBytes: 128 * 1024, seqnoInIndex: random.chance(0.5) },
    })
  }

  async step(): Promise<void> {
    const { tree } = this
    const random = this.#random
    const seqno = tree.seqno.get()
    const key = random.pick(KEYS)
    const value = `v${this.#number++}`
    const kind = random.below(100)
    if (kind < 40) {
      tree.insert(key, value)
      this.writes.push(`${seqno} insert ${key} ${value}`)
    } else if (kind < 55) {
      tree.remove(key)
      this.writes.push(`${seqno} pointTombstone ${key} `)
    } else if (kind < 70) {
      tree.merge(key, value)
      this.writes.push(`${seqno} mergeOperand ${key} ${value}`)
    } else if (kind < 76) {
      const end = random.pick(KEYS)
      tree.removeRange(key, end)
      if (key < end) this.writes.push(`${seqno} rangeTombstone ${key} ${end}`)
    } else if (kind < 82) {
      this.#batch(seqno)
    } else if (kind < 84) {
      await this.#ingest()
    } else if (kind < 90) {
      await tree.flush()
    } else if (kind < 94) {
      await tree.compact(random.chance(0.5) ? undefined : major({ targetBytes: 1000 }))
    } else if (kind < 96) {
      await tree.majorCompact({ targetSize: random.pick([500, 1 << 20]) })
    } else if (kind < 98) {
      await tree.close()
      await this.open()
    }
  }

  #batch(seqno: number): void {
    const batch = new WriteBatch()
    const taken = new Set<string>()
    for (let i = this.#random.below(6); i >= 0; i--) {
      const key = this.#random.pick(KEYS)
      if (taken.has(key)) continue
      taken.add(key)
      const value = `b${this.#number++}`
      if (this.#random.chance(0.3)) {
        batch.remove(key)
        this.writes.push(`${seqno} pointTombstone ${key} `)
      } else {
        batch.insert(key, value)
        this.writes.push(`${seqno} insert ${key} ${value}`)
      }
    }
    this.tree.apply(batch)
  }

  async #ingest(): Promise<void> {
    const ingestion = this.tree.ingestion()
    const lines: [type: string, key: string, value: string][] = []
    for (const key of KEYS) {
      if (this.#random.chance(0.8)) continue
      const value = `i${this.#number++}`
      if (this.#random.chance(0.2)) {
        ingestion.writeTombstone(key)
        lines.push(['pointTombstone', key, ''])
      } else {
        ingestion.write(key, value)
        lines.push(['insert', key, value])
      }
    }
    const { seqno } = await ingestion.finish()
    for (const [type, key, value] of lines) this.writes.push(`${seqno} ${type} ${key} ${value}`)
  }
}

/** Pieces of one range delete that a merge cut apart come joined; two that were written apart never share a seqno here. */
for (let round = 0; round < 12; round++) {
  t.test(`program ${round}`, { timeout: 60_000 }, async (t) => {
    const run = new Run(new Random((seed + round) >>> 0))
    await run.open()
    for (let i = 0; i < 400; i++) await run.step()
    await run.tree.idle()
    const events = [...run.tree.scanSinceSeqno(0)]
    t.same(
      events.map(lineOf).sort(),
      [...run.writes].sort(),
      'all that was written, and nothing else',
    )
    const seqnos = events.map((event) => event.seqno)
    t.same(
      seqnos,
      [...seqnos].sort((a, b) => a - b),
      'in order',
    )
    t.same(
      [...run.tree.scanSinceSeqno(0, { fullScan: true })].map(lineOf).sort(),
      events.map(lineOf).sort(),
    )
    const last = run.tree.visibleSeqno.get()
    for (const at of [last, Math.floor(last / 2), Math.floor(last / 3), 1]) {
      const wanted = [...replay(events, at)].sort(([a], [b]) => (a < b ? -1 : 1))
      const found = Array.from(run.tree.range({ seqno: at }), ([key, value]) => [
        String(key),
        String(value),
      ])
      t.same(found, wanted, `as of ${at}`)
    }
    const since = Math.floor(last / 2)
    t.same(
      [...run.tree.scanSinceSeqno(since)].map(lineOf).sort(),
      events
        .filter(({ seqno }) => seqno >= since)
        .map(lineOf)
        .sort(),
    )
    await run.tree.close()
  })
}
