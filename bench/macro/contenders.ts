/**
 * The engines that the peer bench compares, behind one small interface: varve, and those of `bench/peers` that are
 * installed. All synchronous where they can be, nothing synced on a write, the same cache for each.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Cache, open } from '../../src/main/index.js'

export type Row = readonly [key: Uint8Array, value: Uint8Array]

/** One engine with an open, empty store. */
export interface Contender {
  /** Writes one entry; a promise where the engine asks its caller to wait. */
  put(key: Buffer, value: Buffer): void | Promise<void>
  /** Everything written so far is applied and, where the engine compacts, compacted in full. */
  settle(): Promise<void>
  get(key: Buffer): Uint8Array | undefined
  /** Rows from a key on, or all of them; to be left early. */
  rows(from: Buffer | undefined, isReverse: boolean): Iterable<Row> | AsyncIterable<Row>
  close(): Promise<void>
}

export interface ContenderKind {
  readonly name: string
  /** @returns undefined where it is not installed */
  open(folder: string, cacheBytes: number): Promise<Contender | undefined>
}

/** Entries that engines with batches or transactions take at once. */
const BATCH_ENTRIES = 1000

/** Where `npm install --prefix bench/peers` puts them; the sources lie beside `build`. */
const peersFolder = fileURLToPath(new URL('../../../bench/peers/', import.meta.url))

/** The package's exports; undefined where it is not installed, or not built for this machine. */
function optional(name: string): Record<string, unknown> | undefined {
  if (!existsSync(join(peersFolder, 'node_modules', name))) return undefined
  try {
    return createRequire(join(peersFolder, 'package.json'))(name)
  } catch {
    return undefined
  }
}

const varve: ContenderKind = {
  name: 'varve',
  async open(folder, cacheBytes) {
    const cache = new Cache({ capacityBytes: cacheBytes })
    const tree = await open(folder, { cache })
    return {
      put(key, value) {
        if (!tree.insert(key, value)) return tree.drained()
      },
      async settle() {
        await tree.flush()
        await tree.majorCompact()
        await tree.idle()
      },
      get: (key) => tree.get(key),
      rows: (from, isReverse) =>
        tree.range(from === undefined ? { reverse: isReverse } : { gte: from }),
      async close() {
        await tree.close()
        cache[Symbol.dispose]()
      },
    }
  },
}

/** What this bench uses of classic-level. */
interface Level {
  open(): Promise<void>
  batch(): LevelBatch
  getSync(key: Buffer): Uint8Array | undefined
  compactRange(start: Buffer, end: Buffer): Promise<void>
  iterator(options: object): AsyncIterable<Row>
  close(): Promise<void>
}

interface LevelBatch {
  put(key: Buffer, value: Buffer): this
  readonly length: number
  write(): Promise<void>
}

const classicLevel: ContenderKind = {
  name: 'classic-level',
  async open(folder, cacheBytes) {
    const { ClassicLevel } = (optional('classic-level') ?? {}) as {
      ClassicLevel?: new (folder: string, options: object) => Level
    }
    if (ClassicLevel === undefined) return undefined
    const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' }
    const level = new ClassicLevel(folder, {
      ...encodings,
      cacheSize: cacheBytes,
      writeBufferSize: 64 * 2 ** 20,
    })
    await level.open()
    let batch = level.batch()
    const write = async (): Promise<void> => {
      const full = batch
      batch = level.batch()
      await full.write()
    }
    return {
      put(key, value) {
        batch.put(key, value)
        if (batch.length >= BATCH_ENTRIES) return write()
      },
      async settle() {
        await write()
        await level.compactRange(Buffer.alloc(1), Buffer.alloc(32, 255))
      },
      get: (key) => level.getSync(key),
      rows: (from, isReverse) =>
        level.iterator({ ...(from === undefined ? {} : { gte: from }), reverse: isReverse }),
      close: () => level.close(),
    }
  },
}

/** What this bench uses of lmdb. */
interface Lmdb {
  put(key: Buffer, value: Buffer): Promise<unknown>
  getBinary(key: Buffer): Buffer | undefined
  getRange(options: object): Iterable<{ key: Buffer; value: Buffer }>
  flushed: Promise<void>
  close(): Promise<void>
}

const lmdb: ContenderKind = {
  name: 'lmdb',
  async open(folder) {
    const { open: openLmdb } = (optional('lmdb') ?? {}) as {
      open?: (options: object) => Lmdb
    }
    if (openLmdb === undefined) return undefined
    const db = openLmdb({
      path: folder,
      keyEncoding: 'binary',
      encoding: 'binary',
      compression: false,
      noSync: true,
      mapSize: 8 * 2 ** 30,
    })
    let last: Promise<unknown> = Promise.resolve()
    let pending = 0
    return {
      put(key, value) {
        // It keeps the key until its transaction, so it gets one of its own.
        last = db.put(key, value)
        if (++pending % BATCH_ENTRIES === 0) return last as Promise<void>
      },
      async settle() {
        await last
      },
      get: (key) => db.getBinary(key),
      rows: (from, isReverse) => lmdbRows(db, from, isReverse),
      close: () => db.close(),
    }
  },
}

function* lmdbRows(db: Lmdb, from: Buffer | undefined, isReverse: boolean): Generator<Row> {
  const range = { ...(from === undefined ? {} : { start: from }), reverse: isReverse }
  for (const { key, value } of db.getRange(range)) yield [key, value]
}

/** What this bench uses of better-sqlite3. */
interface Sqlite {
  pragma(text: string): void
  exec(text: string): void
  prepare(text: string): Statement
  close(): void
}

interface Statement {
  run(...values: unknown[]): void
  get(...values: unknown[]): unknown
  iterate(...values: unknown[]): Iterable<Row>
  raw(): Statement
  pluck(): Statement
}

const sqlite: ContenderKind = {
  name: 'better-sqlite3',
  async open(folder, cacheBytes) {
    const Database = optional('better-sqlite3') as undefined | (new (path: string) => Sqlite)
    if (Database === undefined) return undefined
    mkdirSync(folder, { recursive: true })
    const db = new Database(join(folder, 'db'))
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = OFF')
    db.pragma(`cache_size = -${Math.floor(cacheBytes / 1024)}`)
    db.exec('CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID')
    const insert = db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)')
    const select = db.prepare('SELECT value FROM entries WHERE key = ?').pluck()
    const from = db.prepare('SELECT key, value FROM entries WHERE key >= ? ORDER BY key').raw()
    const up = db.prepare('SELECT key, value FROM entries ORDER BY key').raw()
    const down = db.prepare('SELECT key, value FROM entries ORDER BY key DESC').raw()
    let pending = 0
    return {
      put(key, value) {
        if (pending === 0) db.exec('BEGIN')
        insert.run(key, value)
        if (++pending < BATCH_ENTRIES) return
        db.exec('COMMIT')
        pending = 0
      },
      async settle() {
        if (pending > 0) db.exec('COMMIT')
        pending = 0
      },
      get: (key) => select.get(key) as Buffer | undefined,
      rows(key, isReverse) {
        if (key !== undefined) return from.iterate(key)
        return (isReverse ? down : up).iterate()
      },
      async close() {
        db.close()
      },
    }
  },
}

export const CONTENDERS: readonly ContenderKind[] = [varve, classicLevel, lmdb, sqlite]
