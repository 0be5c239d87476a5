/** Every combination of what tables can be: written, merged, reopened under the next combination, and read the same. */

import t from 'tap'
import { type OpenOptions, open, type Tree } from '../../src/main/index.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { Zstd } from '../../src/shared/table/zstd.js'
import { concatenation, visibleLines } from '../support/trees.js'
import { DICTIONARY } from './option-sets.js'

const hasZstd = new Zstd().isAvailable

const COMPRESSIONS: readonly (readonly [string, NonNullable<OpenOptions['compression']>])[] = [
  ['no compression', 'none'],
  ['lz4', 'lz4'],
  ...(hasZstd
    ? ([
        ['zstd', { zstd: 1 }],
        ['zstd with a dictionary', { zstdDict: DICTIONARY }],
      ] as const)
    : []),
]

const BOTH = [false, true] as const

function* combinations(): Generator<OpenOptions> {
  for (const filterFormat of ['varve', 'v5'] as const) {
    for (const filterPartitioning of BOTH) {
      for (const isTwoLevel of BOTH) {
        for (const seqnoInIndex of BOTH) {
          for (const hashRatio of [0, 0.75]) {
            const indexPartitionSpillThreshold = isTwoLevel ? 0 : 1 << 20
            yield {
              filterFormat,
              filterPartitioning,
              hashRatio,
              indexCompression: seqnoInIndex ? 'lz4' : 'none',
              blockSize: isTwoLevel ? 100 : 300,
              runtime: {
                indexPartitionSpillThreshold,
                seqnoInIndex,
                zoneMap: isTwoLevel !== seqnoInIndex,
                memtableBytes: 128 * 1024,
              },
            }
          }
        }
      }
    }
  }
}

/** One of each kind of write, over keys that are there already in part. */
function write(tree: Tree, round: number): void {
  for (let i = 0; i < 80; i++) {
    const key = `key ${(i * 7 + round * 13) % 120}`
    if (i % 9 === 4) tree.remove(key)
    else if (i % 9 === 7) tree.merge(key, `+${round}`)
    else tree.insert(key, `value ${i} of ${round}`)
  }
  tree.removeRange('key 30', 'key 33')
}

for (const [name, compression] of COMPRESSIONS) {
  t.test(`\`compat_matrix\`: ${name}, with everything else in turn`, async (t) => {
    const fs = new MemoryFileSystem()
    let expected: readonly string[] = []
    let round = 0
    for (const options of combinations()) {
      const tree = await open('/db', {
        fs,
        maintenance: 'manual',
        mergeOperator: concatenation,
        compression,
        ...options,
      })
      const check = (when: string): void => {
        if (visibleLines(tree).join() === expected.join()) return
        t.fail(`${JSON.stringify(options)}: ${when}`)
      }
      check('reopened')
      write(tree, round)
      expected = visibleLines(tree)
      await tree.flush()
      check('flushed')
      if (round % 2 === 1) await tree.majorCompact({ targetSize: 3000 })
      check('merged')
      await tree.close()
      round++
    }
    t.equal(round, 32)
  })
}
