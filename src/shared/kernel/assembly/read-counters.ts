/** Counts what reads do, where their tree wants to know. Any thread; exact where one reads. */

// @ts-ignore: decorator
/** Adds 1 to the counter at `field`. `counters` may be 0. */
@inline
export function count_one(counters: usize, field: usize): void {
  if (counters != 0) store<u64>(counters + field, load<u64>(counters + field) + 1)
}
