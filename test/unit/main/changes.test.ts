/** `scanSinceSeqno`: every stored version at or above a seqno, in order; which blocks are read for it; what is refused. */
import { join } from 'node:path'
import t from 'tap'
import {
  type ChangeEvent,
  type OpenOptions,
  open,
  type Tree,
  WriteBatch,
} from '../../../src/main/index.js'
import { FaultFileSystem } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'
import { goldenFolder } from '../../golden/fixtures.js'
import { decodeTree } from '../../support/decoder/index.js'
import { codeOf } from '../../support/trees.js'

const manual = { fs: 'memory', maintenance: 'manual', runtime: { retainFrom: 0 } } as const

/** `seqno key=value`, `seqno -key`, `seqno -key..end`, `seqno key+operand`. */
function lineOf(event: ChangeEvent): string {
  const { key, seqno } = event
  if (event.type === 'insert') return `${seqno} ${key}=${event.value}`
  if (event.type === 'mergeOperand') return `${seqno} ${key}+${event.operand}`
  if (event.type === 'rangeTombstone') return `${seqno} -${key}..${event.end}`
  return `${seqno} -${key}`
}

const linesOf = (tree: Tree, seqno: number, options = {}): string[] =>
  Array.from(tree.scanSinceSeqno(seqno, options), lineOf)

t.test(
  '`scan_since_seqno`: memtable, sealed memtable and table, filtered and in order',
  async (t) => {
    const tree = await open('db', manual)
    t.same(linesOf(tree, 0), [], 'an empty tree')
    tree.insert('b', '1')
    tree.insert('a', '2')
    await tree.flush({ gcWatermark: 0 })
    tree.remove('b')
    tree.rotateMemtable()
    tree.insert('a', '3')
    const all = ['0 b=1', '1 a=2', '2 -b', '3 a=3']
    for (let from = 0; from < 6; from++)
      t.same(linesOf(tree, from), all.slice(from), `since ${from}`)
    t.same(linesOf(tree, Number.MAX_SAFE_INTEGER), [], 'caught up')
    t.same(linesOf(tree, 0, { fullScan: true }), all)
    await tree.close()
  },
)

t.test(
  '`scan_since_seqno`: later writes do not leak in, and the iterator outlives the tree',
  async (t) => {
    const tree = await open('db', manual)
    tree.insert('a', '1')
    tree.insert('b', '2')
    const changes = tree.scanSinceSeqno(0)
    t.equal(lineOf(changes.next().value as ChangeEvent), '0 a=1')
    tree.insert('c', '3')
    await tree.flush()
    await tree.close()
    t.same(Array.from(changes, lineOf), ['1 b=2'])
    t.same(changes.next(), { done: true, value: undefined })
  },
)

t.test('`scan_since_seqno`: a batch and equal seqnos: every entry, each once', async (t) => {
  const tree = await open('db', manual)
  const batch = new WriteBatch()
  for (let i = 0; i < 50; i++) batch.insert(`key${i}`, 'batch')
  tree.apply(batch)
  tree.insert('last', 'one')
  const events = [...tree.scanSinceSeqno(0)]
  t.equal(events.length, 51)
  t.ok(events.slice(0, 50).every(({ seqno }) => seqno === 0))
  t.equal(new Set(events.map(({ key }) => String(key))).size, 51)
  await tree.close()
})

/** One table of 600 keys; of 30 neighbours among them there is a second, newer version. */
async function mostlyOld(options: OpenOptions): Promise<Tree> {
  const tree = await open('/db', { ...manual, blockSize: 256, filter: 'none', ...options })
  for (let i = 0; i < 600; i++) tree.insert(`key${String(i).padStart(4, '0')}`, `old ${i}`)
  await tree.flush({ gcWatermark: 0 })
  for (let i = 300; i < 330; i++) tree.insert(`key${String(i).padStart(4, '0')}`, `new ${i}`)
  await tree.flush({ gcWatermark: 0 })
  await tree.majorCompact({ gcWatermark: 0 })
  return tree
}

t.test(
  '`scan_since_seqno`: blocks that hold nothing new are not read where the table tells',
  async (t) => {
    const counts: Record<string, number> = {}
    for (const seqnoInIndex of [true, false]) {
      const memory = new MemoryFileSystem()
      const options = { runtime: { retainFrom: 0, seqnoInIndex } }
      await (await mostlyOld({ ...options, fs: memory })).close()
      let reads = 0
      const fs = new FaultFileSystem(memory, ({ operation, path }) => {
        if (operation === 'read' && path.includes('/tables/')) reads++
        return undefined
      })
      const tree = await open('/db', { ...manual, ...options, fs })
      reads = 0
      const found = linesOf(tree, 600)
      counts[String(seqnoInIndex)] = reads
      t.same(
        found,
        Array.from({ length: 30 }, (_, i) => `${600 + i} key0${300 + i}=new ${300 + i}`),
      )
      t.same(linesOf(tree, 600, { fullScan: true }), found)
      const fromOld = linesOf(tree, 0)
      t.equal(fromOld.length, 630)
      t.same(linesOf(tree, 0, { fullScan: true }), fromOld)
      await tree.close()
    }
    t.ok(
      (counts['true'] as number) * 5 < (counts['false'] as number),
      `${JSON.stringify(counts)} reads`,
    )
  },
)

t.test('any number of blocks is passed over in a row', async (t) => {
  const runtime = { retainFrom: 0, seqnoInIndex: true }
  const tree = await open('db', { ...manual, blockSize: 1, filter: 'none', runtime })
  for (let i = 0; i < 20_000; i++) tree.insert(String(i).padStart(5, '0'), '')
  tree.insert('99999', 'new')
  await tree.flush({ gcWatermark: 0 })
  t.same(linesOf(tree, 20_000), ['20000 99999=new'])
  await tree.close()
})

t.test('an unchanged block may even be damaged: nobody looks', async (t) => {
  const memory = new MemoryFileSystem()
  const options = { runtime: { retainFrom: 0, seqnoInIndex: true } }
  await (await mostlyOld({ ...options, fs: memory })).close()
  const [name] = memory.list('/db/tables').map((entry) => entry.name)
  const path = `/db/tables/${name}`
  const file = memory.openAppend(path)
  file.writeAt(Buffer.from('damage'), 60)
  file.close()
  const tree = await open('/db', { ...manual, ...options, fs: memory })
  t.equal(linesOf(tree, 600).length, 30)
  t.equal(await codeOf(() => linesOf(tree, 600, { fullScan: true })), 'VARVE_CHECKSUM_MISMATCH')
  await tree.close()
})

t.test(
  '`scan_since_seqno`: damaged bounds are an error that names the file, and a full scan does without them',
  async (t) => {
    const memory = new MemoryFileSystem()
    const options = { runtime: { retainFrom: 0, seqnoInIndex: true } }
    const tree = await mostlyOld({ ...options, fs: memory })
    await tree.close()
    const [table] = memory.list('/db/tables')
    const path = `/db/tables/${table?.name}`
    const bytes = new Uint8Array(memory.openRead(path).size())
    memory.openRead(path).read(bytes, 0)
    // The section's block starts with its frame; its type is the fifth byte.
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x4c, 0x53, 0x4d, 0x04, 9]))
    t.ok(at > 0, 'the block is found')
    const file = memory.openAppend(path)
    file.writeAt(Buffer.of((bytes[at + 50] as number) ^ 1), at + 50)
    file.close()
    const again = await open('/db', { ...manual, ...options, fs: memory })
    const error = t.throws(() => linesOf(again, 600), { code: 'VARVE_CHECKSUM_MISMATCH' }) as Error
    t.match(error.message, path)
    t.equal(linesOf(again, 600, { fullScan: true }).length, 30)
    await again.close()
  },
)

t.test('`scan_since_seqno`: tables with and without bounds mix', async (t) => {
  const tree = await open('db', manual)
  for (let round = 0; round < 4; round++) {
    tree.updateRuntimeConfig({ seqnoInIndex: round % 2 === 0 })
    for (let i = 0; i < 20; i++) tree.insert(`key${i}`, `${round}`)
    await tree.flush({ gcWatermark: 0 })
  }
  t.equal(linesOf(tree, 0).length, 80)
  t.same(linesOf(tree, 30), linesOf(tree, 30, { fullScan: true }))
  await tree.close()
})

t.test('what was collected is not silently left out', async (t) => {
  const tree = await open('db', { ...manual, runtime: {} })
  for (let i = 0; i < 5; i++) tree.insert('a', `${i}`)
  await tree.flush()
  t.equal(await codeOf(() => tree.scanSinceSeqno(0)), 'VARVE_SEQNO_COLLECTED')
  t.same(linesOf(tree, 0, { partial: true }), ['4 a=4'])
  t.same(linesOf(tree, 5), [])
  await tree.close()
})

t.test('retainFrom keeps it, across reopening', async (t) => {
  const fs = new MemoryFileSystem()
  const tree = await open('db', { ...manual, fs })
  for (let i = 0; i < 5; i++) tree.insert('a', `${i}`)
  await tree.flush()
  await tree.majorCompact()
  await tree.close()
  const again = await open('db', { ...manual, fs })
  t.equal(linesOf(again, 0).length, 5)
  await again.close()
  const forgetful = await open('db', { fs, maintenance: 'manual' })
  t.equal(await codeOf(() => forgetful.scanSinceSeqno(0)), 'VARVE_SEQNO_COLLECTED')
  await forgetful.close()
})

t.test(
  '`scan_since_seqno`: what the crate wrote: ingested tables, range deletes and their sentinels',
  async (t) => {
    for (const name of ['ingest', 'rt', 'rtonly', 'seqzone', 'plain']) {
      const path = join(goldenFolder, 'v5/tables', name)
      const tree = await open(path, { readOnly: true, runtime: { retainFrom: 0 } })
      const wanted = decodeTree(path).tables.flatMap(({ record, table }) => [
        ...(table.sentinel
          ? []
          : table.entries.map(
              ({ key, seqno }) =>
                `${Number(seqno) + Number(record.globalSeqno)} ${Buffer.from(key)}`,
            )),
        ...table.rangeTombstones.map(({ start, seqno }) => `${seqno} ${Buffer.from(start)}`),
      ])
      const found = Array.from(tree.scanSinceSeqno(0), ({ seqno, key }) => ({
        seqno,
        line: `${seqno} ${key}`,
      }))
      t.same(
        found.map(({ seqno }) => seqno),
        found.map(({ seqno }) => seqno).sort((a, b) => a - b),
        `${name}: in order`,
      )
      t.same(
        new Set(found.map(({ line }) => line)),
        new Set(wanted.map(String)),
        `${name}: all of it`,
      )
      await tree.close()
    }
  },
)

t.test('wrong arguments', async (t) => {
  const tree = await open('db', manual)
  t.equal(await codeOf(() => tree.scanSinceSeqno(-1)), 'VARVE_INVALID_ARGUMENT')
  t.equal(await codeOf(() => tree.scanSinceSeqno(0.5)), 'VARVE_INVALID_ARGUMENT')
  await tree.close()
})
