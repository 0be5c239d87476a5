/**
 * Forgets one reader of a kind and has the garbage collected, in a process of its own: prints the codes of the warnings
 * and whether everything was given back. Run: `node --expose-gc forgetful.js <kind> [folder]`; with a folder, the tree lies
 * there, and what is forgotten is of a reader attached to it.
 */
import { processEnvironment } from '../../src/main/environment.js'
import { attach, open, type Tree, type TreeReader } from '../../src/main/index.js'

const FORGET: Readonly<Record<string, (tree: Tree | TreeReader) => unknown>> = {
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
const folder = process.argv[3]
const tree = await open(folder ?? 'db', {
  fs: folder === undefined ? 'memory' : 'std',
  maintenance: 'manual',
})
for (let i = 0; i < 100; i++) tree.insert(`key ${i}`, 'x'.repeat(1000))
tree.insert('table', 'a value in a table')
await tree.flush()
tree.insert('buffer', 'one in memory')
const reader = folder === undefined ? undefined : await attach(tree.share())
await FORGET[kind]?.(reader ?? tree)
// Those that are left when a turn ends go to the finalization registry.
await new Promise(setImmediate)
await reader?.detach()
await tree.close()
for (let round = 0; round < 50 && heap.usedBytes > usedBytes; round++) {
  collect?.()
  await new Promise(setImmediate)
}
await new Promise(setImmediate)
console.log(JSON.stringify({ warnings, released: heap.usedBytes === usedBytes }))
