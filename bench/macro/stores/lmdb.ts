/** LMDB, by the package lmdb, without syncs. It gathers writes into transactions by itself. */
import { optional } from './packages.js'
import { BATCH_ENTRIES, type StoreKind } from './store.js'

/** What the benches use of lmdb. */
interface Lmdb {
  put(key: Buffer, value: Buffer): Promise<unknown>
  remove(key: Buffer): Promise<unknown>
  getBinary(key: Buffer): Buffer | undefined
  getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]>
  getRange(options: object): Iterable<{ key: Buffer; value: Buffer }>
  close(): Promise<void>
}

const MAP_BYTES = 32 * 2 ** 30

export const lmdb: StoreKind = {
  name: 'lmdb',
  async open(folder) {
    const { open } = (optional('lmdb') ?? {}) as { open?: (options: object) => Lmdb }
    if (open === undefined) return undefined
    const db = open({
      ...{ path: folder, keyEncoding: 'binary', encoding: 'binary' },
      ...{ compression: false, noSync: true, mapSize: MAP_BYTES },
    })
    let last: Promise<unknown> = Promise.resolve()
    let pending = 0
    const later = (written: Promise<unknown>): undefined | Promise<void> => {
      last = written
      return ++pending % BATCH_ENTRIES === 0 ? (written as Promise<void>) : undefined
    }
    return {
      isLate: true,
      // It keeps the key until its transaction, so it gets one of its own.
      put: (key, value) => later(db.put(Buffer.from(key), value)),
      remove: (key) => later(db.remove(Buffer.from(key))),
      get: (key) => db.getBinary(key),
      multiGet: (keys) => db.getMany(keys),
      scan({ from, to, isReverse = false, limit }, visit) {
        // Backwards it starts at the upper end.
        const start = isReverse ? to : from
        const end = isReverse ? from : to
        const range: { reverse: boolean; start?: Buffer; end?: Buffer; limit?: number } = {
          reverse: isReverse,
        }
        if (start !== undefined) range.start = start
        if (end !== undefined) range.end = end
        if (limit !== undefined) range.limit = limit
        for (const { key, value } of db.getRange(range)) visit(key, value)
      },
      async drain() {
        await last
      },
      async close() {
        await last
        await db.close()
      },
    }
  },
}
