// What is counted while a tree is read (layout-metrics.ts): plain adds on words that the reading thread alone writes.

// @ts-ignore: decorator
/** Raises a counter; a thread that reads for a job has none. */
@inline
export function count_for(counters: usize, field: usize): void {
  if (counters == 0) return
  store<u64>(counters + field, load<u64>(counters + field) + 1)
}
