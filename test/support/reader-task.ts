/** A task of a user's own pool: attaches, reads a few keys, detaches. Sums the lengths of what it finds. */
import { attach, type SharedTree } from '../../src/main/index.js'

export interface ReaderTask {
  readonly handle: SharedTree
  readonly keys: readonly string[]
}

export default async function run({ handle, keys }: ReaderTask): Promise<number> {
  await using reader = await attach(handle, { memoryBytes: 1 << 20 })
  return keys.reduce((sum, key) => sum + (reader.get(key)?.length ?? 0), 0)
}
