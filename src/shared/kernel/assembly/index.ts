// The kernel module: every export of every kernel file. Stateless: no globals, no data segment, no allocation.
export { burr_contains_at, burr_validate } from './burr'
export { burr_build, burr_scratch_bytes, burr_size_max } from './burr-build'
export { lz4_compress, lz4_compress_bound, lz4_decompress } from './lz4'
export {
  constants_init,
  xxh3_128_digest,
  xxh3_128_into,
  xxh3_128_reset,
  xxh3_128_update,
  xxh3_64_into,
} from './xxh3'
export { ribbon_contains_at, ribbon_validate } from './ribbon'
export { ribbon_build, ribbon_scratch_bytes, ribbon_size_max } from './ribbon-build'
