/**
 * Gathers the hashes of the prefixes of keys that are added to a table, for its prefix filter. Neighbouring keys mostly
 * share theirs: a prefix that the key before had too is not hashed again. The thread that writes the table.
 *
 * I1: a key is added to the table only when there is room for all of its prefixes.
 */
import {
  PREFIX_CODE,
  PREFIX_DELIMITER,
  PREFIX_FIXED,
  PREFIXES_MAX,
  TABLE_SUMS_LAST_KEY,
  TABLE_SUMS_LAST_KEY_LENGTH,
  TABLE_SUMS_PREFIX_HASHES,
  TABLE_SUMS_PREFIX_HASHES_CAPACITY,
  TABLE_SUMS_PREFIX_HASHES_COUNT,
  TABLE_SUMS_PREFIX_KEYS,
  TABLE_SUMS_PREFIX_KEYS_CAPACITY,
  TABLE_SUMS_PREFIX_KEYS_TOP,
  TABLE_SUMS_PREFIX_PARAMETER,
} from '../layout-sums'
import { common_prefix, copy_bytes } from './bytes'
import { xxh3_64 } from './xxh3'

/** Whether there is room for the prefixes of any key of this length. */
export function prefixes_fit(sums: usize, rule: u32, keyLength: i32): bool {
  if (rule == PREFIX_CODE) {
    const top = load<u32>(sums, TABLE_SUMS_PREFIX_KEYS_TOP)
    return top + 2 + <u32>keyLength <= load<u32>(sums, TABLE_SUMS_PREFIX_KEYS_CAPACITY)
  }
  const count = load<u32>(sums, TABLE_SUMS_PREFIX_HASHES_COUNT)
  return count + PREFIXES_MAX <= load<u32>(sums, TABLE_SUMS_PREFIX_HASHES_CAPACITY)
}

function add_hash(sums: usize, key: usize, length: i32): void {
  const count = load<u32>(sums, TABLE_SUMS_PREFIX_HASHES_COUNT)
  const hashes = <usize>load<u32>(sums, TABLE_SUMS_PREFIX_HASHES)
  store<u64>(hashes + (<usize>count << 3), xxh3_64(key, length))
  store<u32>(sums, count + 1, TABLE_SUMS_PREFIX_HASHES_COUNT)
}

/** Takes in the prefixes of a new key. REQUIRES: they fit; the last key of the sums is still the one before. */
export function add_prefixes(sums: usize, rule: u32, key: usize, keyLength: i32): void {
  if (rule == PREFIX_CODE) {
    const top = load<u32>(sums, TABLE_SUMS_PREFIX_KEYS_TOP)
    const at = <usize>load<u32>(sums, TABLE_SUMS_PREFIX_KEYS) + <usize>top
    store<u16>(at, <u16>keyLength)
    copy_bytes(at + 2, key, keyLength)
    store<u32>(sums, top + 2 + <u32>keyLength, TABLE_SUMS_PREFIX_KEYS_TOP)
    return
  }
  const last = <usize>load<u32>(sums, TABLE_SUMS_LAST_KEY)
  const shared = common_prefix(key, keyLength, last, load<i32>(sums, TABLE_SUMS_LAST_KEY_LENGTH))
  const parameter = load<i32>(sums, TABLE_SUMS_PREFIX_PARAMETER)
  if (rule == PREFIX_FIXED) {
    if (keyLength >= parameter && shared < parameter) add_hash(sums, key, parameter)
  } else if (rule == PREFIX_DELIMITER) {
    let found = 0
    for (let i = 0; i < keyLength && found < PREFIXES_MAX; i++) {
      if (<i32>load<u8>(key + <usize>i) != parameter) continue
      found++
      if (i >= shared) add_hash(sums, key, i + 1)
    }
  }
}
