/** What a command of `varve` is. Main thread of its own process. */

/** Exit codes: all is well; a problem was found; the command line was wrong. */
export const EXIT_FOUND = 1
export const EXIT_USAGE = 2

export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** @returns the exit code */
  run(args: readonly string[]): Promise<number>
}
