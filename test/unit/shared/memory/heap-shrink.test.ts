/** Pieces of a heap that give their end back: what stays is theirs alone, and all of it comes back. */
import t from 'tap'
import { Heap } from '../../../../src/shared/memory/heap.js'
import { Random, runSeed } from '../../../support/random.js'

const random = new Random(runSeed())
t.comment(`SEED=${random.seed}`)

t.test('shrunk pieces', async (t) => {
  const heap = new Heap(64, 64 + (96 << 20))
  const pieces = new Map<number, number>()
  let wrong = 0
  let shrunk = 0
  for (let round = 0; round < 3000; round++) {
    if (pieces.size > 20 || (pieces.size > 0 && random.chance(0.3))) {
      const [address] = random.pick([...pieces])
      heap.free(address)
      pieces.delete(address)
      continue
    }
    const bytes = 1 + random.below(random.pick([1000, 100_000, 3_000_000]))
    const address = heap.allocate(bytes)
    const kept = random.chance(0.5) ? bytes : 1 + random.below(bytes)
    const before = heap.sizeOf(address)
    heap.shrink(address, kept)
    const size = heap.sizeOf(address)
    if (size < before) shrunk++
    if (size < kept || size > before) wrong++
    for (const [other, length] of pieces) {
      if (address < other + length && other < address + size) wrong++
    }
    pieces.set(address, size)
  }
  t.equal(wrong, 0)
  t.ok(shrunk > 100, `${shrunk} became smaller`)
  for (const address of pieces.keys()) heap.free(address)
  t.equal(heap.usedBytes, 0)
  // All in one piece again.
  t.equal(heap.sizeOf(heap.allocate(14 << 20)), 14 << 20)
})

t.test('small and very large pieces stay as they are', async (t) => {
  const heap = new Heap(64, 64 + (96 << 20))
  for (const bytes of [64, 60_000, 16 << 20, 20 << 20]) {
    const address = heap.allocate(bytes)
    const size = heap.sizeOf(address)
    heap.shrink(address, bytes >> 1)
    t.equal(heap.sizeOf(address), size)
    heap.free(address)
  }
  t.equal(heap.usedBytes, 0)
})
