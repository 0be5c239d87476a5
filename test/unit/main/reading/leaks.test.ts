/** What is forgotten: a finalizer warns of it and lets go of what it held. In a child process, which collects at will. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const script = fileURLToPath(new URL('../../../support/forgetful.js', import.meta.url))

async function forget(kind: string): Promise<{ warnings: string[]; released: boolean }> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', script, kind])
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
  const found = await Promise.all(Object.keys(kinds).map(forget))
  Object.values(kinds).forEach((code, i) => {
    t.same(found[i], { warnings: [code], released: true }, Object.keys(kinds)[i] ?? '')
  })
})

t.test('what was disposed, used up or owned does not warn', async (t) => {
  for (const kind of ['disposed', 'usedUp', 'owned']) {
    t.same(await forget(kind), { warnings: [], released: true }, kind)
  }
})
