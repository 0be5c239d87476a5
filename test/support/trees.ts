/** What tests of whole trees share: copies and listings of folders, and what a tree shows as comparable text. */

import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { MergeOperator, Tree } from '../../src/main/index.js'

/** The merge operator of the fixtures: base and operands one behind the other. */
export const concatenation: MergeOperator = {
  merge: (_key, base, operands) => Buffer.concat([base ?? Buffer.alloc(0), ...operands]),
}

const ENGINE_FILE = /^(current|v\d+|edits-\d+|tables|blobs)$/

/** Copies the engine's files of a fixture, without the lists of what it holds, to the folder `target`. */
export function copyTree(source: string, target: string): string {
  mkdirSync(target, { recursive: true })
  for (const name of readdirSync(source)) {
    if (!ENGINE_FILE.test(name)) continue
    cpSync(join(source, name), join(target, name), { recursive: true })
  }
  return target
}

/** Every file and folder below `folder` with size, modification time and digest: equal where nothing was touched. */
export function listing(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).sort().map((name) => {
    const path = join(folder, name)
    const { mtimeNs, size } = statSync(path, { bigint: true })
    if (statSync(path).isDirectory()) return `${name}/ ${mtimeNs}`
    const digest = createHash('sha256').update(readFileSync(path)).digest('hex')
    return `${name} ${size} ${mtimeNs} ${digest}`
  })
}

/** The ids of the files below a tree's `tables`, ascending. */
export function tableFiles(folder: string): number[] {
  const tables = join(folder, 'tables')
  if (!existsSync(tables)) return []
  return readdirSync(tables)
    .map(Number)
    .sort((a, b) => a - b)
}

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

/** Pairs as lines `key-hex value-hex`, as the fixtures list them. */
export function linesOfPairs(pairs: Iterable<readonly [Uint8Array, Uint8Array]>): string[] {
  return Array.from(pairs, ([key, value]) => `${hex(key)} ${hex(value)}`)
}

/** Pairs as `key=value` in plain text, joined by spaces. */
export function textOf(pairs: Iterable<readonly [Uint8Array, Uint8Array]>): string {
  return Array.from(pairs, ([key, value]) => `${key}=${value}`).join(' ')
}

/** Keys, evenly chosen, that {@link visibleLines} asks for one by one. */
const POINT_READS = 400

/**
 * What a tree shows at a seqno (now where it is not given), by every way of reading: scans in both directions, keys and
 * values alone, point reads, counts. Throws where two of them differ.
 */
export function visibleLines(tree: Tree, seqno?: number): string[] {
  const at = seqno === undefined ? {} : { seqno }
  const lines = linesOfPairs(tree.range(at))
  const expect = (what: string, actual: readonly string[]): void => {
    if (actual.join('\n') === lines.join('\n')) return
    throw new Error(`${what} shows ${actual.length} entries unlike the ${lines.length} of a scan`)
  }
  expect('a reverse scan', linesOfPairs(tree.range({ ...at, reverse: true })).reverse())
  const keys = Array.from(tree.range({ ...at, values: false }))
  const values = Array.from(tree.range({ ...at, keys: false }))
  expect('keys and values', linesOfPairs(keys.map((key, i) => [key, values[i] as Buffer])))
  const step = Math.ceil(keys.length / POINT_READS)
  const asked = keys.filter((_, i) => i % step === 0)
  const answers = linesOfPairs(asked.map((key, i) => [key, values[i * step] as Buffer])).join()
  const absent = Buffer.from('absent')
  const found = asked.map((key) => [key, tree.get(key, at) ?? absent] as const)
  if (linesOfPairs(found).join() !== answers) throw new Error('point reads differ from the scan')
  const many = tree.multiGet(asked, at)
  if (linesOfPairs(asked.map((key, i) => [key, many[i] ?? absent])).join() !== answers) {
    throw new Error('multiGet differs from the scan')
  }
  if (tree.len(at) !== lines.length) throw new Error(`len is ${tree.len(at)}`)
  const edges = [tree.firstKeyValue(at), tree.lastKeyValue(at)].filter((pair) => pair !== undefined)
  const [first, last] = linesOfPairs(edges)
  if (first !== lines[0] || last !== lines.at(-1)) throw new Error('the edges differ from the scan')
  return lines
}

/** The code that `work` fails with; undefined where it does not fail, the message where there is no code. */
export async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string }
    return code ?? `no code: ${message}`
  }
}
