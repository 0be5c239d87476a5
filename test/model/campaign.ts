/**
 * Runs one program under one option set in a place of its own, and reduces it where it fails. Shared by the model test
 * and the soak.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import type { OptionSet } from './option-sets.js'
import { describeProgram, type Failure, type Program, reduce } from './program.js'
import { runProgram } from './runner.js'

/** A folder for trees on disk, one after the other. */
export class Campaign {
  readonly #folder: string
  #count = 0

  /** REQUIRES: `folder` exists; the caller removes it. */
  constructor(folder: string) {
    this.#folder = folder
  }

  async run(program: Program, set: OptionSet): Promise<Failure | undefined> {
    if (set.where === 'memory') {
      return runProgram(program, set, { root: '/db', fs: new MemoryFileSystem() })
    }
    const root = `${this.#folder}/${this.#count++}`
    mkdirSync(root)
    try {
      return await runProgram(program, set, { root, fs: undefined })
    } finally {
      rmSync(root, { recursive: true })
    }
  }

  /** The failure with the smallest program that still shows one, as text. */
  async explain(program: Program, set: OptionSet, failure: Failure): Promise<string> {
    const reduced = await reduce(program, failure, (smaller) => this.run(smaller, set))
    return (
      `${set.name}: ${failure.error.message} (step ${failure.step})\n` +
      `reduced: ${reduced.failure.error.stack}\n${describeProgram(reduced.program)}`
    )
  }
}
