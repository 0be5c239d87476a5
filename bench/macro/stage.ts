/**
 * Brings one engine into the state that a workload wants, runs it, and looks at what it left. The store that holds every
 * key stays open between workloads that only read; it is made anew once one has changed what the next one counts on.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { KeySpace, Random, shuffled } from './key-space.js'
import { Ledger } from './ledger.js'
import { type Measurement, Meter, TURN, turn } from './meter.js'
import type { Store, StoreKind, StoreSettings } from './stores/store.js'
import type { Job, Workload } from './workloads/workload.js'

/** Keys that are looked up after a workload that wrote. */
const AUDIT_KEYS = 20_000
/** Engines without synchronous reads do so much less of them. */
const SLOW_SHARE = 1 / 10

export interface StageOptions {
  readonly num: number
  readonly keySize: number
  readonly valueSize: number
  readonly cacheBytes: number
  readonly reads: number
  readonly seed: number
  readonly compression?: string | undefined
}

/** An open store, what it holds, and how it was opened. */
interface Opened {
  store: Store
  readonly ledger: Ledger
  readonly folder: string
  readonly settings: StoreSettings
  leaves: Workload['leaves']
}

export class Stage {
  readonly #kind: StoreKind
  readonly #folder: string
  readonly #options: StageOptions
  readonly #space: KeySpace
  #loaded: Opened | undefined
  #folders = 0

  constructor(kind: StoreKind, folder: string, options: StageOptions) {
    this.#kind = kind
    this.#folder = folder
    this.#options = options
    this.#space = new KeySpace(options.keySize, options.valueSize, options.seed)
  }

  /**
   * @returns undefined where the engine is not installed or lacks what the workload needs
   * @throws where it came to wrong results, or left the store other than it had to
   */
  async run(workload: Workload): Promise<readonly Measurement[] | undefined> {
    const num = Math.min(this.#options.num, workload.numMax ?? Number.POSITIVE_INFINITY)
    const settings = this.#settingsFor(workload)
    const opened =
      workload.stage === 'empty'
        ? await this.#openEmpty(num, settings)
        : await this.#openLoaded(workload, settings)
    if (opened === undefined) return undefined
    try {
      if (workload.can?.(opened.store) === false) return undefined
      const job = this.#job(opened, num)
      if (workload.isWarmed === true) await workload.run(job)
      const rows = await workload.run(job)
      if (workload.leaves !== undefined || workload.stage === 'empty')
        await this.#audit(opened, num)
      opened.leaves = opened.leaves === 'keys' ? 'keys' : (workload.leaves ?? opened.leaves)
      return rows
    } finally {
      if (workload.stage === 'empty') await this.#drop(opened)
    }
  }

  async close(): Promise<void> {
    if (this.#loaded !== undefined) await this.#drop(this.#loaded)
    this.#loaded = undefined
  }

  #settingsFor(workload: Workload): StoreSettings {
    const { num, cacheBytes, compression } = this.#options
    const dataBytes = num * (this.#space.keyBytes + this.#space.valueBytes)
    return { cacheBytes, compression, ...workload.settings?.(dataBytes) }
  }

  async #openEmpty(num: number, settings: StoreSettings): Promise<Opened | undefined> {
    const folder = join(this.#folder, `store-${this.#folders++}`)
    mkdirSync(this.#folder, { recursive: true })
    const store = await this.#kind.open(folder, settings)
    if (store === undefined) return undefined
    // Some workloads write keys beyond.
    const ledger = new Ledger(this.#space, 2 * num)
    return { store, ledger, folder, settings, leaves: undefined }
  }

  async #openLoaded(workload: Workload, settings: StoreSettings): Promise<Opened | undefined> {
    const isSpoilt =
      this.#loaded?.leaves === 'keys' ||
      (this.#loaded?.leaves === 'values' && workload.stage === 'loaded')
    if (isSpoilt) await this.close()
    if (this.#loaded === undefined) {
      this.#loaded = await this.#openEmpty(this.#options.num, settings)
      if (this.#loaded !== undefined) await this.#load(this.#loaded)
      return this.#loaded
    }
    const { store, folder } = this.#loaded
    if (JSON.stringify(settings) === JSON.stringify(this.#loaded.settings)) return this.#loaded
    await store.close()
    const again = await this.#kind.open(folder, settings)
    if (again === undefined) throw new Error(`${this.#kind.name} does not open again`)
    this.#loaded = { ...this.#loaded, store: again, settings }
    return this.#loaded
  }

  /** Every key once, in random order; then all that the engine can do to read well. */
  async #load({ store, ledger }: Opened): Promise<void> {
    const { num, seed } = this.#options
    let count = 0
    for (const number of shuffled(num, seed)) {
      const wait = store.put(this.#space.key(number, 'sequential'), this.#space.value(number))
      if (wait !== undefined) await wait
      if (++count % TURN === 0) await turn()
    }
    await store.drain()
    await store.flush?.()
    await store.compact?.()
    await store.idle?.()
    ledger.fill(0, num, 0)
  }

  #job(opened: Opened, num: number): Job {
    const { seed, reads } = this.#options
    const share = this.#kind.isSlow === true ? SLOW_SHARE : 1
    return {
      ...{ store: opened.store, ledger: opened.ledger, space: this.#space, num, seed },
      reads: Math.max(1, Math.ceil(reads * share)),
      reopen: () => this.#reopen(opened),
    }
  }

  async #reopen(opened: Opened): Promise<Measurement> {
    await opened.store.close()
    return Meter.whole('open', async () => {
      const store = await this.#kind.open(opened.folder, opened.settings)
      if (store === undefined) throw new Error(`${this.#kind.name} does not open again`)
      opened.store = store
      const value = await store.get(this.#space.key(0, 'sequential'))
      return { operations: 1, checksum: value === undefined ? 0 : 1 }
    })
  }

  /** Looks up a good many keys. @throws where one has another value than it must */
  async #audit({ store, ledger }: Opened, num: number): Promise<void> {
    await store.drain()
    if (ledger.size === 0) return
    const random = new Random(this.#options.seed + 99)
    const share = this.#kind.isSlow === true ? SLOW_SHARE : 1
    for (let i = 0; i < Math.min(num, AUDIT_KEYS * share); i++) {
      const number = random.below(num)
      const value = await store.get(this.#space.key(number, 'sequential'))
      const wanted = ledger.value(number)
      if (wanted === undefined ? value !== undefined : !isEqual(value, wanted))
        throw new Error(`${this.#kind.name}: key ${number} has not the value that it must have`)
    }
  }

  async #drop({ store, folder }: Opened): Promise<void> {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function isEqual(value: Uint8Array | undefined, wanted: Buffer): boolean {
  return value !== undefined && wanted.equals(value)
}
