/** The micro benchmark of the codecs runs, and its contenders agree, so that it cannot rot. */
import t from 'tap'
import { runTiny } from '../../bench/micro/codecs.js'

t.test('every contender of the codec bench runs', async (t) => {
  const rows = runTiny()
  t.ok(rows.length > 40, `${rows.length} rows`)
  for (const { subject, contender, nanoseconds } of rows) {
    if (!(nanoseconds > 0)) t.fail(`${subject}, ${contender}: ${nanoseconds} ns`)
  }
  const digests = (contender: string) =>
    rows
      .filter((row) => row.contender === contender && row.subject.includes('build'))
      .map(({ digest }) => digest)
  t.strictSame(digests('kernel'), digests('twin'), 'builds of equal length')
})
