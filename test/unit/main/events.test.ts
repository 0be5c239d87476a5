/** What a tree tells as it happens, to its listeners and to the process; and how it looks as text. */

import { channel } from 'node:diagnostics_channel'
import t from 'tap'
import {
  type ChannelMessage,
  type CompactionResult,
  type FlushResult,
  open,
  type StallEvent,
} from '../../../src/main/index.js'
import { FaultFileSystem, failOn } from '../../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../../src/shared/fs/memory-file-system.js'

const manual = { maintenance: 'manual' } as const

t.test('channels of the process carry what listeners of each tree hear', async (t) => {
  const messages: [string | symbol, ChannelMessage<object>][] = []
  const note = (message: unknown, name: string | symbol): void => {
    messages.push([name, message as ChannelMessage<object>])
  }
  const names = ['varve:flush', 'varve:compaction', 'varve:stall', 'varve:error']
  for (const name of names) channel(name).subscribe(note)
  const heard: [string, object][] = []
  const fs = new FaultFileSystem(new MemoryFileSystem())
  const tree = await open('/db', { fs })
  tree.on('flush', (result: FlushResult) => heard.push(['varve:flush', result]))
  tree.on('compaction', (result: CompactionResult) => heard.push(['varve:compaction', result]))
  tree.on('stall', (stall: StallEvent) => heard.push(['varve:stall', stall]))
  tree.on('error', (error: Error) => heard.push(['varve:error', error]))
  tree.insert('a', '1')
  await tree.flush()
  await tree.idle()
  tree.updateRuntimeConfig({ backpressure: { l0Slowdown: 1 } })
  fs.setRule(failOn('create', { path: '/tables/', times: 1 }))
  tree.insert('b', '2')
  tree.rotateMemtable()
  await tree.idle()
  t.equal(tree.lastError?.name, 'VarveError')
  await tree.close()
  t.same(
    messages.map(([name, { event }]) => [name, event]),
    heard,
  )
  t.ok(messages.every(([, { path }]) => path === '/db'))
  t.same(new Set(heard.map(([name]) => name)).size >= 3, true)
  for (const name of names) channel(name).unsubscribe(note)
})

t.test('a listener that throws is the process’s trouble, not the flush’s', async (t) => {
  const tree = await open('/db', { fs: 'memory', ...manual })
  const uncaught = new Promise<Error>((resolve) => {
    t.teardown(() => process.removeAllListeners('uncaughtException'))
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => {
      for (const other of others) process.on('uncaughtException', other)
      resolve(error)
    })
  })
  tree.on('flush', () => {
    throw new Error('listener')
  })
  tree.insert('a', '1')
  t.match(await tree.flush(), { memtableCount: 1 })
  t.match(await uncaught, { message: 'listener' })
  t.equal(tree.lastError, undefined)
  await tree.close()
})

t.test('the shape of a tree as text', async (t) => {
  const tree = await open('/db', { fs: 'memory', ...manual })
  t.equal(tree.printLevels(), '')
  tree.insert('a', '1')
  tree.insert(Buffer.from([0x7a, 0x00, 0x2d, 0xff]), '1')
  await tree.flush()
  tree.insert('b'.repeat(40), '1')
  await tree.flush()
  const sizes = tree.levelSegmentStats()[0]?.segments.map(({ usedBytes }) => usedBytes)
  const ids = tree.levelSegmentStats()[0]?.segments.map(({ tableId }) => tableId)
  const long = `${'b'.repeat(32)}…`
  t.equal(
    tree.printLevels(),
    `L0: [${ids?.[0]}:${long}-${long} ${sizes?.[0]}] [${ids?.[1]}:a-z\\x00\\x2d\\xff ${sizes?.[1]}]`,
  )
  await tree.majorCompact()
  t.match(tree.printLevels(), /^L6: \[\d+:a-z\\x00\\x2d\\xff \d+K?\]$/)
  await tree.close()
})
