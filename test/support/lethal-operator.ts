/** A merge operator that ends its thread, where it runs in a worker and the file that it is told of exists. */
import { existsSync, unlinkSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import type { MergeOperator } from '../../src/main/index.js'

export function lethal({ trap }: { trap: string }): MergeOperator {
  return {
    merge(_key, base, operands) {
      if (!isMainThread && existsSync(trap)) {
        unlinkSync(trap)
        process.exit(3)
      }
      return Buffer.concat([base ?? Buffer.alloc(0), ...operands])
    },
  }
}
