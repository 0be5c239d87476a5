/** Filters of tables: building them and asking them, the kernels and their twins. */
import { burrBuild, burrContains } from '../../../src/shared/kernel/reference/burr.js'
import { ribbonBuild, ribbonContains } from '../../../src/shared/kernel/reference/ribbon.js'
import { TestMemory } from '../../../test/support/memory.js'
import { Random } from '../../../test/support/random.js'
import { type Contender, digestOf, type Effort, type Row, race } from '../race.js'

/** Bits of a fingerprint. */
const WIDTH = 10
/** Twins count in BigInt: more keys than this would take minutes. */
const TWIN_KEYS_MAX = 10_000

interface FilterKind {
  readonly name: string
  build(hashes: number, count: number, target: number, scratch: number): number
  contains(filter: number, hash: number): number
  twinBuild(hashes: bigint[], width: number): Uint8Array | undefined
  twinContains(filter: Uint8Array, hash: bigint): boolean
}

export function filters({ scale, rounds }: Effort): Row[] {
  const counts = [3121, 100_000, 1_000_000].map((count) => Math.max(300, Math.ceil(count * scale)))
  const largest = Math.max(...counts)
  const memory = new TestMemory(2 + Math.ceil((largest * 160) / (1 << 20)))
  const { kernel } = memory
  const random = new Random(11)
  const place = () => memory.place(random.bytes(largest * 8))
  const [present, absent] = [place(), place()]
  const burrSize = kernel.burr_size_max(largest)
  const ribbonSize = kernel.ribbon_size_max(largest, WIDTH)
  const target = memory.allocate(Math.max(burrSize, ribbonSize))
  const burrScratch = kernel.burr_scratch_bytes(largest)
  const ribbonScratch = kernel.ribbon_scratch_bytes(largest)
  const scratchAt = memory.allocate(Math.max(burrScratch, ribbonScratch))
  const kinds: FilterKind[] = [
    {
      name: 'burr',
      build: (hashes, count, to, scratch) =>
        kernel.burr_build(hashes, count, WIDTH, to, burrSize, scratch, burrScratch),
      contains: (filter, hash) => kernel.burr_contains_at(filter, hash),
      twinBuild: burrBuild,
      twinContains: (filter, hash) => burrContains(Buffer.from(filter.buffer), hash),
    },
    {
      name: 'ribbon',
      build: (hashes, count, to, scratch) =>
        kernel.ribbon_build(hashes, count, WIDTH, to, ribbonSize, scratch, ribbonScratch),
      contains: (filter, hash) => kernel.ribbon_contains_at(filter, hash),
      twinBuild: ribbonBuild,
      twinContains: (filter, hash) => ribbonContains(Buffer.from(filter.buffer), hash),
    },
  ]
  const hashAt = (address: number) => memory.view.getBigUint64(address, true)
  const rows: Row[] = []
  for (const kind of kinds) {
    for (const count of counts) {
      const isTwinned = count <= TWIN_KEYS_MAX
      const list = Array.from({ length: isTwinned ? count : 0 }, (_, i) => hashAt(present + 8 * i))
      const build = () => kind.build(present, count, target, scratchAt)
      const builders: Contender[] = [
        {
          ...{ name: 'kernel', operations: Math.max(1, Math.ceil((200_000 / count) * scale)) },
          operation: build,
          result: () => digestOf(memory.copy(target, build())),
        },
      ]
      const twinBuild = () => kind.twinBuild(list, WIDTH) as Uint8Array
      if (isTwinned) {
        builders.push({
          ...{ name: 'twin', operations: 1, operation: () => twinBuild().length },
          result: () => digestOf(twinBuild()),
        })
      }
      const subject = (name: string) => ({
        ...{ family: 'filters', name: `${kind.name} ${name}, ${count} keys` },
      })
      rows.push(...race({ ...subject('build'), items: count }, builders, rounds))
      const filter = isTwinned ? Uint8Array.from(twinBuild()) : new Uint8Array(0)
      build()
      for (const [what, at] of [
        ['present', present],
        ['absent', absent],
      ] as const) {
        const probers: Contender[] = [
          {
            ...{ name: 'kernel', operations: count },
            operation: (i) => kind.contains(target, at + 8 * i),
          },
        ]
        if (isTwinned) {
          probers.push({
            ...{ name: 'twin', operations: Math.min(count, 500) },
            operation: (i) => (kind.twinContains(filter, hashAt(at + 8 * i)) ? 1 : 0),
          })
        }
        rows.push(...race(subject(`probe ${what}`), probers, rounds))
      }
    }
  }
  return rows
}
