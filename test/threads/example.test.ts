/** The example of reader threads runs, and counts what one plain loop counts. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const EXAMPLE = fileURLToPath(new URL('../../examples/reader-threads.js', import.meta.url))

t.test('words are counted by three threads', async (t) => {
  // Exit code 1, where the counts are wrong, rejects.
  const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLE, '3'])
  const lines = stdout.trim().split('\n')
  t.equal(lines.length, 8)
  const counts = lines.map((line) => Number(line.slice(10)))
  t.equal(
    counts.reduce((sum, one) => sum + one, 0),
    2000 * 30,
  )
})
