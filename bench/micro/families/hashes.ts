/** XXH3 of keys and blocks: the kernels, their twins, and the package `@node-rs/xxhash`. */
import { XXH3_STATE_BYTES } from '../../../src/shared/kernel/layout.js'
import { xxh3Bits64, xxh3Bits128 } from '../../../src/shared/kernel/reference/xxh3.js'
import { TestMemory } from '../../../test/support/memory.js'
import { native, type XxhashPackage } from '../natives.js'
import { type Contender, type Effort, operationsFor, type Row, race } from '../race.js'
import { rowsOfText } from '../texts.js'

const low = (hash: bigint): number => Number(hash & 0xffff_ffffn)

export function hashes(effort: Effort): Row[] {
  const { rounds } = effort
  const memory = new TestMemory(1)
  const { kernel, view } = memory
  const text = rowsOfText(16_384)
  const address = memory.place(text)
  const out = memory.allocate(16)
  const state = memory.allocate(XXH3_STATE_BYTES)
  const xxhash = native<XxhashPackage>('@node-rs/xxhash')
  const rows: Row[] = []
  for (const length of [16, 40, 4096, 16_384]) {
    const bytes = text.subarray(0, length)
    const subject = (name: string) => ({
      ...{ family: 'hashes', name: `${name} ${length} B`, bytes: length },
    })
    const fast = operationsFor(30 + length / 10, effort)
    const slow = operationsFor(10_000 + length * 120, effort)
    const packaged = operationsFor(400 + length / 4, effort)
    const of64: Contender[] = [
      {
        ...{ name: 'kernel', operations: fast },
        operation: () => {
          kernel.xxh3_64_into(address, length, out)
          return view.getUint32(out, true)
        },
      },
      { name: 'twin', operations: slow, operation: () => low(xxh3Bits64(bytes)) },
    ]
    const of128: Contender[] = [
      {
        ...{ name: 'kernel', operations: fast },
        operation: () => {
          kernel.xxh3_128_into(address, length, out)
          return view.getUint32(out, true)
        },
      },
      {
        ...{ name: 'kernel, as a stream', operations: fast },
        operation: () => {
          kernel.xxh3_128_reset(state)
          kernel.xxh3_128_update(state, address, length)
          kernel.xxh3_128_digest(state, out)
          return view.getUint32(out, true)
        },
      },
      { name: 'twin', operations: slow, operation: () => low(xxh3Bits128(bytes)) },
    ]
    if (xxhash !== undefined) {
      const { xxh3 } = xxhash
      const name = '@node-rs/xxhash'
      of64.push({ name, operations: packaged, operation: () => low(xxh3.xxh64(bytes)) })
      of128.push({ name, operations: packaged, operation: () => low(xxh3.xxh128(bytes)) })
    }
    rows.push(...race(subject('xxh3-64'), of64, rounds))
    rows.push(...race(subject('xxh3-128'), of128, rounds))
  }
  return rows
}
