/**
 * Forgets one reader of a kind and has the garbage collected, in a process of its own: prints the codes of the warnings
 * and whether everything was given back. Run: `node --expose-gc forgetful.js <kind>`.
 */
import { processEnvironment } from '../../src/main/environment.js'
import { open, type Tree } from '../../src/main/index.js'

const FORGET: Readonly<Record<string, (tree: Tree) => unknown>> = {
  range: (tree) => tree.range(),
  started: (tree) => tree.range().next(),
  guards: (tree) => tree.guards().next(),
  seekable: (tree) => tree.seekable().next(),
  batchRangeScan: (tree) => tree.batchRangeScan([{ gte: 'a' }]).next(),
  rangeAsync: (tree) => tree.rangeAsync().next(),
  getPinned: (tree) => tree.getPinned('table'),
  disposed: (tree) => {
    tree.range().return()
    tree.seekable().return()
    tree.getPinned('table')?.[Symbol.dispose]()
  },
  usedUp: (tree) => [...tree.range(), ...tree.guards(), ...tree.batchRangeScan([{}])],
  owned: (tree) => tree.getPinned('buffer'),
}

const collect = (globalThis as { gc?: () => void }).gc
const kind = process.argv[2] ?? ''
const warnings: (string | undefined)[] = []
process.on('warning', (warning) => warnings.push((warning as { code?: string }).code))

const { heap } = processEnvironment()
const usedBytes = heap.usedBytes
const tree = await open('db', { fs: 'memory', maintenance: 'manual' })
for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, 'x'.repeat(1000))
tree.insert('table', 'a value in a table')
await tree.flush()
tree.insert('buffer', 'one in memory')
await FORGET[kind]?.(tree)
// Those that are left when a turn ends go to the finalization registry.
await new Promise(setImmediate)
await tree.close()
for (let round = 0; round < 50 && heap.usedBytes > usedBytes; round++) {
  collect?.()
  await new Promise(setImmediate)
}
await new Promise(setImmediate)
console.log(JSON.stringify({ warnings, released: heap.usedBytes === usedBytes }))
