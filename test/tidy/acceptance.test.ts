/**
 * The page that maps the crate's tests to ours, checked both ways: every row names the files that hold tests of its title,
 * every title that bears an upstream name is on it. REWRITE=1 writes the files of each row anew.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
const page = join(root, 'docs/acceptance.md')

/** A row of the page. */
interface Row {
  readonly name: string
  readonly line: string
  /** Files as the row names them; none where it says why there are none. */
  readonly files: readonly string[]
  readonly reason: string | undefined
}

const ROW = /^\| `([a-z0-9_]+)` \| ([^|]+) \| ([^|]+) \|$/
const REASON = /^not in this version: ./

function rowsOf(text: string): Row[] {
  return text.split('\n').flatMap((line) => {
    const [, name, , shown] = ROW.exec(line) ?? []
    if (name === undefined || shown === undefined) return []
    const reason = REASON.test(shown) ? shown : undefined
    const files =
      reason === undefined ? Array.from(shown.matchAll(/`([^`]+)`/g), ([, file]) => `${file}`) : []
    return [{ name, line, files, reason }]
  })
}

/** The beginning of a title: what follows the call of a test, up to the quote that closes it. */
const TITLE = /\.test\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g
const NAME = /`([a-z0-9_]+)`/g

/** The backticked words of titles of tests, with the files that they stand in. */
function titledNames(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const names = readdirSync(join(root, 'test'), { recursive: true }) as string[]
  for (const name of names.sort()) {
    const file = `test/${name.split('\\').join('/')}`
    if (!file.endsWith('.test.ts') || file.startsWith('test/tidy/')) continue
    for (const [, single, double, template] of readFileSync(join(root, file), 'utf8').matchAll(
      TITLE,
    )) {
      const title = single ?? double ?? (template ?? '').replaceAll('\\`', '`')
      for (const [, word] of title.matchAll(NAME)) {
        const files = found.get(`${word}`) ?? new Set()
        found.set(`${word}`, files.add(file))
      }
    }
  }
  return found
}

const titled = titledNames()

/** Titles of a file, as they stand in it. */
function titlesOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return Array.from(
    text.matchAll(TITLE),
    ([, single, double, template]) => `${single ?? double ?? template}`,
  )
}

if (process.env['REWRITE'] === '1') {
  const lines = readFileSync(page, 'utf8').split('\n')
  const rewritten = lines.map((line) => {
    const files = [...(titled.get(ROW.exec(line)?.[1] ?? '') ?? [])].map((file) => `\`${file}\``)
    return files.length === 0 ? line : line.replace(ROW, `| \`$1\` | $2 | ${files.join(', ')} |`)
  })
  writeFileSync(page, rewritten.join('\n'))
}

const rows = rowsOf(readFileSync(page, 'utf8'))

t.test('the page names each upstream test once', async (t) => {
  const names = rows.map(({ name }) => name)
  t.equal(names.length, new Set(names).size)
  t.equal(names.length, 170)
})

t.test(
  'each row names the files that hold tests of that title, or says why there are none',
  async (t) => {
    const wrong = rows
      .filter(({ name, files, reason }) => {
        const holders = [...(titled.get(name) ?? [])]
        return reason === undefined
          ? holders.join() !== files.join() || files.length === 0
          : holders.length > 0
      })
      .map(({ line }) => line)
    t.same(wrong, [], 'REWRITE=1 writes them anew')
  },
)

t.test('each title with an upstream name is on it', async (t) => {
  const known = new Set(rows.map(({ name }) => name))
  const strangers = [...titled.keys()].filter((name) => name.includes('_') && !known.has(name))
  t.same(strangers, [])
})

t.test('each of the crate’s mistakes has a test, or a reason why not', async (t) => {
  const text = readFileSync(page, 'utf8')
  const mistakes = Array.from(text.matchAll(/^\| (\d+) \| [^|]+ \| ([^|]+) \|$/gm))
  t.same(
    mistakes.map(([, number]) => Number(number)),
    Array.from({ length: 22 }, (_, i) => i + 1),
  )
  const titles = ['quirks', 'quirks-orders'].flatMap((name) =>
    titlesOf(`test/regression/${name}.test.ts`),
  )
  const tested = new Set(
    titles.flatMap((title) => /^(\d+(?:, \d+)*): /.exec(title)?.[1]?.split(', ') ?? []),
  )
  const wrong = mistakes.filter(
    ([, number = '', cell = '']) => REASON.test(cell) === tested.has(number),
  )
  t.same(
    wrong.map(([, number]) => number),
    [],
  )
})
