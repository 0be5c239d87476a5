/** Brings those in who take part in the peer bench: the engines of Node by their processes, RocksDB by `db_bench`. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ChildAnswer, ChildRequest, ChildSetup, Contestant } from './contestant.js'
import type { Measurement } from './meter.js'
import { NativeRocks } from './native-rocks.js'
import type { StageOptions } from './stage.js'
import { STORE_KINDS } from './stores/index.js'

const CHILD = fileURLToPath(new URL('./contestant-process.js', import.meta.url))

class ProcessContestant implements Contestant {
  readonly name: string
  readonly #child: ChildProcess

  constructor(setup: ChildSetup) {
    this.name = setup.engine
    this.#child = fork(CHILD, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    this.#tell({ setup })
  }

  async run(workload: string): Promise<readonly Measurement[] | undefined> {
    const answer = await this.#ask({ run: workload })
    if ('error' in answer) throw new Error(`${this.name}, ${workload}: ${answer.error}`)
    return answer.rows
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#tell({ end: true })
    await ended
  }

  #tell(request: ChildRequest): void {
    this.#child.send(request)
  }

  #ask(request: ChildRequest): Promise<ChildAnswer> {
    return new Promise((resolve, reject) => {
      const child = this.#child
      const settle = (answer: ChildAnswer | number | null): void => {
        child.off('message', settle as (message: unknown) => void)
        child.off('exit', settle)
        if (answer === null || typeof answer === 'number')
          reject(new Error(`${this.name}: its process ended with ${answer}`))
        else resolve(answer)
      }
      child.on('message', settle as (message: unknown) => void)
      child.on('exit', settle)
      this.#tell(request)
    })
  }
}

export const NATIVE = 'RocksDB (native)'

/** Names of all who can take part, varve first. */
export const ENGINES: readonly string[] = [...STORE_KINDS.map(({ name }) => name), NATIVE]

/** Brings one in; nothing is started yet where it is RocksDB. */
export function contestant(engine: string, folder: string, options: StageOptions): Contestant {
  const own = join(folder, engine.replaceAll(/\W+/g, '-'))
  if (engine === NATIVE) return new NativeRocks(engine, own, options)
  return new ProcessContestant({ engine, folder: own, options })
}
