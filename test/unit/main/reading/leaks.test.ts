/** What is forgotten: a finalizer warns of it and lets go of what it held. In a child process, which collects at will. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const script = fileURLToPath(new URL('../../../support/forgetful.js', import.meta.url))

/** @param folder of a tree that a reader is attached to; none for the tree itself */
async function forget(
  kind: string,
  ...folder: string[]
): Promise<{ warnings: string[]; released: boolean }> {
  const command = ['--expose-gc', script, kind, ...folder]
  const { stdout } = await promisify(execFile)(process.execPath, command)
  return JSON.parse(stdout)
}

t.test('`static_iterators`: forgotten readers of every kind warn once, and let go', async (t) => {
  const kinds = {
    range: 'VARVE_ITERATOR_LEAK',
    started: 'VARVE_ITERATOR_LEAK',
    guards: 'VARVE_ITERATOR_LEAK',
    seekable: 'VARVE_ITERATOR_LEAK',
    batchRangeScan: 'VARVE_ITERATOR_LEAK',
    rangeAsync: 'VARVE_ITERATOR_LEAK',
    getPinned: 'VARVE_SLICE_LEAK',
  }
  const found = await Promise.all(Object.keys(kinds).map((kind) => forget(kind)))
  Object.values(kinds).forEach((code, i) => {
    t.same(found[i], { warnings: [code], released: true }, Object.keys(kinds)[i] ?? '')
  })
})

t.test('what a reader forgets is let go as well, and with it what the owner kept', async (t) => {
  const slice = await forget('getPinned', t.testdir())
  t.same(slice, { warnings: ['VARVE_SLICE_LEAK'], released: true })
  for (const kind of ['started', 'seekable', 'rangeAsync']) {
    const found = await forget(kind, t.testdir())
    t.same(found, { warnings: ['VARVE_ITERATOR_LEAK'], released: true }, kind)
  }
  t.same(await forget('disposed', t.testdir()), { warnings: [], released: true })
})

t.test('what was disposed, used up or owned does not warn', async (t) => {
  for (const kind of ['disposed', 'usedUp', 'owned']) {
    t.same(await forget(kind), { warnings: [], released: true }, kind)
  }
})
