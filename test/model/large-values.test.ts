// Values far larger than a block, a batch and a scratch buffer, through flush, merge, scan and reopening.
import { createHash } from 'node:crypto'
import t from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { open } from '../../src/main/open.js'
import type { CompressionOption } from '../../src/main/options.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'

const MIB = 1024 * 1024
const SIZES = [0, 1, 65_535, 65_536, MIB - 1, MIB, 5 * MIB + 3, 17 * MIB]

const hashOf = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

/** `length` bytes, half noise and half repetition. */
function valueFor(length: number, salt: number): Buffer {
  const value = Buffer.alloc(length, 'repetition ')
  let state = salt
  for (let i = 0; i < length / 2; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    value[i] = state >>> 24
  }
  return value
}

const compressions: readonly CompressionOption[] = ['none', 'lz4', { zstd: 1 }]
for (const compression of compressions) {
  t.test(JSON.stringify(compression), { timeout: 60_000 }, async (t) => {
    const { heap } = processEnvironment()
    const before = heap.usedBytes
    const fs = new MemoryFileSystem()
    const runtime = { memtableBytes: 64 * MIB }
    const options = { fs, compression, runtime, maintenance: 'manual' } as const
    let tree = await open('/db', options)
    const wanted = new Map<string, string>()
    for (let round = 0; round < 2; round++) {
      for (const [i, size] of SIZES.entries()) {
        const value = valueFor(size, round * 100 + i)
        const key = `key${(i * 3 + round) % 10}`
        tree.insert(key, value)
        wanted.set(key, hashOf(value))
      }
      await tree.flush()
    }
    const check = (what: string): void => {
      const found = Object.fromEntries(
        Array.from(tree.iter(), ([key, value]) => [String(key), hashOf(value)]),
      )
      t.same(found, Object.fromEntries(wanted), `${what}, scanned`)
      const got = Object.fromEntries(
        Array.from(wanted.keys(), (key) => [key, hashOf(tree.get(key) ?? Buffer.alloc(0))]),
      )
      t.same(got, Object.fromEntries(wanted), `${what}, one by one`)
    }
    check('flushed')
    await tree.majorCompact({ targetSize: MIB })
    check('merged')
    await tree.close()
    tree = await open('/db', options)
    check('opened again')
    await tree.close()
    t.equal(heap.usedBytes, before)
  })
}
