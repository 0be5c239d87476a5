/** The id by which files name a zstd dictionary: the low 32 bits of XXH3-64 of its bytes (format-table.md 6.3). */
import { processEnvironment } from './environment.js'

export function dictionaryId(dictionary: Uint8Array): number {
  const digest = new Uint8Array(8)
  processEnvironment().workspace.hasher.hash64Into(dictionary, digest, 0)
  return new DataView(digest.buffer).getUint32(0, true)
}
