/** All workloads, in the order in which they run: what only reads comes before what changes the same store. */
import { bulkIngests } from './bulk-ingest.js'
import { deleterandom, deleterange } from './deletes.js'
import { fillrandom, fillrandomPlain, fillseq, overwrite } from './fill.js'
import { compact, flush, open } from './maintenance.js'
import { mergerandom } from './merges.js'
import * as point from './point-reads.js'
import { readrandomwriterandom } from './read-random-write-random.js'
import { readwhilewriting } from './read-while-writing.js'
import { readerThreads } from './reader-threads.js'
import { prefixscan, readreverse, readseq, seekrandom } from './scans.js'
import type { Workload } from './workload.js'
import { YCSB } from './ycsb.js'

/** Numbers of reader threads. */
const THREADS = [1, 2, 4]

export const WORKLOADS: readonly Workload[] = [
  ...[fillseq, fillrandom, fillrandomPlain, ...bulkIngests, mergerandom],
  ...[flush, compact, point.readmemtable],
  ...[point.readrandom, point.readmissing, point.readhot, point.multiget],
  ...[readseq, readreverse, seekrandom, prefixscan, open, point.readrandomSmallCache],
  ...THREADS.map(readerThreads),
  ...[readrandomwriterandom, overwrite, ...YCSB, deleterandom, deleterange],
  // How many values it leaves changed is chance.
  readwhilewriting,
]

/** Any number of reader threads has its name. */
function threadsNamed(name: string): Workload | undefined {
  const [, threads] = /^threads-([1-9]\d?)$/.exec(name) ?? []
  return threads === undefined ? undefined : readerThreads(Number(threads))
}

/** @throws RangeError for a name that is none */
export function workloadNamed(name: string): Workload {
  const found = WORKLOADS.find((one) => one.name === name) ?? threadsNamed(name)
  if (found === undefined) {
    const known = WORKLOADS.map((one) => one.name).join(', ')
    throw new RangeError(`no workload ${name}; there are ${known}`)
  }
  return found
}
