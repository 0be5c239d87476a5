/**
 * The two copies of LZ4: literals from elsewhere, matches from just behind. Both run in whole
 * vectors where there is room to write ahead, and byte by byte at the very end of a buffer. Any
 * thread, no state.
 *
 * `memory.copy` leaves compiled code for a library call, which costs more than a typical literal
 * run or match; it is kept for long runs only.
 */

/** Runs above this length go to `memory.copy`. */
const LOOP_BYTES_MAX: usize = 512

/**
 * Copies `length` bytes between places that do not overlap, reading below `sourceEnd` and writing
 * below `targetEnd`.
 * REQUIRES: both runs end at or below these.
 */
// @ts-ignore: decorator
@inline
export function copyExactly(
  target: usize,
  source: usize,
  length: usize,
  targetEnd: usize,
  sourceEnd: usize,
): void {
  if (length <= 16 && targetEnd - target >= 16 && sourceEnd - source >= 16) {
    v128.store(target, v128.load(source))
  } else copyRun(target, source, length, targetEnd, sourceEnd)
}

/** The general case of `copyExactly`. */
function copyRun(
  target: usize,
  source: usize,
  length: usize,
  targetEnd: usize,
  sourceEnd: usize,
): void {
  if (length > LOOP_BYTES_MAX) {
    memory.copy(target, source, length)
    return
  }
  const end = target + length
  if (targetEnd - end >= 16 && sourceEnd - source - length >= 16) {
    do {
      v128.store(target, v128.load(source))
      target += 16
      source += 16
    } while (target < end)
    return
  }
  while (target + 8 <= end) {
    store<u64>(target, load<u64>(source))
    target += 8
    source += 8
  }
  while (target < end) store<u8>(target++, load<u8>(source++))
}

/**
 * Repeats the bytes that begin `offset` before `target`, `length` of them, writing below
 * `targetEnd`. Source and target overlap where `offset < length`; then the pattern repeats.
 * REQUIRES: offset >= 1 and that many bytes lie before `target`; target + length <= targetEnd.
 */
// @ts-ignore: decorator
@inline
export function copyMatch(target: usize, offset: usize, length: usize, targetEnd: usize): void {
  if (offset >= 16 && targetEnd - target - length >= 16) {
    const end = target + length
    do {
      v128.store(target, v128.load(target - offset))
      target += 16
    } while (target < end)
  } else copyPattern(target, offset, length, targetEnd)
}

/** The general case of `copyMatch`: short periods, and the end of the target. */
function copyPattern(target: usize, offset: usize, length: usize, targetEnd: usize): void {
  const end = target + length
  if (targetEnd - end < 16) {
    while (target < end) {
      store<u8>(target, load<u8>(target - offset))
      target++
    }
    return
  }
  let distance = offset
  if (offset < 8) {
    // After eight single bytes any multiple of the period is a valid distance; the least one from 8
    // on lets whole words follow.
    for (const head = target + 8; target < head; target++) {
      store<u8>(target, load<u8>(target - offset))
    }
    distance = offset * ((7 + offset) / offset)
  }
  while (target < end) {
    store<u64>(target, load<u64>(target - distance))
    target += 8
  }
}
