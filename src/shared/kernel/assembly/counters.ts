// What is counted while a tree is read (layout-metrics.ts): plain adds on words of the tree, by whichever thread reads.
import { TABLE_COUNTERS } from '../layout'

// @ts-ignore: decorator
/** Raises a counter of the tree that `table` belongs to; a table that is read for a job has none. */
@inline
export function count_for(table: usize, field: usize): void {
  const counters = <usize>load<u32>(table, TABLE_COUNTERS)
  if (counters == 0) return
  store<u64>(counters + field, load<u64>(counters + field) + 1)
}
