/**
 * XXH3-128 of a stream: whole-file checksums, of any length, in pieces of any size. State in shared
 * memory (`XXH3_STATE_*`), one owner thread at a time.
 *
 * I1: a full block leaves the buffer only when another byte follows it, because the end of the
 *     input is hashed differently; so the buffer is empty only in a fresh state.
 * I2: the 64 bytes before the buffer's content are the ones that precede it in the input, once a
 *     block has gone.
 * I3: `digest` changes nothing: a stream may go on after it.
 */
import {
  XXH3_STATE_ACCUMULATORS,
  XXH3_STATE_BUFFER,
  XXH3_STATE_BUFFERED,
  XXH3_STATE_TAIL,
  XXH3_STATE_TOTAL,
} from '../layout'
import { BLOCK_BYTES, longHash, longStart } from './xxh3-long'
import { SHORT_BYTES_MAX, short128 } from './xxh3-short'

const TAIL_BYTES: u32 = 64

/** Starts a stream at `state`, whatever was there. */
export function xxh3_128_reset(state: usize): void {
  longStart(state + XXH3_STATE_ACCUMULATORS)
  store<u64>(state, 0, XXH3_STATE_TOTAL)
  store<u32>(state, 0, XXH3_STATE_BUFFERED)
}

/** Folds whole blocks in and keeps their last 64 bytes (I2). */
function consumeBlocks(state: usize, address: usize, length: u32): void {
  longHash(state + XXH3_STATE_ACCUMULATORS, address, length, 0, 0)
  memory.copy(state + XXH3_STATE_TAIL, address + length - TAIL_BYTES, TAIL_BYTES)
}

/** Appends `length` bytes to the stream. */
export function xxh3_128_update(state: usize, address: usize, length: u32): void {
  if (length == 0) return
  store<u64>(state, load<u64>(state, XXH3_STATE_TOTAL) + <u64>length, XXH3_STATE_TOTAL)
  const buffer = state + XXH3_STATE_BUFFER
  let input = address
  let rest = length
  let buffered = load<u32>(state, XXH3_STATE_BUFFERED)
  if (buffered + rest > BLOCK_BYTES) {
    if (buffered > 0) {
      const filling = BLOCK_BYTES - buffered
      memory.copy(buffer + buffered, input, filling)
      consumeBlocks(state, buffer, BLOCK_BYTES)
      input += filling
      rest -= filling
      buffered = 0
    }
    // What arrives whole is read where it lies; at least one byte stays for the buffer (I1).
    const direct = (rest - 1) & ~(BLOCK_BYTES - 1)
    if (direct > 0) {
      consumeBlocks(state, input, direct)
      input += direct
      rest -= direct
    }
  }
  memory.copy(buffer + buffered, input, rest)
  store<u32>(state, buffered + rest, XXH3_STATE_BUFFERED)
}

/** Stores the hash of everything appended so far: 16 bytes at `out`, low half first. */
export function xxh3_128_digest(state: usize, out: usize): void {
  const total = load<u64>(state, XXH3_STATE_TOTAL)
  const buffer = state + XXH3_STATE_BUFFER
  const buffered = load<u32>(state, XXH3_STATE_BUFFERED)
  // Nothing short has left the buffer: a block is longer than any short input.
  if (total <= SHORT_BYTES_MAX) short128(buffer, buffered, out)
  else longHash(state + XXH3_STATE_ACCUMULATORS, buffer, buffered, total, out)
}
