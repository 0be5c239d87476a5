/** LevelDB, by the package classic-level. Writes go in batches, which favours it. Its log cannot be left out. */
import { optional } from './packages.js'
import { BATCH_ENTRIES, type StoreKind, WRITE_BUFFER_BYTES } from './store.js'

/** What the benches use of classic-level. */
interface Level {
  open(): Promise<void>
  batch(): LevelBatch
  getSync(key: Buffer): Uint8Array | undefined
  getMany(keys: readonly Buffer[]): Promise<(Uint8Array | undefined)[]>
  compactRange(start: Buffer, end: Buffer): Promise<void>
  iterator(options: object): AsyncIterable<[Uint8Array, Uint8Array]>
  close(): Promise<void>
}

interface LevelBatch {
  put(key: Buffer, value: Buffer): this
  del(key: Buffer): this
  readonly length: number
  write(): Promise<void>
}

export const classicLevel: StoreKind = {
  name: 'classic-level',
  async open(folder, { cacheBytes, compression }) {
    const { ClassicLevel } = (optional('classic-level') ?? {}) as {
      ClassicLevel?: new (folder: string, options: object) => Level
    }
    if (ClassicLevel === undefined) return undefined
    const level = new ClassicLevel(folder, {
      ...{ keyEncoding: 'buffer', valueEncoding: 'buffer' },
      ...{ cacheSize: cacheBytes, writeBufferSize: WRITE_BUFFER_BYTES },
      ...(compression === undefined ? {} : { compression: compression !== 'none' }),
    })
    await level.open()
    let batch = level.batch()
    const write = async (): Promise<void> => {
      const full = batch
      batch = level.batch()
      await full.write()
    }
    return {
      isLate: true,
      // A batch copies the key when it is put.
      put(key, value) {
        batch.put(key, value)
        return batch.length >= BATCH_ENTRIES ? write() : undefined
      },
      remove(key) {
        batch.del(key)
        return batch.length >= BATCH_ENTRIES ? write() : undefined
      },
      get: (key) => level.getSync(key),
      multiGet: (keys) => level.getMany(keys),
      async scan({ from, to, isReverse = false, limit }, visit) {
        const range: { reverse: boolean; gte?: Buffer; lt?: Buffer; limit?: number } = {
          reverse: isReverse,
        }
        if (from !== undefined) range.gte = from
        if (to !== undefined) range.lt = to
        if (limit !== undefined) range.limit = limit
        for await (const [key, value] of level.iterator(range)) visit(key, value)
      },
      drain: write,
      async compact() {
        await write()
        await level.compactRange(Buffer.alloc(1), Buffer.alloc(32, 255))
      },
      async close() {
        await write()
        await level.close()
      },
    }
  },
}
