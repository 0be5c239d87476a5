/**
 * The block cache beside a plain least-recently-used cache made of a Map: looking up what is there and what is not, and
 * putting blocks in while others have to go. Which blocks go differs, so lookups of a cache that is too small are not
 * compared.
 */
import { testCache, testWorkspace } from '../../../test/support/workspace.js'
import { scramble } from '../entries.js'
import { type Effort, operationsFor, type Row, race } from '../race.js'

const BLOCK_BYTES = 4300
const BLOCKS = 2048
const OWNERS = 4

/** Blocks as copies, the least recently used goes first. */
class MapCache {
  readonly #blocks = new Map<number, Uint8Array>()
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  find(owner: number, offset: number): number {
    const name = offset * OWNERS + owner
    const found = this.#blocks.get(name)
    if (found === undefined) return 0
    this.#blocks.delete(name)
    this.#blocks.set(name, found)
    return 1
  }

  insert(owner: number, offset: number, block: Uint8Array): number {
    this.#blocks.set(offset * OWNERS + owner, Uint8Array.from(block))
    if (this.#blocks.size > this.#capacity) {
      const [oldest] = this.#blocks.keys()
      this.#blocks.delete(oldest as number)
    }
    return 1
  }
}

export function cache(effort: Effort): Row[] {
  const { rounds } = effort
  const workspace = testWorkspace(48)
  const { shared, heap } = workspace
  const source = heap.allocate(BLOCK_BYTES)
  const block = shared.view(source, BLOCK_BYTES)
  const ownerOf = (i: number) => 1 + (i % OWNERS)
  const offsetOf = (i: number) => Math.floor(i / OWNERS) * 4096
  const large = testCache(workspace, 32 << 20)
  const largeMap = new MapCache(BLOCKS * 2)
  for (let i = 0; i < BLOCKS; i++) {
    large.view.insert(ownerOf(i), offsetOf(i), source, BLOCK_BYTES, false)
    largeMap.insert(ownerOf(i), offsetOf(i), block)
  }
  const finds = (first: number) => {
    const at = (i: number) => first + (scramble(i) & (BLOCKS - 1))
    const operations = operationsFor(60, effort)
    return [
      {
        ...{ name: 'kernel', operations },
        operation: (i: number) => (large.view.find(ownerOf(at(i)), offsetOf(at(i))) === 0 ? 0 : 1),
      },
      {
        ...{ name: 'Map', operations },
        operation: (i: number) => largeMap.find(ownerOf(at(i)), offsetOf(at(i))),
      },
    ]
  }
  const rows = [
    ...race({ family: 'cache', name: 'find, there' }, finds(0), rounds),
    ...race({ family: 'cache', name: 'find, not there' }, finds(BLOCKS), rounds),
  ]
  large.dispose()
  const small = testCache(workspace, 4 << 20)
  const smallMap = new MapCache(Math.floor((4 << 20) / BLOCK_BYTES))
  const operations = operationsFor(700, effort)
  let next = 0
  const inserts = [
    {
      ...{ name: 'kernel', operations },
      operation: () => {
        next++
        return small.view.insert(ownerOf(next), offsetOf(next), source, BLOCK_BYTES, false) === 0
          ? 0
          : 1
      },
    },
    {
      ...{ name: 'Map', operations },
      operation: () => {
        next++
        return smallMap.insert(ownerOf(next), offsetOf(next), block)
      },
    },
  ]
  rows.push(
    ...race({ family: 'cache', name: 'insert and evict', bytes: BLOCK_BYTES }, inserts, rounds),
  )
  small.dispose()
  return rows
}
