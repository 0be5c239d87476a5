/**
 * One tree, read by as many threads as the machine has processors, while this thread writes to it: words are counted by
 * workers, each over its share of the documents, and the counts go into the same tree by the workers' writers.
 *
 *     node build/examples/reader-threads.js [threads]
 *
 * Exit code 1 where the counts are not those of one plain loop.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import {
  attach,
  int64,
  mergeOperators,
  open,
  readInt64,
  type SharedTree,
} from '../src/main/index.js'

const DOCUMENTS = 2000
const WORDS = ['varve', 'sediment', 'lake', 'ice', 'year', 'layer', 'silt', 'clay']

const textOf = (number: number): string =>
  Array.from({ length: 30 }, (_, i) => WORDS[(number * 7 + i * i) % WORDS.length]).join(' ')

interface Share {
  readonly handle: SharedTree
  readonly from: number
  readonly end: number
}

/** A worker: reads its documents straight from the shared memory, and adds up what it found. */
async function count({ handle, from, end }: Share): Promise<void> {
  await using reader = await attach(handle)
  const counts = new Map<string, number>()
  const [gte, lt] = [from, end].map((number) => `document:${String(number).padStart(6, '0')}`)
  for (const text of reader.range({ gte, lt, keys: false })) {
    for (const word of String(text).split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  // All of them go in one message.
  await Promise.all(
    Array.from(counts, ([word, times]) => reader.writer.merge(`count:${word}`, int64(times))),
  )
}

async function main(threads: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'varve-readers-'))
  const tree = await open(folder, { mergeOperator: mergeOperators.add })
  const wanted = new Map<string, number>()
  for (let i = 0; i < DOCUMENTS; i++) {
    const text = textOf(i)
    if (!tree.insert(`document:${String(i).padStart(6, '0')}`, text)) await tree.drained()
    for (const word of text.split(' ')) wanted.set(word, (wanted.get(word) ?? 0) + 1)
  }
  const each = Math.ceil(DOCUMENTS / threads)
  const workers = Array.from({ length: threads }, (_, i) => {
    const share: Share = { handle: tree.share(), from: i * each, end: (i + 1) * each }
    return new Worker(new URL(import.meta.url), { workerData: share })
  })
  await Promise.all(workers.map((worker) => once(worker, 'exit')))
  for (const [key, sum] of tree.prefix('count:')) {
    const word = String(key).slice(6)
    const times = Number(readInt64(sum))
    console.log(word.padEnd(10), String(times))
    if (times !== wanted.get(word)) process.exitCode = 1
  }
  await tree.close()
  rmSync(folder, { recursive: true, force: true })
}

if (isMainThread) await main(Number(process.argv[2] ?? availableParallelism()))
else await count(workerData as Share)
