/**
 * Opening a tree with its log: tree, log, replay. Main thread.
 */
import { rangeError, typeError } from '../../shared/base/errors.js'
import type { FileSystem } from '../../shared/fs/file-system.js'
import { MemoryFileSystem } from '../../shared/fs/memory-file-system.js'
import { StdFileSystem } from '../../shared/fs/std-file-system.js'
import { processEnvironment } from '../environment.js'
import { type FlushResult, type OpenOptions, open, type Tree } from '../index.js'
import { applyClear, applyRecord } from './apply-record.js'
import { type Durability, GroupCommit } from './group-commit.js'
import { LogWriter } from './log-writer.js'
import { LoggedTree, requireDurability } from './logged-tree.js'
import { type LogRecord, RecordType } from './record.js'
import { type LogRecoveryMode, type RecoveredLog, recoverLog } from './recovery.js'

export interface LogOptions {
  /** Options of the tree; the log's files live in the same file system. `readOnly` is refused. */
  readonly tree?: OpenOptions
  /** What a write outlives where it does not say so itself. Default `'process'`. */
  readonly durability?: Durability
  /** The folder of the log, an absolute path. Default: `wal` in the tree's own folder. */
  readonly folder?: string
  /** Bytes at which a new segment is begun. Default 16 MiB; 1 KiB … 1 GiB. */
  readonly segmentBytes?: number
  /** Bytes that 'memory' writes gather before they are handed to the kernel. Default 64 KiB; 0 … 64 MiB. */
  readonly bufferBytes?: number
  /** Milliseconds that they may wait for that. Default 100. */
  readonly bufferMs?: number
  /** Bytes of writes that may wait to be acknowledged; more are refused with VARVE_STALLED. Default 64 MiB. */
  readonly pendingBytesMax?: number
  /** What to make of damage that no crash explains. Default `'refuse'`. */
  readonly recovery?: LogRecoveryMode
}

const MIB = 1024 * 1024

/** How long a replay may hold up the event loop, in records. */
const REPLAY_TURN = 1000

function integer(
  name: string,
  value: number | undefined,
  [standard, least, most]: readonly [number, number, number],
): number {
  const chosen = value ?? standard
  if (typeof chosen !== 'number') throw typeError(`${name} must be a number`)
  if (Number.isInteger(chosen) && chosen >= least && chosen <= most) return chosen
  throw rangeError(`${name} must be an integer from ${least} to ${most}, not ${chosen}`)
}

function resolve(options: LogOptions) {
  const mode = options.recovery ?? 'refuse'
  if (mode !== 'refuse' && mode !== 'stop-at-damage') {
    throw typeError(`recovery must be 'refuse' or 'stop-at-damage'`)
  }
  const tree = options.tree ?? {}
  if (tree.readOnly === true) {
    throw typeError('a log is replayed into the tree, so the tree cannot be opened read-only')
  }
  return {
    mode,
    tree,
    fs: fileSystemOf(tree.fs),
    durability: requireDurability(options.durability ?? 'process'),
    segmentBytes: integer('segmentBytes', options.segmentBytes, [16 * MIB, 1024, 1024 * MIB]),
    bufferBytes: integer('bufferBytes', options.bufferBytes, [64 * 1024, 0, 64 * MIB]),
    bufferMs: integer('bufferMs', options.bufferMs, [100, 0, 2 ** 31 - 1]),
    pendingBytesMax: integer('pendingBytesMax', options.pendingBytesMax, [64 * MIB, 1, 1024 * MIB]),
  } as const
}

/** Tree and log share one: a memory file system is made here where the tree would make its own. */
function fileSystemOf(given: OpenOptions['fs']): FileSystem {
  if (given === undefined || given === 'std') return new StdFileSystem()
  return given === 'memory' ? new MemoryFileSystem() : given
}

/**
 * Opens the tree in the folder `path` with a write-ahead log, and replays what the log holds and the tree does not.
 *
 * A tree that has a log is to be opened with it, always: seqnos of writes past the log would be those of writes in it.
 *
 * @throws what `open` throws; VARVE_CHECKSUM_MISMATCH and other codes of damage for a log that no crash explains, with
 *   nothing changed; VARVE_UNRECOVERABLE where a part of the log is missing
 *
 * @example
 * ```ts
 * import { openLogged } from 'varve/wal'
 * await using db = await openLogged('my_db')
 * await db.insert('hello', 'world') // survives SIGKILL
 * await db.insert('hello', 'world', { durability: 'disk' }) // survives the loss of power
 * db.tree.getString('hello')
 * ```
 */
export async function openLogged(
  path: string | URL,
  options: LogOptions = {},
): Promise<LoggedTree> {
  const settings = resolve(options)
  const { fs } = settings
  let log: LogWriter | undefined
  const beforeFlush = async (highestSeqno: number): Promise<void> => {
    await settings.tree.beforeFlush?.(highestSeqno)
    // The log before the tables: what a crash leaves in tables is then always known to the log.
    log?.writeOut()
    await log?.sync()
  }
  const tree = await open(path, { ...settings.tree, fs, beforeFlush })
  try {
    // No job has run yet: jobs run in later turns of the event loop.
    const recovered = recover(tree, settings, options.folder)
    const writer = new LogWriter({
      fs,
      folder: logFolder(tree, options.folder),
      hasher: processEnvironment().workspace.hasher,
      syncMode: settings.tree.syncMode ?? 'normal',
      segmentBytes: settings.segmentBytes,
      segments: recovered.segments,
      nextId: recovered.nextId,
      highestSeqno: recovered.highestSeqno,
      persistedBelow: recovered.persistedBelow,
    })
    log = writer
    const isAutomatic = (settings.tree.maintenance ?? 'auto') === 'auto'
    const commit = new GroupCommit({ ...settings, log: writer, tree, isAutomatic })
    tree.on('flush', ({ highestSeqno }: FlushResult) => {
      try {
        writer.notePersisted(highestSeqno + 1)
      } catch {
        // The log knows where it has failed; where the disk is full, the record is due with the next write.
        if (writer.failure !== undefined) commit.kick()
      }
    })
    const replayed = await replay(tree, recovered, isAutomatic, writer)
    const { persistedBelow, cut } = recovered
    return new LoggedTree({
      ...{ tree, fs, log: writer, commit, durability: settings.durability },
      recovery: { replayed, persistedBelow, cut },
    })
  } catch (error) {
    await tree.close({ flush: 'discard' })
    await log?.close()
    throw error
  }
}

function logFolder(tree: Tree, folder: string | undefined): string {
  return folder ?? `${tree.path}/wal`
}

function recover(
  tree: Tree,
  settings: ReturnType<typeof resolve>,
  folder: string | undefined,
): RecoveredLog {
  const tableSeqnos = new Set<number>()
  for (const { segments } of tree.levelSegmentStats()) {
    for (const { highestSeqno } of segments) tableSeqnos.add(highestSeqno)
  }
  const recovered = recoverLog({
    fs: settings.fs,
    folder: logFolder(tree, folder),
    hasher: processEnvironment().workspace.hasher,
    syncMode: settings.tree.syncMode ?? 'normal',
    mode: settings.mode,
    tableSeqnos,
  })
  // Above everything that tree and log ever numbered, before anything draws a number.
  tree.seqno.fetchMax(Math.max(recovered.highestSeqno + 1, recovered.persistedBelow))
  tree.visibleSeqno.fetchMax(recovered.persistedBelow)
  return recovered
}

/** Applies what the tables do not hold; how many writes that were. */
async function replay(
  tree: Tree,
  recovered: RecoveredLog,
  isAutomatic: boolean,
  log: LogWriter,
): Promise<number> {
  let count = 0
  for (const record of recovered.replay()) {
    await replayOne(tree, record, isAutomatic)
    if (record.type === RecordType.Clear) log.notePersisted(record.seqno + 1)
    if (++count % REPLAY_TURN === 0) await new Promise((done) => setImmediate(done))
    log.requireSound()
  }
  return count
}

async function replayOne(tree: Tree, record: LogRecord, isAutomatic: boolean): Promise<void> {
  if (record.type === RecordType.Clear) {
    await applyClear(tree)
    tree.visibleSeqno.fetchMax(record.seqno + 1)
    return
  }
  for (;;) {
    try {
      const isWelcome = applyRecord(tree, record)
      if (!isWelcome && isAutomatic) await tree.drained()
      return
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'VARVE_STALLED') throw error
      if (isAutomatic) await tree.drained()
      else await tree.flush()
    }
  }
}
