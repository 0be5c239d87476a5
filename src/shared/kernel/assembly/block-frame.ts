// The frame around a block (format-table.md 5, 6): verifies what came from disk, and seals what goes there. Runs on the
// thread that owns the buffers.
//
// I1: checksums are compared before anything behind them is decoded.
// I2: lengths are checked against the frame before a byte behind them is read.
import {
  BLOCK_BYTES_MAX_KERNEL,
  BLOCK_ERROR_CHECKSUM,
  BLOCK_ERROR_DECOMPRESS,
  BLOCK_ERROR_FOOTER,
  BLOCK_ERROR_HEADER_CHECKSUM,
  BLOCK_ERROR_MAGIC,
  BLOCK_ERROR_SHORT,
  BLOCK_ERROR_SIZE,
  BLOCK_ERROR_TYPE,
  BLOCK_HEADER_BYTES,
  BLOCK_INFO_PAYLOAD,
  BLOCK_INFO_PAYLOAD_LENGTH,
  BLOCK_INFO_PLAIN_LENGTH,
  BLOCK_MAGIC,
  BLOCK_NO_SPACE,
  BLOCK_SCRATCH_DIGEST,
  BLOCK_SCRATCH_INFO,
  BLOCK_TYPE_DATA,
  BLOCK_WRITER_OUT,
  CODEC_LZ4,
  CODEC_NONE,
} from '../layout'
import { RAW_BODY } from '../layout-raw'
import { block_writer_finish } from './block-writer'
import { lz4_compress, lz4_decompress } from './lz4'
import { raw_block_make } from './raw-block'
import { block_rows_convert, resident_block_convert } from './restart-block'
import { xxh3_128_into } from './xxh3'

/** Bytes of a KV checksum footer behind its digests: algorithm and count (format-table.md 10). */
const FOOTER_TAIL_BYTES = 5

/** Bytes that one byte of an LZ4 block stands for at most: a length byte of 255. */
const LZ4_GROWTH_MAX: u64 = 255

// @ts-ignore: decorator
/** Header bytes in front of the checksum field: 29, or 30 where the type carries a flags byte (3, 5 and 6). */
@inline
function hashed_header_bytes(type: i32): i32 {
  return type == 3 || type == 5 || type == 6 ? 30 : 29
}

/**
 * Verifies the frame of `frameBytes` bytes at `frame`: magic, type, header checksum, lengths, payload checksum. Stores
 * BLOCK_INFO at `info`; returns the bytes behind the payload (parity), or a negative error.
 */
export function block_verify(frame: usize, frameBytes: i32, type: i32, info: usize, scratch: usize): i32 {
  const hashed = hashed_header_bytes(type)
  if (frameBytes < hashed + 4) return BLOCK_ERROR_SHORT
  if (load<u32>(frame) != BLOCK_MAGIC) return BLOCK_ERROR_MAGIC
  if (<i32>load<u8>(frame, 4) != type) return BLOCK_ERROR_TYPE
  const digest = scratch + BLOCK_SCRATCH_DIGEST
  xxh3_128_into(frame, hashed, digest)
  if (load<u32>(digest) != load<u32>(frame + <usize>hashed)) return BLOCK_ERROR_HEADER_CHECKSUM
  const fields = frame + <usize>hashed - 24
  const payloadLength = load<u32>(fields, 16)
  const plainLength = load<u32>(fields, 20)
  if (plainLength > <u32>BLOCK_BYTES_MAX_KERNEL) return BLOCK_ERROR_SIZE
  const behindHeader = <u32>(frameBytes - hashed - 4)
  if (payloadLength > behindHeader) return BLOCK_ERROR_SIZE
  const payload = frame + <usize>hashed + 4
  xxh3_128_into(payload, <i32>payloadLength, digest)
  if (load<u64>(digest) != load<u64>(fields) || load<u64>(digest, 8) != load<u64>(fields, 8)) {
    return BLOCK_ERROR_CHECKSUM
  }
  store<u32>(info, <u32>payload, BLOCK_INFO_PAYLOAD)
  store<u32>(info, payloadLength, BLOCK_INFO_PAYLOAD_LENGTH)
  store<u32>(info, plainLength, BLOCK_INFO_PLAIN_LENGTH)
  return <i32>(behindHeader - payloadLength)
}

/** The length of a data block's body without its KV checksum footer, or a negative error. */
export function kv_footer_strip(plain: usize, length: i32): i32 {
  if (length < FOOTER_TAIL_BYTES) return BLOCK_ERROR_FOOTER
  const tail = plain + <usize>(length - FOOTER_TAIL_BYTES)
  const algorithm = load<u8>(tail)
  if (algorithm > 2) return BLOCK_ERROR_FOOTER
  const digests = <u64>load<u32>(tail, 1) * (algorithm == 0 ? 8 : 4)
  if (digests > <u64>(length - FOOTER_TAIL_BYTES)) return BLOCK_ERROR_FOOTER
  return length - FOOTER_TAIL_BYTES - <i32>digests
}

/**
 * Undoes compression: the address of the plaintext (in the frame itself where there is none, else `plain`), or a
 * negative error. BLOCK_NO_SPACE: `plain` is smaller than the block's plain length.
 */
export function block_decode(info: usize, codec: i32, plain: usize, plainCapacity: i32): i32 {
  const payload = <usize>load<u32>(info, BLOCK_INFO_PAYLOAD)
  const payloadLength = <i32>load<u32>(info, BLOCK_INFO_PAYLOAD_LENGTH)
  const plainLength = <i32>load<u32>(info, BLOCK_INFO_PLAIN_LENGTH)
  if (codec == CODEC_NONE) return payloadLength == plainLength ? <i32>payload : BLOCK_ERROR_SIZE
  // No LZ4 block grows by more: a false length must not make anyone allocate for it.
  if (<u64>plainLength > <u64>payloadLength * LZ4_GROWTH_MAX) return BLOCK_ERROR_DECOMPRESS
  if (plainLength > plainCapacity) return BLOCK_NO_SPACE
  const length = lz4_decompress(payload, payloadLength, plain, plainLength)
  return length == plainLength ? <i32>plain : BLOCK_ERROR_DECOMPRESS
}

// @ts-ignore: decorator
/** Verifies a data block and undoes its compression: what {@link block_decode} returns, or why the block is not sound. */
@inline
function data_plaintext(
  frame: usize,
  frameBytes: i32,
  codec: i32,
  plain: usize,
  plainCapacity: i32,
  scratch: usize,
): i32 {
  const info = scratch + BLOCK_SCRATCH_INFO
  const verified = block_verify(frame, frameBytes, BLOCK_TYPE_DATA, info, scratch)
  return verified < 0 ? verified : block_decode(info, codec, plain, plainCapacity)
}

// @ts-ignore: decorator
/** Of the plaintext that {@link data_plaintext} gave. */
@inline
function plain_length(scratch: usize): i32 {
  return load<i32>(scratch + BLOCK_SCRATCH_INFO, BLOCK_INFO_PLAIN_LENGTH)
}

// @ts-ignore: decorator
/** The length of the body of a data block's plaintext, or a negative error. */
@inline
function body_length(plain: usize, plainLength: i32, hasFooter: i32): i32 {
  return hasFooter != 0 ? kv_footer_strip(plain, plainLength) : plainLength
}

/**
 * Everything between a data block's frame and its resident form in one call, for the codecs that kernels know:
 * verify, decompress, strip the footer, convert into `target`. Returns the resident size, BLOCK_NO_SPACE, or an error.
 */
export function data_block_load(
  frame: usize,
  frameBytes: i32,
  codec: i32,
  hasFooter: i32,
  plain: usize,
  plainCapacity: i32,
  target: usize,
  capacity: i32,
  scratch: usize,
): i32 {
  const body = data_plaintext(frame, frameBytes, codec, plain, plainCapacity, scratch)
  if (body < 0) return body
  return data_body_convert(<usize>body, plain_length(scratch), hasFooter, target, capacity)
}

/** As {@link data_block_load}, into rows of a source: their count. They refer to the frame, or to `plain`. */
export function data_block_rows(
  frame: usize,
  frameBytes: i32,
  codec: i32,
  hasFooter: i32,
  plain: usize,
  plainCapacity: i32,
  target: usize,
  capacity: i32,
  scratch: usize,
  globalSeqno: u64,
): i32 {
  const body = data_plaintext(frame, frameBytes, codec, plain, plainCapacity, scratch)
  if (body < 0) return body
  const length = body_length(<usize>body, plain_length(scratch), hasFooter)
  if (length < 0) return length
  return block_rows_convert(<usize>body, length, target, capacity, globalSeqno)
}

/** The last steps of {@link data_block_load}, for a plaintext that the calling thread decoded itself. */
export function data_body_convert(
  plain: usize,
  plainLength: i32,
  hasFooter: i32,
  target: usize,
  capacity: i32,
): i32 {
  const length = body_length(plain, plainLength, hasFooter)
  return length < 0 ? length : resident_block_convert(plain, length, target, capacity)
}

/**
 * As {@link data_block_load}, as far as a raw block: its address (in the frame itself where nothing is compressed, else in
 * `plain`), BLOCK_NO_SPACE, or an error. Its size is left as BLOCK_INFO_PLAIN_LENGTH.
 */
export function data_block_open(
  frame: usize,
  frameBytes: i32,
  codec: i32,
  hasFooter: i32,
  plain: usize,
  plainCapacity: i32,
  scratch: usize,
): i32 {
  // In the frame, the block's own header makes room.
  const body = data_plaintext(frame, frameBytes, codec, plain + RAW_BODY, plainCapacity - RAW_BODY, scratch)
  if (body < 0) return body
  const length = body_length(<usize>body, plain_length(scratch), hasFooter)
  if (length < 0) return length
  const size = raw_block_make(<usize>body, length)
  if (size < 0) return size
  store<u32>(scratch + BLOCK_SCRATCH_INFO, <u32>size, BLOCK_INFO_PLAIN_LENGTH)
  return body - RAW_BODY
}

/**
 * Writes the header in front of the payload that lies behind it at `frame`; `flags` counts only for types that carry
 * them. Returns the frame's size.
 */
export function block_frame(
  frame: usize,
  type: i32,
  flags: i32,
  payloadLength: i32,
  plainLength: i32,
  scratch: usize,
): i32 {
  const hashed = hashed_header_bytes(type)
  const fields = frame + <usize>hashed - 24
  store<u32>(frame, BLOCK_MAGIC)
  store<u8>(frame, <u8>type, 4)
  if (hashed == 30) store<u8>(frame, <u8>flags, 5)
  xxh3_128_into(frame + <usize>hashed + 4, payloadLength, fields)
  store<u32>(fields, <u32>payloadLength, 16)
  store<u32>(fields, <u32>plainLength, 20)
  const digest = scratch + BLOCK_SCRATCH_DIGEST
  xxh3_128_into(frame, hashed, digest)
  store<u32>(frame + <usize>hashed, load<u32>(digest))
  return hashed + 4 + payloadLength
}

/**
 * Ends the writer's block and frames it at `target`: the frame's size, or BLOCK_NO_SPACE. `table` is LZ4's scratch.
 */
export function block_seal(
  writer: usize,
  type: i32,
  codec: i32,
  target: usize,
  capacity: i32,
  table: usize,
  scratch: usize,
): i32 {
  const body = <usize>load<u32>(writer, BLOCK_WRITER_OUT)
  const plainLength = block_writer_finish(writer)
  const payload = target + BLOCK_HEADER_BYTES
  const room = capacity - BLOCK_HEADER_BYTES
  let payloadLength = plainLength
  if (codec == CODEC_LZ4) {
    payloadLength = lz4_compress(body, plainLength, payload, room, table)
    if (payloadLength < 0) return BLOCK_NO_SPACE
  } else {
    if (plainLength > room) return BLOCK_NO_SPACE
    memory.copy(payload, body, plainLength)
  }
  return block_frame(target, type, 0, payloadLength, plainLength, scratch)
}
