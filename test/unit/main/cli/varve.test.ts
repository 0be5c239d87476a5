/** The `varve` command as a shell meets it: what it prints, and its exit codes. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const COMMAND = fileURLToPath(new URL('../../../../src/main/cli/varve.js', import.meta.url))

function varve(...args: string[]) {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    ...{ env, encoding: 'utf8' as const },
  })
  return { status, stdout, stderr }
}

t.test('help lists the commands', async (t) => {
  const { status, stdout } = varve('--help')
  t.equal(status, 0)
  t.match(stdout, /bench/)
})

t.test('no command, and one that there is not, are wrong usage', async (t) => {
  t.equal(varve().status, 2)
  const { status, stderr } = varve('brew')
  t.equal(status, 2)
  t.match(stderr, /no command brew/)
})

t.test('bench tells its options and workloads', async (t) => {
  const { status, stdout } = varve('bench', '--help')
  t.equal(status, 0)
  t.match(stdout, /--value-size/)
  t.match(stdout, /readwhilewriting/)
})

t.test('bench refuses what it does not know', async (t) => {
  for (const wrong of ['--number=1', '--workloads=brew', '--num=many', '--compression=zip']) {
    const { status, stderr } = varve('bench', wrong)
    t.equal(status, 2, wrong)
    t.match(stderr, /--help/)
  }
})

t.test('bench runs what it is asked for, a line of JSON each', async (t) => {
  const { status, stdout } = varve(
    ...['bench', '--num=500', '--rounds=1', '--value-size=100,10k', '--json'],
    '--workloads=readrandom,readseq',
  )
  t.equal(status, 0)
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.strictSame(
    rows.map(({ name, valueSize }) => [name, valueSize]),
    [
      ['readrandom', 100],
      ['readseq', 100],
      ['readrandom', 10_000],
      ['readseq', 10_000],
    ],
  )
})
