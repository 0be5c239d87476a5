/**
 * The shape of the wasm module, read from its bytes: nothing in it may be a second instance's
 * undoing, and its exports are the contract's names, no more and no less.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'

const SECTION_IMPORT = 2
const SECTION_MEMORY = 5
const SECTION_GLOBAL = 6
const SECTION_EXPORT = 7
const SECTION_START = 8
const SECTION_DATA = 11
const EXTERNAL_FUNCTION = 0
const EXTERNAL_MEMORY = 2
/** Limits of a memory that has a maximum and is shared. */
const LIMITS_SHARED = 3

/** Every function of the `Kernel` contract. */
const CONTRACT = [
  'block_decode',
  'block_frame',
  'block_rows_convert_at',
  'block_seal',
  'block_verify',
  'block_writer_finish',
  'block_writer_reset',
  'burr_build',
  'burr_contains_at',
  'burr_scratch_bytes',
  'burr_size_max',
  'burr_validate',
  'cache_clear',
  'cache_find_at',
  'cache_forget',
  'cache_has_at',
  'cache_init',
  'cache_insert',
  'cache_pin',
  'cache_unpin',
  'compaction_run',
  'compare_reverse',
  'constants_init',
  'data_block_load',
  'data_block_open',
  'data_body_convert',
  'epochs_advance',
  'epochs_have_passed',
  'index_search_at',
  'index_writer_add',
  'index_writer_add_all',
  'ingest_add_packed',
  'ingest_commit',
  'ingest_init',
  'ingest_reserve',
  'ingest_sort',
  'lz4_compress',
  'lz4_compress_bound',
  'lz4_decompress',
  'memtable_commit',
  'memtable_commit_range',
  'memtable_count_upto',
  'memtable_cursor_first',
  'memtable_cursor_init',
  'memtable_cursor_last',
  'memtable_cursor_next',
  'memtable_cursor_prev',
  'memtable_cursor_seek',
  'memtable_cursor_seek_before',
  'memtable_cursor_seek_behind',
  'memtable_cursor_seek_upto',
  'memtable_get',
  'memtable_init',
  'memtable_older',
  'memtable_reserve',
  'memtable_settle_ranges',
  'merge_build',
  'point_read',
  'point_read_batch',
  'point_read_begin',
  'range_set_build',
  'range_set_bytes_max',
  'range_set_scratch_bytes',
  'raw_block_find_at',
  'resident_block_convert',
  'resident_index_convert',
  'resident_search_at',
  'ribbon_build',
  'ribbon_contains_at',
  'ribbon_scratch_bytes',
  'ribbon_size_max',
  'ribbon_validate',
  'run_cursor_advance',
  'run_cursor_give',
  'run_cursor_release',
  'run_cursor_seek',
  'scan_release',
  'scan_run',
  'source_set_entry',
  'state_cover_at',
  'state_gap_at',
  'state_has_ranges',
  'table_add_at',
  'table_is_covered_at',
  'table_sums_next_block',
  'table_sums_reset',
  'xxh3_128_digest',
  'xxh3_128_into',
  'xxh3_128_reset',
  'xxh3_128_update',
  'xxh3_64_into',
]

class Reader {
  readonly #bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length
  }

  u8(): number {
    return this.#bytes[this.at++]!
  }

  u32(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8()
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
  }

  take(length: number): Uint8Array {
    this.at += length
    return this.#bytes.subarray(this.at - length, this.at)
  }

  name(): string {
    return Buffer.from(this.take(this.u32())).toString('utf8')
  }
}

/** The sections of a wasm binary by their ids; custom ones left out. */
function readSections(bytes: Uint8Array): Map<number, Uint8Array> {
  const reader = new Reader(bytes)
  const magic = Buffer.from(reader.take(8)).toString('hex')
  if (magic !== '0061736d01000000') throw new Error('not a wasm module')
  const sections = new Map<number, Uint8Array>()
  while (!reader.isAtEnd) {
    const id = reader.u8()
    const content = reader.take(reader.u32())
    if (id !== 0) sections.set(id, content)
  }
  return sections
}

/** Mutability of each global: 1 is mutable. Their values are constants of one instruction. */
function readGlobals(section: Uint8Array | undefined): number[] {
  if (section === undefined) return []
  const reader = new Reader(section)
  return Array.from({ length: reader.u32() }, () => {
    reader.u8()
    const mutability = reader.u8()
    reader.u8()
    reader.u32()
    if (reader.u8() !== 0x0b) throw new Error('a global with a longer expression')
    return mutability
  })
}

/** Both builds: for the order of bytes, and for the orders that an instance is given. */
const MODULES = [
  { file: 'kernel.wasm', imports: [] },
  { file: 'ordered-kernel.wasm', imports: ['order.compare', 'order.broken'] },
]

for (const { file, imports } of MODULES) {
  const wasm = readFileSync(new URL(`../../src/shared/kernel/${file}`, import.meta.url))
  const sections = readSections(wasm)

  t.test(
    `${file}: no state: no data, no mutable global, no start, no memory of its own`,
    async (t) => {
      t.notOk(sections.has(SECTION_DATA), 'no data section')
      t.notOk(sections.has(SECTION_START), 'no start function')
      t.notOk(sections.has(SECTION_MEMORY), 'no memory')
      t.strictSame(
        readGlobals(sections.get(SECTION_GLOBAL)).filter((mutability) => mutability !== 0),
        [],
      )
    },
  )

  t.test(`${file}: imports a shared memory, and what compares keys`, async (t) => {
    const reader = new Reader(sections.get(SECTION_IMPORT)!)
    t.equal(reader.u32(), imports.length + 1)
    for (let i = 0; i <= imports.length; i++) {
      const name = `${reader.name()}.${reader.name()}`
      if (reader.u8() === EXTERNAL_MEMORY) {
        t.equal(name, 'env.memory')
        t.equal(reader.u8(), LIMITS_SHARED)
        reader.u32()
        reader.u32()
      } else {
        t.ok(imports.includes(name), name)
        reader.u32()
      }
    }
  })

  t.test(`${file}: the exports are the contract`, async (t) => {
    const reader = new Reader(sections.get(SECTION_EXPORT)!)
    const exports = Array.from({ length: reader.u32() }, () => {
      const entry = { name: reader.name(), kind: reader.u8(), index: reader.u32() }
      return entry
    })
    const functions = exports.filter(({ kind }) => kind === EXTERNAL_FUNCTION)
    t.strictSame(functions.map(({ name }) => name).sort(), CONTRACT)
    const others = exports.filter(({ kind }) => kind !== EXTERNAL_FUNCTION)
    t.strictSame(
      others.map(({ name, kind }) => `${name} ${kind}`),
      ['memory 2'],
      'the imported memory is handed on, nothing else',
    )
  })
}

t.test('the contract in TypeScript names the same functions', async (t) => {
  const folder = new URL('../../../src/shared/kernel/', import.meta.url)
  const files = [
    'block',
    'codec',
    'epoch',
    'filter',
    'hash',
    'ingest',
    'memtable',
    'order',
    'range',
  ]
  const names = files.flatMap((file) => {
    const text = readFileSync(new URL(`${file}-kernel.ts`, folder), 'utf8')
    return [...text.matchAll(/^ {2}([a-z0-9_]+)\(/gm)].map(([, name]) => name!)
  })
  t.strictSame(names.sort(), CONTRACT)
})
