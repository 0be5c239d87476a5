/** Compaction filters for tests, as a user would write them: a module that workers import. */
import type { CompactionFilterFactory } from '../../src/shared/base/compaction-filter.js'

/** Removes what starts with a prefix. */
export function dropping({ prefix }: { readonly prefix: string }): CompactionFilterFactory {
  return {
    name: 'dropping',
    create: () => ({ filter: ({ key }) => (String(key).startsWith(prefix) ? 'remove' : 'keep') }),
  }
}
