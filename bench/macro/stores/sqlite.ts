/** SQLite, by the package better-sqlite3: a table without row ids, a log that is not synced, transactions of a thousand. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { optional } from './packages.js'
import { BATCH_ENTRIES, type StoreKind } from './store.js'

/** What the benches use of better-sqlite3. */
interface Sqlite {
  pragma(text: string): void
  exec(text: string): void
  prepare(text: string): Statement
  close(): void
}

interface Statement {
  run(...values: unknown[]): void
  get(...values: unknown[]): unknown
  iterate(...values: unknown[]): Iterable<[Uint8Array, Uint8Array]>
  raw(): Statement
  pluck(): Statement
}

export const sqlite: StoreKind = {
  name: 'better-sqlite3',
  async open(folder, { cacheBytes }) {
    const Database = optional('better-sqlite3') as undefined | (new (path: string) => Sqlite)
    if (Database === undefined) return undefined
    mkdirSync(folder, { recursive: true })
    const db = new Database(join(folder, 'db'))
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = OFF')
    db.pragma(`cache_size = -${Math.floor(cacheBytes / 1024)}`)
    db.exec('CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID')
    const insert = db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)')
    const remove = db.prepare('DELETE FROM entries WHERE key = ?')
    const select = db.prepare('SELECT value FROM entries WHERE key = ?').pluck()
    const between = 'SELECT key, value FROM entries WHERE key >= ? AND key < ? ORDER BY key'
    const up = db.prepare(`${between} LIMIT ?`).raw()
    const down = db.prepare(`${between} DESC LIMIT ?`).raw()
    const all = { from: Buffer.alloc(1), to: Buffer.alloc(300, 255) }
    let pending = 0
    const commit = (): void => {
      if (pending > 0) db.exec('COMMIT')
      pending = 0
    }
    const change = (statement: Statement, ...values: Buffer[]): undefined => {
      if (pending === 0) db.exec('BEGIN')
      statement.run(...values)
      if (++pending >= BATCH_ENTRIES) commit()
      return undefined
    }
    return {
      put: (key, value) => change(insert, key, value),
      remove: (key) => change(remove, key),
      get: (key) => select.get(key) as Buffer | undefined,
      scan({ from = all.from, to = all.to, isReverse = false, limit = -1 }, visit) {
        const statement = isReverse ? down : up
        for (const [key, value] of statement.iterate(from, to, limit)) visit(key, value)
      },
      async drain() {
        commit()
      },
      async close() {
        commit()
        db.close()
      },
    }
  },
}
