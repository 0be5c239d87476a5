/** Profiles of workloads: of all threads that worked, kernels by name, as a graph that is well-formed. */
import t from 'tap'
import { type Frame, flameGraph, frameTree, hottest } from '../../bench/profile/flame-graph.js'
import { framesOf, profileWorkload } from '../../bench/profile.js'

const OPTIONS = {
  ...{ num: 20_000, keySize: 16, valueSize: 100, cacheBytes: 4 << 20, reads: 1000, seed: 1 },
  intervalUs: 100,
}

function namesOf(frame: Frame): string[] {
  return [frame.name, ...[...frame.children.values()].flatMap(namesOf)]
}

t.test('a fill is seen in the main thread, its flush in a worker', async (t) => {
  const profiled = await profileWorkload({ ...OPTIONS, workload: 'fillrandom' })
  t.ok(profiled.rows.length > 0)
  const [main, ...workers] = profiled.threads.map(({ thread, profile }) =>
    namesOf(frameTree(profile, thread)),
  )
  t.ok(main?.includes('insert'), 'the tree’s own method')
  t.ok(main?.includes('memtable_commit'), 'a kernel by its name')
  t.ok(
    workers.some((names) => names.includes('compaction_run')),
    'what a worker does',
  )
  const svg = flameGraph(framesOf(profiled), 'fill & flush')
  t.match(svg, /^<svg [^>]*>[\s\S]*fill &#38; flush[\s\S]*<\/svg>\n$/)
  t.equal(svg.split('<g>').length, svg.split('</g>').length)
})

t.test('a workload that is none is refused', async (t) => {
  await t.rejects(profileWorkload({ ...OPTIONS, workload: 'juggle' }), /no workload juggle/)
})

t.test('waiting is left out, places of one function are summed up', async (t) => {
  const frame = (functionName: string) => ({
    ...{ functionName, url: 'file:///x/build/src/a.js', lineNumber: 1 },
    ...{ columnNumber: 0, scriptId: '1' },
  })
  const nodes = [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 5] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('a'), children: [4] },
    { id: 4, callFrame: frame('b') },
    { id: 5, callFrame: frame('b') },
  ]
  const samples = [2, 2, 2, 3, 4, 4, 5]
  const root = frameTree({ nodes, samples, startTime: 0, endTime: 7 }, 'main')
  t.equal(root.total, 4)
  t.same(hottest(root, 9)[0], { name: 'b', source: 'src/a.js:2', share: 0.75 })
})
