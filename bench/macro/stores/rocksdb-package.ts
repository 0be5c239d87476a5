/** RocksDB 6 by the package rocksdb, which has asynchronous reads only. Its log is on: the package cannot leave it out. */
import { promisify } from 'node:util'
import { optional } from './packages.js'
import { BATCH_ENTRIES, type StoreKind, WRITE_BUFFER_BYTES } from './store.js'

type Done = (error: Error | undefined) => void

/** What the benches use of rocksdb: the callbacks of abstract-leveldown. */
interface Rocks {
  open(options: object, done: Done): void
  close(done: Done): void
  batch(operations: readonly object[], done: Done): void
  get(key: Buffer, done: (error: Error | undefined, value: Buffer) => void): void
  getMany(keys: readonly Buffer[], done: (error: Error | undefined, found: Buffer[]) => void): void
  compactRange(start: Buffer, end: Buffer, done: Done): void
  iterator(options: object): RocksIterator
}

interface RocksIterator {
  next(done: (error: Error | undefined, key?: Buffer, value?: Buffer) => void): void
  end(done: Done): void
}

export const rocksdbPackage: StoreKind = {
  name: 'rocksdb (npm)',
  isSlow: true,
  async open(folder, { cacheBytes, compression }) {
    const make = optional('rocksdb') as undefined | ((folder: string) => Rocks)
    if (make === undefined) return undefined
    const db = make(folder)
    const does = <T>(call: (done: (error: Error | undefined, value?: T) => void) => void) =>
      promisify(call)() as Promise<T>
    await does((done) =>
      db.open(
        {
          ...{ cacheSize: cacheBytes, writeBufferSize: WRITE_BUFFER_BYTES },
          ...(compression === undefined ? {} : { compression: compression !== 'none' }),
        },
        done,
      ),
    )
    let operations: object[] = []
    const write = async (): Promise<void> => {
      const full = operations
      operations = []
      if (full.length > 0) await does((done) => db.batch(full, done))
    }
    const later = (operation: object): undefined | Promise<void> => {
      operations.push(operation)
      return operations.length >= BATCH_ENTRIES ? write() : undefined
    }
    return {
      isLate: true,
      put: (key, value) => later({ type: 'put', key: Buffer.from(key), value }),
      remove: (key) => later({ type: 'del', key: Buffer.from(key) }),
      get: (key) =>
        new Promise((resolve, reject) => {
          db.get(key, (error, value) => {
            if (error === undefined || error === null) resolve(value)
            else if (/notfound/i.test(error.message)) resolve(undefined)
            else reject(error)
          })
        }),
      multiGet: (keys) => does((done) => db.getMany(keys, done)),
      async scan({ from, to, isReverse = false, limit = -1 }, visit) {
        const range: { gte?: Buffer; lt?: Buffer } & Record<string, unknown> = {
          ...{ limit, reverse: isReverse, keyAsBuffer: true, valueAsBuffer: true },
        }
        if (from !== undefined) range.gte = from
        if (to !== undefined) range.lt = to
        const rows = db.iterator(range)
        await new Promise<void>((resolve, reject) => {
          const take = (): void =>
            rows.next((error, key, value) => {
              if (error) reject(error)
              else if (key === undefined || value === undefined) resolve()
              else {
                visit(key, value)
                take()
              }
            })
          take()
        })
        await does((done) => rows.end(done))
      },
      drain: write,
      async compact() {
        await write()
        await does((done) => db.compactRange(Buffer.alloc(1), Buffer.alloc(32, 255), done))
      },
      async close() {
        await write()
        await does((done) => db.close(done))
      },
    }
  },
}
