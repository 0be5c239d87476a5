/** varve, as a user gets it; options only where a workload is about them. */
import {
  Cache,
  type CompressionOption,
  fifo,
  MaintenancePool,
  mergeOperators,
  type OpenOptions,
  open,
  packEntries,
} from '../../../src/main/index.js'
import type { StoreKind, StoreSettings } from './store.js'

/** Tables stay as they were flushed. */
const KEEP_ALL = fifo({ limit: Number.MAX_SAFE_INTEGER })

function compressionOf(name: string | undefined): { compression?: CompressionOption } {
  if (name === undefined) return {}
  const [codec, level] = name.split(':')
  if (codec === 'zstd') return { compression: { zstd: Number(level ?? 3) } }
  if (codec !== 'none' && codec !== 'lz4') throw new RangeError(`no compression ${name}`)
  return { compression: codec }
}

function optionsOf(settings: StoreSettings): OpenOptions {
  return {
    ...compressionOf(settings.compression),
    ...(settings.isAdding === true ? { mergeOperator: mergeOperators.add } : {}),
    ...(settings.isManual === true ? { maintenance: 'manual' } : {}),
    ...(settings.isUnmerged === true ? { strategy: KEEP_ALL } : {}),
  }
}

export const varve: StoreKind = {
  name: 'varve',
  async open(folder, settings) {
    const cache = new Cache({ capacityBytes: settings.cacheBytes })
    const pool =
      settings.workers === undefined
        ? undefined
        : new MaintenancePool({ threads: settings.workers })
    const tree = await open(folder, {
      ...optionsOf(settings),
      cache,
      ...(pool === undefined ? {} : { pool }),
    })
    const waitIf = (isWelcome: boolean): undefined | Promise<void> =>
      isWelcome ? undefined : tree.drained()
    return {
      put: (key, value) => waitIf(tree.insert(key, value)),
      remove: (key) => waitIf(tree.remove(key)),
      removeRange: (start, end) => waitIf(tree.removeRange(start, end)),
      add: (key, operand) => waitIf(tree.merge(key, operand)),
      get: (key) => tree.get(key),
      multiGet: (keys) => tree.multiGet(keys),
      scan({ from, to, isReverse = false, limit }, visit) {
        // Spelled out, here and in the other stores: spreads cost as much as a short scan.
        const options = { gte: from, lt: to, limit, reverse: isReverse }
        for (const [key, value] of tree.range(options)) visit(key, value)
      },
      async bulk(rows) {
        await tree.bulkIngest(rows, { sorted: true })
      },
      pack: (rows) => packEntries(rows),
      async drain() {},
      async flush() {
        await tree.flush()
      },
      idle: () => tree.idle(),
      async compact() {
        await tree.majorCompact()
      },
      share: () => tree.share(),
      diskBytes: () => tree.diskSpace(),
      filterBits: (keys) => (tree.filterSize() * 8) / keys,
      filterAnswers() {
        const { filterQueries, filterSkips } = tree.metrics()
        return { passed: filterQueries - filterSkips, kept: filterSkips }
      },
      async close() {
        await tree.close()
        await pool?.close()
        cache[Symbol.dispose]()
      },
    }
  },
}
