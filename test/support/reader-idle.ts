/** A thread that opens a tree, attaches to it, and has nothing more to do: it is to end by itself. */
import { workerData } from 'node:worker_threads'
import { attach, open } from '../../src/main/index.js'

const tree = await open(workerData.folder, { maintenance: 'manual' })
tree.insert('a', '1')
const reader = await attach(tree.share())
if (reader.getString('a') !== '1') throw new Error('a write was not seen')
