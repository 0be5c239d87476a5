/**
 * The text notation for the shape of a tree, in tests and transcripts.
 *
 *     L0: [3:a-f 20M] [2:c-k 20M]         two runs of one table each, the newer one first
 *     L6: [0:a-c 64M, 1:d-k 64M *]        one run of two tables, the second hidden
 *
 * A table is `id:smallest-largest size`, then in any order: `#5` or `#5..9` its seqnos, `@1000` its
 * time of creation in milliseconds, `+10M` the bytes of the blobs it refers to, `*` hidden. Seqnos
 * and time are the id where they are absent. Sizes are bytes, or whole K, M, G (1024 each). Keys are
 * text without `-`, `,` and spaces. `blobs: 5M` is the size of all blob files. Levels without
 * tables are left out.
 */

import { SIZE_UNITS } from '../../src/main/statistics/level-text.js'
import type {
  CompactionChoice,
  StrategyRuns,
  StrategyTable,
  StrategyVersion,
} from '../../src/main/strategies/strategy.js'
import { LEVEL_COUNT } from '../../src/shared/base/limits.js'

export { printLevels, printSize } from '../../src/main/statistics/level-text.js'

/** A parsed shape. */
export interface LevelShape {
  readonly version: StrategyVersion
  readonly hidden: ReadonlySet<number>
}

export function parseSize(text: string): number {
  const match = /^(\d+)([KMG]?)$/.exec(text)
  if (match === null) throw new SyntaxError(`not a size: ${text}`)
  return Number(match[1]) * 1024 ** SIZE_UNITS.indexOf(match[2] as (typeof SIZE_UNITS)[number])
}

function parseTable(text: string, hidden: Set<number>): StrategyTable {
  const [place, size, ...rest] = text.trim().split(/\s+/)
  const match = /^(\d+):([^-]+)-([^-]+)$/.exec(place ?? '')
  if (match === null || size === undefined) throw new SyntaxError(`not a table: ${text}`)
  const [, idText, min, max] = match as unknown as [string, string, string, string]
  const id = Number(idText)
  let seqnos: [number, number] = [id, id]
  let createdAtMs = id
  let linkedBlobBytes = 0
  for (const attribute of rest) {
    const value = attribute.slice(1)
    if (attribute === '*') hidden.add(id)
    else if (attribute.startsWith('@')) createdAtMs = Number(value)
    else if (attribute.startsWith('+')) linkedBlobBytes = parseSize(value)
    else if (attribute.startsWith('#')) {
      const [lowest, highest] = value.split('..')
      seqnos = [Number(lowest), Number(highest ?? lowest)]
    } else throw new SyntaxError(`not an attribute of a table: ${attribute}`)
  }
  const [lowestSeqno, highestSeqno] = seqnos
  return {
    id,
    keyMin: Buffer.from(min),
    keyMax: Buffer.from(max),
    fileBytes: parseSize(size),
    ...{ createdAtMs, lowestSeqno, highestSeqno, linkedBlobBytes },
  }
}

function parseRuns(text: string, hidden: Set<number>): StrategyRuns {
  return [...text.matchAll(/\[([^\]]*)\]/g)].map(([, run]) =>
    (run as string).split(',').map((table) => parseTable(table, hidden)),
  )
}

/** Reads a shape; empty lines count for nothing. */
export function parseLevels(text: string, levelCount = LEVEL_COUNT): LevelShape {
  const hidden = new Set<number>()
  const levels: StrategyRuns[] = Array.from({ length: levelCount }, () => [])
  let blobBytes = 0
  for (const line of text.split('\n').filter((line) => line.trim() !== '')) {
    const match = /^\s*(?:L(\d+)|(blobs)):(.*)$/.exec(line)
    if (match === null) throw new SyntaxError(`not a level: ${line}`)
    if (match[2] !== undefined) blobBytes = parseSize((match[3] as string).trim())
    else levels[Number(match[1])] = parseRuns(match[3] as string, hidden)
  }
  return { version: { levels, blobBytes }, hidden }
}

/** A choice in one line: `merge 3 2 → L5 (canonical 1)`. */
export function printChoice(choice: CompactionChoice): string {
  if (choice.kind === 'nothing') return 'nothing'
  if (choice.kind === 'drop') return `drop ${choice.tableIds.join(' ')}`
  const { tableIds, destination, canonicalLevel } = choice.input
  return `${choice.kind} ${tableIds.join(' ')} → L${destination} (canonical ${canonicalLevel})`
}
