/**
 * The steps of programs that move a whole tree or a large part of it: bulk ingestion, checkpoints, dropping tables.
 */
import type { BulkItem } from '../../src/main/ingestion/bulk-ingest.js'
import { packEntries } from '../../src/main/ingestion/packed-entries.js'
import { StdFileSystem } from '../../src/shared/fs/std-file-system.js'
import type { ModelWrite } from './model.js'
import { isWeakKey, makeValue, type Program, type Step } from './program.js'
import { check, type Session } from './session.js'

/** Ingests a part of the keys, as values or deletes, and finishes; now and then it is given up instead. */
export async function ingest(
  session: Session,
  program: Program,
  [, a, b, c, d]: Step,
): Promise<void> {
  // A seqno that is held back was drawn before: its writes would come too late.
  if (session.held !== undefined) return
  // Keys that are deleted weakly are written in turns, which an ingestion does not ask for.
  const keys = program.keys
    .filter((_, i) => (i * 7919 + a) % (2 + (b % 5)) === 0)
    .filter((key) => !isWeakKey(key))
  keys.sort(session.set.order?.compare ?? Buffer.compare)
  const ingestion = session.tree.ingestion()
  const writes: ModelWrite[] = []
  for (const [i, key] of keys.entries()) {
    const value = (i + c) % 5 === 0 ? undefined : makeValue(c + i, d + i).subarray(0, 16_000)
    const isWelcome =
      value === undefined ? ingestion.writeTombstone(key) : ingestion.write(key, value)
    writes.push({ key, value })
    if (!isWelcome) await ingestion.drained()
  }
  if (d % 8 === 0) {
    await ingestion.abort()
    return
  }
  const { seqno, entryCount } = await ingestion.finish()
  check(entryCount === writes.length, () => `${entryCount} of ${writes.length} were ingested`)
  if (seqno !== undefined) session.model.write(seqno, writes)
}

/** Pairs as a source of bulk ingestion gives them: one by one or as packed chunks, at once or later, moved or shared. */
function* sourceOf(
  pairs: readonly (readonly [Buffer, Buffer])[],
  form: number,
): Generator<BulkItem> {
  if (form % 3 === 0) return yield* pairs
  for (const chunk of packEntries(pairs, { chunkBytes: 100 + ((form * 7919) % 5000) })) {
    if (form % 3 === 1) yield chunk
    else {
      const shared = new Uint8Array(new SharedArrayBuffer(chunk.length))
      shared.set(chunk)
      yield shared
    }
  }
  return undefined
}

async function* later<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}

/** Brings in keys, in any order and some of them several times, or in order; now and then it is given up instead. */
export async function bulkIngest(
  session: Session,
  program: Program,
  [, a, b, c, d]: Step,
): Promise<void> {
  if (session.held !== undefined) return
  const keys = program.keys.filter((key) => !isWeakKey(key))
  if (keys.length === 0) return
  const chosen = Array.from(
    { length: a % 150 },
    (_, i) => keys[(b + i * 7919) % keys.length] as Buffer,
  )
  const sorted = d % 4 === 0
  if (sorted) chosen.sort(session.set.order?.compare ?? Buffer.compare)
  const pairs = chosen
    .filter((key, i) => !sorted || i === 0 || !key.equals(chosen[i - 1] as Buffer))
    .map((key, i) => [key, makeValue(c + i, d + i).subarray(0, 16_000)] as const)
  const items = sourceOf(pairs, c)
  const source = b % 2 === 0 ? items : later(items)
  const options = { sorted, memoryBytes: 256 * 1024 }
  if (d % 16 === 5) {
    const signal = AbortSignal.abort()
    const outcome = await session.tree.bulkIngest(source, { ...options, signal }).then(
      () => 'done',
      (error: { readonly code?: unknown }) => error.code,
    )
    check(outcome === 'VARVE_ABORTED', () => `an aborted ingestion ended with ${outcome}`)
    return
  }
  const { seqno, entryCount } = await session.tree.bulkIngest(source, options)
  check(entryCount === pairs.length, () => `${entryCount} of ${pairs.length} came in`)
  if (seqno === undefined) return
  // Of a key that came several times, the last one.
  const last = new Map(pairs.map(([key, value]) => [key.toString('latin1'), { key, value }]))
  session.model.write(seqno, [...last.values()])
}

/** Makes a checkpoint, opens it, and finds in it what the tree shows. */
export async function checkpoint(session: Session): Promise<void> {
  const { root, fs = new StdFileSystem() } = session.place
  const path = `${root}-copy`
  const { visible } = session
  const { seqno } = await session.tree.createCheckpoint(path)
  check(seqno === visible, () => `the checkpoint is as of ${seqno}, not of ${visible}`)
  const copy = await session.openCopy(path)
  try {
    // What was held back was flushed too, and is as good as published in the copy.
    const wanted = session.model.range({}, Math.max(visible, copy.visibleSeqno.get()))
    const found = [...copy]
    const isSame =
      found.length === wanted.length &&
      found.every(([key, value], i) => wanted[i]?.[0].equals(key) && wanted[i]?.[1].equals(value))
    check(isSame, () => `the checkpoint shows ${found.length} entries, not the ${wanted.length}`)
  } finally {
    await copy.close({ flush: 'discard' })
    removeFolder(fs, path)
  }
}

/** Drops all tables, of a tree that has nothing in memory: what is there goes, and snapshots keep it. */
export async function dropAll(session: Session): Promise<void> {
  if (session.held !== undefined) return
  await session.settle()
  await session.tree.flush({ gcWatermark: 0 })
  const { action } = await session.tree.dropRange()
  if (action === 'dropped') session.model.clear(session.visible - 1)
}

function removeFolder(
  fs: Pick<StdFileSystem, 'list' | 'remove' | 'removeDirectory'>,
  path: string,
): void {
  for (const { name, isDirectory } of fs.list(path)) {
    if (isDirectory) removeFolder(fs, `${path}/${name}`)
    else fs.remove(`${path}/${name}`)
  }
  fs.removeDirectory(path)
}
