/** Which bytes are read for which blocks: near ones together, each block in one range, whole. */

import t from 'tap'
import type { ReadableFile } from '../../../../src/shared/fs/file-system.js'
import {
  blockBytes,
  coalesce,
  readRangeLater,
  readRanges,
  type WantedBlock,
} from '../../../../src/shared/table/block-fetch.js'
import type { ResidentTable } from '../../../../src/shared/table/resident-table.js'
import { Random, runSeed } from '../../../support/random.js'

const KIB = 1024
const content = Buffer.alloc(4096 * KIB)
for (let i = 0; i < content.length; i += 4) content.writeUInt32LE(i, i)

/** A table whose file holds `content` and counts what is read. */
function tableOf(owner: number): { table: ResidentTable; reads: number[] } {
  const reads: number[] = []
  const file: ReadableFile = {
    path: `/${owner}`,
    size: () => content.length,
    read: (target, offset) => {
      reads.push(target.length)
      return content.copy(target, 0, offset, offset + target.length)
    },
    close: () => undefined,
  }
  // No more of a table is looked at.
  return { table: { owner, table: { file } } as unknown as ResidentTable, reads }
}

t.test('blocks that touch or nearly do are one range, others are not', async (t) => {
  const { table } = tableOf(1)
  const other = tableOf(2).table
  const block = (offset: number, size: number, of = table): WantedBlock => {
    return { table: of, kind: 0, offset, size }
  }
  const ranges = coalesce([
    block(40 * KIB, 4 * KIB),
    block(0, 4 * KIB),
    block(4 * KIB, 4 * KIB, other),
    block(4 * KIB, 4 * KIB),
    block(16 * KIB, 4 * KIB),
    block(1000 * KIB, 900 * KIB),
  ])
  t.same(
    ranges.map(({ offset, length, blocks }) => [offset / KIB, length / KIB, blocks.length]),
    [
      [0, 20, 3],
      [40, 4, 1],
      [1000, 900, 1],
      [4, 4, 1],
    ],
  )
  t.same(coalesce([]), [])
  const long = coalesce(Array.from({ length: 200 }, (_, i) => block(i * 4 * KIB, 4 * KIB)))
  t.ok(long.every(({ length }) => length <= 256 * KIB) && long.length === 4, 'a range has an end')
})

t.test('random blocks: each comes whole, from one range, at once and later', async (t) => {
  const random = new Random(runSeed())
  t.comment(`SEED=${random.seed}`)
  for (let round = 0; round < 200; round++) {
    const tables = [1, 2, 3].map((owner) => tableOf(owner))
    const blocks: WantedBlock[] = []
    for (const { table } of tables) {
      let offset = random.below(10 * KIB)
      for (let i = random.below(20); i > 0; i--) {
        const size = 1 + random.below(random.pick([100, 5000, 300_000]))
        if (offset + size > content.length) break
        if (random.chance(0.7)) blocks.push({ table, kind: 0, offset, size })
        offset += size + random.below(random.pick([1, 1, 20_000]))
      }
    }
    const shuffled = blocks.map((block) => ({ block, at: random.u32() }))
    const ranges = coalesce(shuffled.sort((a, b) => a.at - b.at).map(({ block }) => block))
    const bytes = readRanges(ranges)
    let seen = 0
    for (const [i, range] of ranges.entries()) {
      const later = await readRangeLater(range.file, range.offset, range.length)
      for (const block of range.blocks) {
        seen++
        const wanted = content.subarray(block.offset, block.offset + block.size)
        const now = bytes[i]
        // A lone block is left to whoever loads it.
        if (now === undefined) t.equal(range.blocks.length, 1)
        else if (!wanted.equals(blockBytes(range, now, block))) t.fail('wrong bytes')
        if (!wanted.equals(blockBytes(range, later, block))) t.fail('wrong bytes, later')
      }
    }
    if (seen !== blocks.length) t.fail(`${seen} of ${blocks.length} blocks`)
  }
})

t.test('a range behind the end of its file is as short as that', async (t) => {
  const { table } = tableOf(1)
  const end = content.length
  const block = { table, kind: 0, offset: end - 100, size: 80 }
  const beyond = { table, kind: 0, offset: end - 10, size: 80 }
  const [range] = coalesce([block, beyond])
  const [bytes] = readRanges([range!])
  t.equal(bytes?.length, 100)
  t.equal(blockBytes(range!, bytes!, beyond).length, 10)
})
