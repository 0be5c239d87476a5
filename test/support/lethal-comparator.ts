/** A comparator that ends its thread, where it runs in a worker and the file that it is told of exists. */
import { existsSync, unlinkSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import type { Comparator } from '../../src/main/index.js'

export function lethal({ trap }: { trap: string }): Comparator {
  return {
    name: 'lethal',
    compare(a, b) {
      if (!isMainThread && existsSync(trap)) {
        unlinkSync(trap)
        process.exit(3)
      }
      return Buffer.compare(a, b)
    },
  }
}
