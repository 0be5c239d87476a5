/** The peer bench's result becomes a page, with every target and every engine in it, and pictures. */
import { existsSync } from 'node:fs'
import t from 'tap'
import { peersPage } from '../../bench/macro/peers-page.js'
import { judge, TARGETS } from '../../bench/targets.js'

const skip = existsSync('node_modules/vega') ? false : 'vega is not installed'

t.test('figures of two engines become a page', { skip }, async (t) => {
  const rows = ['varve', 'lmdb'].flatMap((engine, i) =>
    ['fillrandom', 'readrandom', 'readseq'].map((name) => ({
      ...{ part: 'main', round: 0, engine, name, operations: 10, wallNs: 100 * (i + 2), p50Ns: 90 },
    })),
  )
  const verdicts = judge((part, engine, workload) =>
    rows.filter((row) => row.part === part && row.engine === engine && row.name === workload),
  )
  t.equal(verdicts.length, TARGETS.length)
  const options = {
    ...{ num: 10, numSteady: 50, rounds: 1, cacheBytes: 2 ** 20, seed: 1 },
    ...{ engines: [], workloads: [] },
  }
  const about = { command: 'npm run bench:peers', machine: 'one', date: '2026-01-01' }
  const files = new Map(await peersPage({ ...about, samplingNs: 5, options }, rows, verdicts))
  t.strictSame([...files.keys()].sort(), [
    'peers-read.svg',
    'peers-scan.svg',
    'peers-write.svg',
    'peers.html',
    'peers.md',
  ])
  for (const name of ['peers.html', 'peers.md']) {
    const text = files.get(name) ?? ''
    for (const word of ['npm run bench:peers', 'lmdb', 'not measured', 'seekrandom', '1.50'])
      t.ok(text.includes(word), `${name} says ${word}`)
  }
  t.match(files.get('peers-read.svg'), /^<svg/)
})
