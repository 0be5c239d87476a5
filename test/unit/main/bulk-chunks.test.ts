/** Packed chunks on their way into a tree: whose memory they are, what is refused, and how far the source may run ahead. */
import t from 'tap'
import { processEnvironment } from '../../../src/main/environment.js'
import {
  comparators,
  MaintenancePool,
  open,
  packEntries,
  type Tree,
  type VarveError,
} from '../../../src/main/index.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { Random, runSeed } from '../../support/random.js'
import { codeOf, textOf } from '../../support/trees.js'

const seed = runSeed()
t.comment(`SEED=${seed}`)

const { heap } = processEnvironment()
const pool = new MaintenancePool({ threads: 2 })
t.teardown(() => pool.close())

const memory = { fs: 'memory', maintenance: 'manual' } as const
const MEMORY_BYTES = 256 * 1024

type Pair = readonly [string, string]

function chunkOf(...pairs: Pair[]): Uint8Array<ArrayBuffer> {
  const [chunk] = packEntries(pairs)
  return chunk as Uint8Array<ArrayBuffer>
}

/** The error of a call that must fail. */
async function errorOf(call: () => Promise<unknown>): Promise<VarveError> {
  try {
    await call()
  } catch (error) {
    return error as VarveError
  }
  throw new Error('it did not fail')
}

t.test('the encoding, byte by byte', async (t) => {
  const chunk = chunkOf(['ab', 'x'], ['c', ''])
  t.equal(Buffer.from(chunk).toString('hex'), '020001000000616278010000000000' + '63')
  t.equal(chunk.length, chunk.buffer.byteLength, 'memory of its own')
})

t.test(
  'a chunk is moved; a piece of a larger buffer, and shared memory, stay as they are',
  async (t) => {
    const tree = await open(t.testdir(), { maintenance: 'manual', pool })
    const own = chunkOf(['own', '1'])
    const larger = Buffer.concat([
      Buffer.from('before'),
      chunkOf(['piece', '2']),
      Buffer.from('after'),
    ])
    const piece = larger.subarray(6, larger.length - 5)
    const bytes = chunkOf(['shared', '3'])
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
    shared.set(bytes)
    await tree.bulkIngest([own, piece, new Uint8Array(0), shared, ['pair', '4']])
    t.equal(textOf(tree), 'own=1 pair=4 piece=2 shared=3')
    t.equal(own.length, 0, 'moved')
    t.equal(larger.subarray(0, 6).toString(), 'before')
    t.same(Buffer.from(shared), Buffer.from(bytes))
    await tree.close()
  },
)

t.test('memory that was given away before is refused', async (t) => {
  for (const options of [memory, { maintenance: 'manual', pool } as const]) {
    const tree = await open(t.testdir({ [`db${options === memory}`]: {} }), options)
    const chunk = chunkOf(['a', '1'])
    t.equal(await codeOf(() => tree.bulkIngest([chunk, chunk])), 'VARVE_INVALID_ARGUMENT')
    const gone = chunkOf(['a', '1'])
    structuredClone(gone, { transfer: [gone.buffer] })
    t.equal(await codeOf(() => tree.bulkIngest([gone])), 'VARVE_INVALID_ARGUMENT')
    const fixed = new Uint8Array(new WebAssembly.Memory({ initial: 1 } as never).buffer)
    fixed.fill(1)
    if (options !== memory) {
      t.equal(await codeOf(() => tree.bulkIngest([fixed])), 'VARVE_INVALID_ARGUMENT', 'not movable')
    }
    t.equal(tree.len(), 0)
    await tree.close()
  }
})

t.test('a malformed chunk is refused, and chunk and offset are named', async (t) => {
  const used = heap.usedBytes
  const tree = await open(t.testdir(), { maintenance: 'manual', pool })
  const good = (): Uint8Array => chunkOf(['a', '1'], ['b', '2'])
  const tails: readonly string[] = [
    '00',
    '010000000000',
    '000001000000' + '78',
    '0100ffffffff' + '61',
    'ffffffffffff' + '61',
  ]
  for (const sorted of [false, true]) {
    for (const tail of tails) {
      const bad = new Uint8Array([...chunkOf(['c', '3'], ['d', '4']), ...Buffer.from(tail, 'hex')])
      const { length } = bad
      const error = await errorOf(() =>
        tree.bulkIngest([good(), ['pair', 'x'], bad], { sorted: false }),
      )
      t.equal(error.code, 'VARVE_INVALID_ARGUMENT')
      t.same(error.details, { chunk: 1, offset: 16, length }, `${tail} ${sorted}`)
      const again = new Uint8Array([
        ...chunkOf(['c', '3'], ['d', '4']),
        ...Buffer.from(tail, 'hex'),
      ])
      const other = await errorOf(() => tree.bulkIngest([good(), again], { sorted: true }))
      t.same(other.details, { chunk: 1, offset: 16, length })
    }
  }
  // An entry that claims more than there is, far behind what is read at a time.
  const many = Array.from(
    { length: 40_000 },
    (_, i): Pair => [`key${String(i).padStart(6, '0')}`, 'x'],
  )
  const [large] = packEntries(many, { chunkBytes: 1 << 22 })
  const cut = new Uint8Array(large?.subarray(0, (large?.length ?? 0) - 1) ?? [])
  const { length } = cut
  const error = await errorOf(() => tree.bulkIngest([cut]))
  t.same(error.details, { chunk: 0, offset: 39_999 * 16, length })
  t.equal(tree.len(), 0)
  t.equal(tree.tableCount(), 0)
  await tree.close()
  t.equal(heap.usedBytes, used)
})

t.test('chunks that are sorted, each and together; or not', async (t) => {
  const tree = await open(t.testdir(), { maintenance: 'manual', pool })
  const pairs = Array.from(
    { length: 20_000 },
    (_, i): Pair => [`k${String(i).padStart(5, '0')}`, `v${i}`],
  )
  const chunks = (): Uint8Array[] => [...packEntries(pairs, { chunkBytes: 20_000 })]
  const options = { sorted: true, memoryBytes: MEMORY_BYTES }
  const { tableCount, entryCount } = await tree.bulkIngest(chunks(), options)
  t.ok(tableCount > 1, 'several jobs')
  t.equal(entryCount, 20_000)
  t.equal(textOf(tree), pairs.map(([key, value]) => `${key}=${value}`).join(' '))
  for (const wrong of [
    chunks().reverse(),
    // Far apart: different jobs have them.
    [...chunks(), chunkOf(['k00003', 'again'])],
    [chunkOf(['a', '1']), chunkOf(['a', '2'])],
    [chunkOf(['b', '1'], ['a', '2'])],
  ]) {
    t.equal(await codeOf(() => tree.bulkIngest(wrong, options)), 'VARVE_INGEST_ORDER')
  }
  const error = await errorOf(() => tree.bulkIngest([chunkOf(['b', '1'], ['a', '2'])], options))
  t.same(error.details, { chunk: 0, offset: 8, key: '61' })
  t.equal(tree.len(), 20_000)
  await tree.close()
  const reversed = await open('/db', { ...memory, comparator: comparators.reverse })
  await reversed.bulkIngest(packEntries([...pairs].reverse()), options)
  t.equal(reversed.len(), 20_000)
  await reversed.close()
})

t.test('the last entry of a key counts, across chunks, jobs and runs of a job', async (t) => {
  const random = new Random(seed)
  for (let round = 0; round < 6; round++) {
    const used = heap.usedBytes
    // Tiny entries take many times their bytes while they are sorted: a job makes several runs.
    const valueBytes = random.pick([0, 3, 200])
    const count = valueBytes === 200 ? 6000 : 30_000
    const keys = random.pick([3, 500, 20_000])
    const pairs = Array.from(
      { length: count },
      (_, i): Pair => [`${random.below(keys)}`, `${i}`.padEnd(valueBytes, 'x')],
    )
    const tree = await open(t.testdir({ [`db${round}`]: {} }), { maintenance: 'manual', pool })
    const chunkBytes = random.pick([500, 20_000, 1 << 20])
    const { entryCount } = await tree.bulkIngest(packEntries(pairs, { chunkBytes }), {
      memoryBytes: MEMORY_BYTES,
      parallelism: 1 + random.below(2),
    })
    t.equal(entryCount, count)
    const last = [...new Map(pairs)].sort(([a], [b]) => (a < b ? -1 : 1))
    t.ok(textOf(tree) === last.map(([key, value]) => `${key}=${value}`).join(' '), `round ${round}`)
    await tree.close()
    t.equal(heap.usedBytes, used)
  }
})

t.test('chunks and values that are larger than the budget', async (t) => {
  const tree = await open(t.testdir(), { maintenance: 'manual', pool })
  const value = 'x'.repeat(3_000_000)
  for (const sorted of [false, true]) {
    const entries: Pair[] = [
      ['a', value],
      ['b', 'small'],
      ['c', value],
    ]
    await tree.bulkIngest(packEntries(entries), { memoryBytes: MEMORY_BYTES, sorted })
    await tree.bulkIngest(entries, { memoryBytes: MEMORY_BYTES, sorted })
    t.equal(tree.sizeOf('c'), 3_000_000)
  }
  await tree.close()
})

t.test('options that are none', async (t) => {
  const tree = await open('/db', memory)
  for (const memoryBytes of [0, 1.5, 1 << 17, 2 ** 31, Number.NaN]) {
    t.equal(await codeOf(() => tree.bulkIngest([], { memoryBytes })), 'VARVE_INVALID_ARGUMENT')
  }
  await tree.close()
})

t.test('chunks are taken only as fast as jobs take them', async (t) => {
  for (const parallelism of [1, 2]) {
    let taken = 0
    const blocked: (() => void)[] = []
    const slow = {
      parallelism: 2,
      threads: 2,
      close: () => pool.close(),
      run: async (job: Parameters<MaintenancePool['run']>[0]) => {
        await new Promise<void>((resolve) => blocked.push(resolve))
        return pool.run(job)
      },
    }
    const tree = await open(t.testdir({ [`db${parallelism}`]: {} }), {
      maintenance: 'manual',
      pool: slow as unknown as MaintenancePool,
    })
    const chunkBytes = 10_000
    async function* source(): AsyncGenerator<Uint8Array> {
      const value = 'x'.repeat(chunkBytes - 20)
      for (; taken < 200; taken++) yield chunkOf([`key${taken}`, value])
    }
    const ingested = tree.bulkIngest(source(), { memoryBytes: 1 << 20, parallelism })
    while (blocked.length < parallelism) await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    // A batch for each job, one that waits, one gathered, and the chunk that goes beyond each.
    const batchBytes = 2 ** 20 / (2 + 3 * parallelism)
    const most = (parallelism + 2) * (Math.floor(batchBytes / chunkBytes) + 2)
    t.ok(taken <= most, `${taken} chunks taken, ${most} at most`)
    const release = setInterval(() => blocked.splice(0).map((go) => go()), 1)
    t.equal((await ingested).entryCount, 200)
    clearInterval(release)
    await tree.close()
  }
})

/** Runs `ingest` with a fresh tree; what it failed with. Nothing may be left of it. */
async function left(
  t: { equal(a: unknown, b: unknown): void; same(a: unknown, b: unknown): void },
  ingest: (tree: Tree) => Promise<unknown>,
): Promise<string | undefined> {
  const used = heap.usedBytes
  const fs = new MemoryFileSystem()
  const tree = await open('/db', { ...memory, fs })
  tree.insert('before', '1')
  const code = await codeOf(() => ingest(tree))
  t.equal(textOf(tree), 'before=1')
  t.same(fs.list('/db/tables'), [])
  await tree.close({ flush: 'discard' })
  t.equal(heap.usedBytes, used)
  return code
}

t.test(
  'a signal ends the waiting for a source that never answers, and the source hears of it',
  async (t) => {
    let isTold = false
    const controller = new AbortController()
    const hanging: AsyncIterable<Pair> = {
      [Symbol.asyncIterator]: () => {
        let count = 0
        return {
          next: () => {
            if (count++ < 10)
              return Promise.resolve({ done: false, value: [`k${count}`, 'v'] as const })
            setImmediate(() => controller.abort(new Error('enough')))
            return new Promise(() => undefined)
          },
          return: () => {
            isTold = true
            return new Promise(() => undefined)
          },
        }
      },
    }
    const code = await left(t, (tree) => tree.bulkIngest(hanging, { signal: controller.signal }))
    t.equal(code, 'VARVE_ABORTED')
    t.ok(isTold)
  },
)

t.test('closing the tree does not wait for a source that never answers', async (t) => {
  for (const options of [memory, { maintenance: 'manual', pool } as const]) {
    const tree = await open(options === memory ? '/db' : t.testdir(), options)
    async function* hanging(): AsyncGenerator<Pair> {
      for (let i = 0; i < 5000; i++) yield [`k${i}`, 'x'.repeat(100)]
      await new Promise(() => undefined)
    }
    const code = codeOf(() => tree.bulkIngest(hanging(), { memoryBytes: MEMORY_BYTES }))
    await new Promise((resolve) => setImmediate(resolve))
    await tree.close()
    t.equal(await code, 'VARVE_CLOSED')
  }
})

t.test('what onProgress throws ends the ingestion', async (t) => {
  const code = await left(t, (tree) =>
    tree.bulkIngest([['a', '1']], {
      onProgress: () => {
        throw new Error('no more')
      },
    }),
  )
  t.equal(code, 'no code: no more')
})

t.test('progress: every phase, and all that was taken', async (t) => {
  const tree = await open('/db', memory)
  const seen: string[] = []
  const chunk = chunkOf(['a', '1'])
  const bytes = chunk.length
  await tree.bulkIngest([['b', '22'], chunk], {
    onProgress: ({ phase, items, bytes }) => seen.push(`${phase} ${items} ${bytes}`),
  })
  t.equal(seen.at(-1), `installing 2 ${3 + bytes}`)
  t.ok(seen.some((one) => one.startsWith('reading')))
  await tree.close()
})
