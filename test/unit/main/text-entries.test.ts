/** Entries read from NDJSON and CSV: what is taken, in whatever pieces it comes, and which line is refused. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import {
  type CsvOptions,
  csvEntries,
  type NdjsonOptions,
  ndjsonEntries,
  open,
  type TextSource,
} from '../../../src/main/index.js'
import { Random, runSeed } from '../../support/random.js'
import { codeOf, textOf } from '../../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

/** `key=value` of each entry, in the order of the text. */
async function entriesOf(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  const entries: string[] = []
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    for (let at = 0; at < bytes.length; ) {
      const key = at + 6
      const value = key + bytes.readUInt16LE(at)
      at = value + bytes.readUInt32LE(at + 2)
      entries.push(`${bytes.toString('utf8', key, value)}=${bytes.toString('utf8', value, at)}`)
    }
  }
  return entries
}

const ndjson = (text: TextSource, options: NdjsonOptions): Promise<string[]> =>
  entriesOf(ndjsonEntries(text, options))
const csv = (text: TextSource, options: CsvOptions): Promise<string[]> =>
  entriesOf(csvEntries(text, options))

/** A text as a stream gives it, in pieces that end anywhere. */
function* pieces(text: string, random: Random): Generator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(9)
    yield Buffer.from(bytes.subarray(at, at + length))
    at += length
  }
}

/** `code line` of a failure. */
async function failure(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
    return 'none'
  } catch (error) {
    const { code, details } = error as { code?: string; details?: { line?: number } }
    return `${code} ${details?.line}`
  }
}

t.test(
  'NDJSON: fields, functions, the line itself; empty lines, CRLF and a byte order mark',
  async (t) => {
    const text = '\ufeff{"id":"a","n":1}\r\n\n  {"id":7,"n":"zwölf"}  \n{"id":"b","n":{"x":[1,2]}}'
    t.same(await ndjson([text], { key: 'id' }), [
      'a={"id":"a","n":1}',
      '7={"id":7,"n":"zwölf"}',
      'b={"id":"b","n":{"x":[1,2]}}',
    ])
    t.same(await ndjson([text], { key: 'id', value: 'n' }), ['a=1', '7=zwölf', 'b={"x":[1,2]}'])
    const keyOf = (row: unknown): string => `user:${(row as { id: string }).id}`
    t.same(await ndjson([text], { key: keyOf, value: () => Buffer.from('v') }), [
      'user:a=v',
      'user:7=v',
      'user:b=v',
    ])
  },
)

t.test('lines and rows in pieces that end anywhere', async (t) => {
  const random = new Random(seed)
  for (let round = 0; round < 20; round++) {
    const rows = Array.from({ length: 1 + random.below(40) }, (_, i) => ({
      id: `k${i}`,
      text: 'ä€𝄞",\n'.repeat(random.below(4)) + String(i),
    }))
    const lines = rows.map((row) => JSON.stringify(row)).join('\n')
    const wanted = rows.map(({ id, text }) => `${id}=${text}`)
    t.same(await ndjson(pieces(lines, random), { key: 'id', value: 'text' }), wanted)
    const quoted = rows.map(({ id, text }) => `${id},"${text.replaceAll('"', '""')}"`)
    const table = ['id,text', ...quoted].join(random.pick(['\n', '\r\n']))
    t.same(await csv(pieces(table, random), { key: 'id', value: 'text' }), wanted)
  }
})

t.test('CSV: columns by name, by number, by function, and the row as JSON', async (t) => {
  const text = '\ufeffid,name\r\n1,"Ada, Countess"\r\n\r\n2,""\r\n'
  t.same(await csv([text], { key: 'id', value: 'name' }), ['1=Ada, Countess', '2='])
  t.same(await csv([text], { key: 'id' }), [
    '1={"id":"1","name":"Ada, Countess"}',
    '2={"id":"2","name":""}',
  ])
  const bare = 'x;1\ny;2'
  t.same(await csv([bare], { key: 0, value: 1, header: false, delimiter: ';' }), ['x=1', 'y=2'])
  t.same(await csv([bare], { key: 0, header: false, delimiter: ';' }), [
    'x=["x","1"]',
    'y=["y","2"]',
  ])
  t.same(await csv([bare], { key: 'k', value: 'v', header: ['k', 'v'], delimiter: ';' }), [
    'x=1',
    'y=2',
  ])
  const options = { key: (fields: readonly string[]) => fields.join('-'), value: 0, header: false }
  t.same(await csv([bare], { ...options, delimiter: ';' }), ['x-1=x', 'y-2=y'])
  t.same(await csv([`a,'b'`], { key: 0, value: 1, header: false, quote: `'` }), ['a=b'])
  t.same(await csv(['a,"b'], { key: 0, value: 1, header: false, quote: '' }), ['a="b'])
  t.same(await csv(['id\n'], { key: 'id' }), [])
  t.same(await csv([], { key: 'id' }), [])
})

t.test('a bad line is named, from 1', async (t) => {
  const bad: readonly (readonly [() => Promise<unknown>, number])[] = [
    [() => ndjson(['{"id":"a"}\n\n{"id":'], { key: 'id' }), 3],
    [() => ndjson(['{"id":"a"}\n{"di":"b"}'], { key: 'id' }), 2],
    [() => ndjson(['{"id":""}'], { key: 'id' }), 1],
    [() => ndjson(['{"id":{}}'], { key: 'id' }), 1],
    [() => ndjson(['[]\n3\nnull'], { key: 'id' }), 1],
    [() => ndjson(['{"id":"a"}'], { key: 'id', value: 'n' }), 1],
    [() => ndjson(['{"id":"a"}'], { key: 'id', value: () => 3 as never }), 1],
    [() => ndjson(['{"id":"a"}\n', Buffer.from([0xff, 10])], { key: 'id' }), 2],
    [() => ndjson(['1\n', '22', '22', '22'], { key: () => 'k', lineBytesMax: 5 }), 2],
    [() => ndjson([`{"id":"${'x'.repeat(70_000)}"}`], { key: 'id' }), 1],
    [() => csv(['id,v\na,1\nb,2,3\n'], { key: 'id' }), 3],
    // Found where the text ends; the message tells where the quote was opened.
    [() => csv(['id,v\na,"1\nb,2\n'], { key: 'id' }), 3],
    [() => csv(['id,v\na,"1"x\n'], { key: 'id' }), 2],
    [() => csv(['id,v\n,1\n'], { key: 'id' }), 2],
    [() => csv(['id,v\na,1\n'], { key: 'nobody' }), 1],
    [() => csv(['a,1\n'], { key: 5, header: false }), 1],
    [() => csv(['id\n', Buffer.from([0x61, 0xff, 10])], { key: 'id' }), 2],
    [() => csv(['id\na\n', 'x'.repeat(100)], { key: 'id', rowBytesMax: 50 }), 3],
  ]
  for (const [call, line] of bad) {
    t.equal(await failure(call), `VARVE_INVALID_ARGUMENT ${line}`, String(call))
  }
  const wrong: readonly (() => Promise<unknown>)[] = [
    () => ndjson(3 as never, { key: 'id' }),
    () => ndjson([3] as never, { key: 'id' }),
    () => ndjson([], { key: 'id', lineBytesMax: 0 }),
    () => csv([], { key: 'id', delimiter: '' }),
    () => csv([], { key: 'id', quote: '""' }),
    () => csv([], { key: 'id', rowBytesMax: -1 }),
  ]
  for (const call of wrong) t.equal(await codeOf(call), 'VARVE_INVALID_ARGUMENT', String(call))
})

t.test('files by path and URL, and streams, into a tree', async (t) => {
  const folder = t.testdir()
  const path = join(folder, 'rows.ndjson')
  const rows = Array.from({ length: 30_000 }, (_, i) => ({
    id: (i * 7919) % 30_000,
    text: 'x'.repeat(60),
  }))
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  const table = join(folder, 'rows.csv')
  writeFileSync(table, ['id,text', ...rows.map(({ id, text }) => `${id},${text}`)].join('\n'))
  const tree = await open(join(folder, 'db'), { maintenance: 'manual' })
  await tree.bulkIngest(ndjsonEntries(path, { key: 'id', value: 'text' }))
  t.equal(tree.len(), 30_000)
  const before = textOf(tree)
  await tree.clear()
  await tree.bulkIngest(csvEntries(pathToFileURL(table), { key: 'id', value: 'text' }))
  t.ok(textOf(tree) === before)
  const stream = Readable.from([Buffer.from('{"id":"new"}\n')])
  await tree.bulkIngest(ndjsonEntries(stream, { key: 'id' }))
  t.equal(tree.getString('new'), '{"id":"new"}')
  const missing = join(folder, 'nowhere')
  for (const source of [
    ndjsonEntries(missing, { key: 'id' }),
    csvEntries(missing, { key: 'id' }),
  ]) {
    t.equal(await codeOf(() => tree.bulkIngest(source)), 'VARVE_IO')
  }
  const broken = Readable.from(
    (async function* () {
      yield Buffer.from('{"id":"lost"}\n')
      throw new Error('the stream broke')
    })(),
  )
  const code = await codeOf(() => tree.bulkIngest(ndjsonEntries(broken, { key: 'id' })))
  t.equal(code, 'no code: the stream broke')
  t.equal(tree.len(), 30_001)
  await tree.close()
})
