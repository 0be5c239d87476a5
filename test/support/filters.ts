/** Compaction filters for tests, as a user would write them: a module that workers import. */
import type {
  CompactionFilterFactory,
  CompactionFilterItem,
  CompactionVerdict,
} from '../../src/shared/base/compaction-filter.js'

/** Removes what starts with a prefix. */
export function dropping({ prefix }: { readonly prefix: string }): CompactionFilterFactory {
  return {
    name: 'dropping',
    create: () => ({ filter: ({ key }) => (String(key).startsWith(prefix) ? 'remove' : 'keep') }),
  }
}

/** Bytes without their high bits. */
export function aged(value: Uint8Array): Buffer {
  return Buffer.from(value.map((byte) => byte & 0x7f))
}

function judge({ key, value, isMergeOperand }: CompactionFilterItem): CompactionVerdict {
  if (value.length > 0) return value.some((byte) => byte > 0x7f) ? { replace: aged(value) } : 'keep'
  // An empty operand adds nothing. A key that was written once has nothing that could come back.
  if (isMergeOperand) return 'destroy'
  return String(key).startsWith('single') ? 'removeWeak' : 'remove'
}

/** Clears the high bits of all values and operands, and takes away what is empty. */
export const ageing: CompactionFilterFactory = {
  name: 'ageing',
  create: () => ({ filter: judge }),
}
