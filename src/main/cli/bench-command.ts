/**
 * `varve bench`: the macro benches, which lie beside the engine and use it as a user does. The engine knows them by their
 * place only. Main thread of its own process.
 */
import type { Command } from './command.js'

/** What `bench/run.ts` offers. */
interface Bench {
  benchCommand(args: readonly string[]): Promise<number>
}

const BENCH = new URL('../../../bench/run.js', import.meta.url)

export const bench: Command = {
  summary: 'measures the engine on this machine',
  async run(args) {
    const { benchCommand } = (await import(BENCH.href)) as Bench
    return benchCommand(args)
  },
}
