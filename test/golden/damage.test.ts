/**
 * A whole small tree with one byte flipped or a file cut short, each place in turn: opening and reading everything
 * either answers with a coded error, or gives exactly the right data. Never wrong data, a hang, or a blow-up.
 *
 * VARVE_SOAK=1 tries every bit of every byte and every length; without it a few hundred places of each file are tried,
 * others in each run.
 *
 * One thing cannot be told: an edit log that is gone or ends between two records reads as an older version.
 */

import t from 'tap'
import { open, type Tree, VarveError } from '../../src/main/index.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { readFile, writeFile } from '../support/manifests.js'
import { Random, runSeed } from '../support/random.js'
import { linesOfPairs } from '../support/trees.js'

const isSoak = process.env['VARVE_SOAK'] === '1'

/** A read of a damaged tree takes no longer, nor more memory, than this. */
const SECONDS_MAX = 10
const BYTES_MAX = 512 * 1024 * 1024

/** Places tried in each file where not all of them are. */
const PLACES = 250

interface Sample {
  readonly name: string
  readonly fs: MemoryFileSystem
  readonly expected: string
  readonly files: readonly string[]
}

const CASES = [
  { name: 'plain', options: { compression: 'none', blockSize: 300 } },
  { name: 'LZ4', options: { compression: 'lz4', indexCompression: 'lz4', hashRatio: 0.5 } },
  {
    name: 'crate filters, two-level index',
    options: {
      filterFormat: 'v5',
      filterPartitioning: true,
      blockSize: 200,
      runtime: { indexPartitionSpillThreshold: 0 },
    },
  },
  {
    name: 'partitioned filters of our own',
    options: { filterPartitioning: true, blockSize: 300 },
  },
] as const

async function makeSample({ name, options }: (typeof CASES)[number]): Promise<Sample> {
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { fs, maintenance: 'manual', clock: () => 0, ...options })
  for (let i = 0; i < 40; i++)
    tree.insert(`key ${String(i).padStart(3, '0')}`, `value ${i} `.repeat(3))
  for (let i = 0; i < 40; i += 5) tree.remove(`key ${String(i).padStart(3, '0')}`)
  const expected = linesOfPairs(tree.range()).join('\n')
  await tree.close()
  const tables = fs.list('/db/tables').map((entry) => `/db/tables/${entry.name}`)
  return { name, fs, expected, files: ['/db/current', '/db/v0', '/db/edits-0', ...tables] }
}

const KEYS = Array.from({ length: 40 }, (_, i) => `key ${String(i).padStart(3, '0')}`)

/** Everything that the tree shows: scan both ways, then point reads in the form of a scan. */
function readAll(tree: Tree): string[] {
  const forward = linesOfPairs(tree.range()).join('\n')
  const backward = linesOfPairs(tree.range({ reverse: true }))
    .reverse()
    .join('\n')
  const points = KEYS.flatMap((key): [Buffer, Buffer][] => {
    const value = tree.get(key)
    return value === undefined ? [] : [[Buffer.from(key), value]]
  })
  return [forward, backward, linesOfPairs(points).join('\n')]
}

/** What a damaged tree says: 'right', a code, or what is wrong with the answer. */
async function judge(fs: MemoryFileSystem, expected: string, readOnly: boolean): Promise<string> {
  const started = process.hrtime.bigint()
  let verdict: string
  let tree: Tree | undefined
  try {
    tree = await open('/db', { fs, readOnly, maintenance: 'manual', createIfMissing: false })
    verdict = readAll(tree).every((lines) => lines === expected) ? 'right' : 'WRONG DATA'
  } catch (error) {
    verdict = VarveError.is(error) ? error.code : `NO CODE: ${(error as Error).stack}`
    if (verdict === 'VARVE_ASSERTION') verdict = `ASSERTION: ${(error as Error).message}`
  }
  try {
    await tree?.close()
  } catch (error) {
    verdict = `CLOSE FAILED: ${(error as Error).message}`
  }
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  if (seconds > SECONDS_MAX) return `SLOW: ${seconds} s`
  return process.memoryUsage.rss() > BYTES_MAX + startBytes ? 'MEMORY' : verdict
}

const startBytes = process.memoryUsage.rss()
const isFine = (verdict: string): boolean => verdict === 'right' || /^VARVE_[A-Z_]+$/.test(verdict)

/** Places to damage in a file of `length` bytes: all of them in soak, else so many, evenly spread from a random one. */
function* places(random: Random, length: number): Generator<number> {
  const step = isSoak ? 1 : Math.max(1, Math.floor(length / PLACES))
  for (let at = random.below(step); at < length; at += step) yield at
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const damaged = Uint8Array.from(bytes)
  damaged[at] = (damaged[at] as number) ^ (1 << bit)
  return damaged
}

for (const one of CASES) {
  t.test(one.name, async (t) => {
    const random = new Random(runSeed())
    t.comment(`SEED=${random.seed}`)
    const { fs, expected, files } = await makeSample(one)
    t.equal(await judge(fs, expected, true), 'right', 'undamaged')
    for (const file of files) {
      const bytes = readFile(fs, file)
      const verdicts = new Map<string, number>()
      const bad: string[] = []
      const attempt = async (damaged: Uint8Array, what: string): Promise<void> => {
        writeFile(fs, file, damaged)
        const verdict = await judge(fs, expected, true)
        verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
        if (!isFine(verdict)) bad.push(`${what}: ${verdict}`)
      }
      for (const at of places(random, bytes.length)) {
        for (const bit of isSoak ? [0, 1, 2, 3, 4, 5, 6, 7] : [random.below(8)]) {
          await attempt(flipped(bytes, at, bit), `bit ${bit} of byte ${at}`)
        }
      }
      for (const length of places(random, bytes.length)) {
        if (length === 0 && file === '/db/edits-0') continue
        await attempt(bytes.subarray(0, length), `cut to ${length}`)
      }
      writeFile(fs, file, bytes)
      const counts = [...verdicts].map(([verdict, count]) => `${verdict} ${count}`).join(', ')
      t.same(bad, [], `${file}, ${bytes.length} bytes: ${bad.length === 0 ? counts : bad.length}`)
      t.equal(await judge(fs, expected, true), 'right', 'restored')
    }
  })
}

t.test('a file that is missing', async (t) => {
  const { fs, expected, files } = await makeSample(CASES[0])
  for (const file of files) {
    if (file === '/db/edits-0') continue
    const bytes = readFile(fs, file)
    fs.remove(file)
    const verdict = await judge(fs, expected, true)
    t.ok(/^VARVE_[A-Z_]+$/.test(verdict), `${file}: ${verdict}`)
    writeFile(fs, file, bytes)
  }
  t.equal(await judge(fs, expected, false), 'right')
})

t.test('a merge of a damaged table fails whole, or is right', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  const { fs, expected, files } = await makeSample(CASES[1])
  const table = files.at(-1) as string
  const bytes = readFile(fs, table)
  const verdicts = new Map<string, number>()
  for (const at of places(random, bytes.length)) {
    writeFile(fs, table, flipped(bytes, at, random.below(8)))
    const copy = fs.crashClone({ random: () => 0, keepUnsynced: 1 })
    let verdict: string
    try {
      const tree = await open('/db', { fs: copy, maintenance: 'manual', createIfMissing: false })
      const before = copy.list('/db/tables').length
      try {
        await tree.majorCompact()
        verdict = readAll(tree).every((lines) => lines === expected) ? 'right' : 'WRONG DATA'
      } catch (error) {
        verdict = VarveError.is(error) ? error.code : `NO CODE: ${(error as Error).stack}`
        t.equal(copy.list('/db/tables').length, before, `${verdict}: no output is left behind`)
        t.equal(tree.levelTableCount(0), 1, 'and nothing is installed')
      } finally {
        await tree.close()
      }
    } catch (error) {
      verdict = VarveError.is(error) ? error.code : `NO CODE: ${(error as Error).stack}`
    }
    if (!isFine(verdict)) t.fail(`byte ${at}: ${verdict}`)
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
  }
  t.ok((verdicts.get('right') ?? 0) > 0)
  t.ok((verdicts.get('VARVE_CHECKSUM_MISMATCH') ?? 0) > 0, 'damage was met')
})
