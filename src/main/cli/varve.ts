#!/usr/bin/env node
/** The `varve` command: finds the command that is named and gives it the rest of the line. Main thread of its own process. */
import { bench } from './bench-command.js'
import { type Command, EXIT_FOUND, EXIT_USAGE } from './command.js'

const COMMANDS: ReadonlyMap<string, Command> = new Map([['bench', bench]])

function help(): string {
  const lines = Array.from(COMMANDS, ([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  return `varve <command> [options]\n\n${lines.join('\n')}\n\nvarve <command> --help tells more.`
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const isAsked = name !== undefined
    console[isAsked ? 'log' : 'error'](help())
    return isAsked ? 0 : EXIT_USAGE
  }
  const command = COMMANDS.get(name)
  if (command === undefined) {
    console.error(`varve: no command ${name}\n\n${help()}`)
    return EXIT_USAGE
  }
  try {
    return await command.run(args)
  } catch (error) {
    console.error(`varve ${name}: ${(error as Error).message}`)
    return EXIT_FOUND
  }
}

process.exitCode = await main(process.argv.slice(2))
