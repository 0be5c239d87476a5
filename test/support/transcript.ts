/**
 * Data-driven transcripts: blocks of a command with its input, `----`, and the text expected of it.
 *
 *     # comment
 *     choose leveled
 *     optional lines of input
 *     ----
 *     nothing
 *
 * A block ends at an empty line. With REWRITE=1 in the environment, what came out replaces what was
 * expected, in the repository's file.
 */
import { readFileSync, writeFileSync } from 'node:fs'

/** One command of a transcript. */
export interface Step {
  readonly line: number
  readonly command: string
  readonly options: ReadonlyMap<string, string>
  readonly input: string
  readonly expected: string
}

function parseBlock(block: string, line: number): Step | undefined {
  const lines = block.split('\n').filter((text) => !text.startsWith('#') && text !== '')
  const [head, ...rest] = lines
  if (head === undefined) return undefined
  const cut = rest.indexOf('----')
  if (cut < 0) throw new SyntaxError(`line ${line}: a block without ----`)
  const words = head.split(/\s+/)
  const options = words.filter((word) => word.includes('=')).map((word) => word.split('=', 2))
  return {
    line,
    command: words.filter((word) => !word.includes('=')).join(' '),
    options: new Map(options as [string, string][]),
    input: rest.slice(0, cut).join('\n'),
    expected: rest.slice(cut + 1).join('\n'),
  }
}

/** Runs every step of a file and hands over what came out; rewrites the file where asked to. */
export function runTranscript(
  path: string,
  execute: (step: Step) => string,
  compare: (actual: string, step: Step) => void,
): void {
  const blocks = readFileSync(path, 'utf8').trimEnd().split(/\n\n+/)
  const isRewriting = process.env['REWRITE'] === '1'
  let line = 1
  const rewritten = blocks.map((block) => {
    const step = parseBlock(block, line)
    line += block.split('\n').length + 1
    if (step === undefined) return block
    const actual = execute(step)
    if (!isRewriting) compare(actual, step)
    const output = actual === '' ? '' : `\n${actual}`
    return `${block.slice(0, block.indexOf('\n----') + 5)}${output}`
  })
  if (isRewriting) writeFileSync(path, `${rewritten.join('\n\n')}\n`)
}
