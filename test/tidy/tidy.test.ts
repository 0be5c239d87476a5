/**
 * House rules as tests: who may import whom, one owner for each dangerous import, a header in every file, and limits on
 * length and width.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')

/** Comments may run a little beyond the width of code, which the formatter keeps at 100. */
const COLUMNS_MAX = 124
const LINES_MAX = 600

interface Source {
  /** Relative to the repository, with slashes. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  /** Relative imports as paths of sources; types included. */
  readonly imports: readonly string[]
  /** Imports of packages and of Node's own modules. */
  readonly packages: readonly string[]
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g

function readSource(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  const named = Array.from(text.matchAll(IMPORT), (match) => match[1] ?? match[2] ?? '')
  const local = named.filter((name) => name.startsWith('.'))
  return {
    path,
    text,
    lines: text.split('\n'),
    imports: local.map((name) => sourceOf(join(dirname(path), name))),
    packages: named.filter((name) => !name.startsWith('.')),
  }
}

/** The source behind an import: `x.js` is written as `x.ts`, and the kernels leave the ending out. */
function sourceOf(path: string): string {
  const stem = path.replace(/\.js$/, '').split('\\').join('/')
  return `${stem}.ts`
}

function sourcesBelow(folder: string): Source[] {
  const absolute = join(root, folder)
  if (!existsSync(absolute)) return []
  return (readdirSync(absolute, { recursive: true }) as string[])
    .map((name) => `${folder}/${name.split('\\').join('/')}`)
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .sort()
    .map(readSource)
}

const engine = sourcesBelow('src')
const everything = [...engine, ...['test', 'bench', 'examples'].flatMap(sourcesBelow)]

/** Lines that break a rule, as `path:line: text`. */
function offenders(sources: readonly Source[], isWrong: (line: string) => boolean): string[] {
  return sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) => (isWrong(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  )
}

/** The layers of `shared`, lowest first; a file imports from lower layers and from its own folder. */
const LAYERS = ['base', 'fs kernel', 'memory format', 'table', 'iterator', 'jobs']

const folderOf = (path: string): string => path.split('/')[2] ?? ''
const layerOf = (path: string): number =>
  LAYERS.findIndex((folders) => folders.split(' ').includes(folderOf(path)))

t.test('the rules see the sources', async (t) => {
  t.ok(engine.length > 100)
  const known = new Set(everything.map(({ path }) => path))
  const unresolved = everything.flatMap(({ path, imports }) =>
    imports.filter((target) => !known.has(target)).map((target) => `${path} -> ${target}`),
  )
  t.same(unresolved, [])
})

t.test('shared imports downwards only', async (t) => {
  const wrong = engine
    .filter(({ path }) => path.startsWith('src/shared/'))
    .flatMap(({ path, imports }) =>
      imports
        .filter((target) => {
          if (!target.startsWith('src/shared/')) return true
          return folderOf(target) !== folderOf(path) && layerOf(target) >= layerOf(path)
        })
        .map((target) => `${path} -> ${target}`),
    )
  t.same(wrong, [])
  const unranked = engine.filter(({ path }) => path.startsWith('src/shared/') && layerOf(path) < 0)
  t.same(
    unranked.map(({ path }) => path),
    [],
    'every folder has its layer',
  )
})

t.test('main and workers never import each other', async (t) => {
  const crossing = (from: string, to: string): string[] =>
    engine
      .filter(({ path }) => path.startsWith(from))
      .flatMap(({ path, imports }) =>
        imports.filter((target) => target.startsWith(to)).map((target) => `${path} -> ${target}`),
      )
  t.same(crossing('src/main/', 'src/workers/'), [])
  t.same(crossing('src/workers/', 'src/main/'), [])
})

const LAYOUT = /^src\/shared\/kernel\/layout(-[a-z]+)?\.ts$/

t.test('the log stands outside: it uses what users have, and nothing uses it', async (t) => {
  const isLog = (path: string): boolean => path.startsWith('src/main/wal/')
  const allowed = ['src/main/index.ts', 'src/main/environment.ts']
  const inwards = engine
    .filter(({ path }) => isLog(path))
    .flatMap(({ path, imports }) =>
      imports
        .filter((to) => to.startsWith('src/main/') && !isLog(to) && !allowed.includes(to))
        .map((to) => `${path} -> ${to}`),
    )
  const users = engine
    .filter(({ path, imports }) => !isLog(path) && imports.some(isLog))
    .map(({ path }) => path)
  t.same([inwards, users], [[], []])
})

t.test('kernels import kernels and the layouts only', async (t) => {
  const wrong = engine
    .filter(({ path }) => path.startsWith('src/shared/kernel/assembly/'))
    .flatMap(({ path, imports, packages }) => [...imports, ...packages].map((to) => ({ path, to })))
    .filter(({ to }) => !to.startsWith('src/shared/kernel/assembly/') && !LAYOUT.test(to))
  t.same(wrong, [])
  const layouts = engine.filter(({ path }) => LAYOUT.test(path))
  const imported = layouts.flatMap(({ imports }) => imports)
  t.same(imported, [], 'two compilers read the layouts, so they import nothing')
})

t.test('nothing imports itself in a circle, types included', async (t) => {
  const bySource = new Map(engine.map((source) => [source.path, source]))
  const state = new Map<string, 'open' | 'done'>()
  const circles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      return
    }
    state.set(path, 'open')
    for (const target of bySource.get(path)?.imports ?? []) visit(target, [...trail, path])
    state.set(path, 'done')
  }
  for (const { path } of engine) visit(path, [])
  t.same(circles, [])
})

/** Who may import what; everybody else asks the owner. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  'node:fs': [
    'src/shared/fs/std-file-system.ts',
    'src/shared/fs/directory-lock.ts',
    'src/shared/kernel/kernel.ts',
    'src/main/ingestion/source-bytes.ts',
  ],
  'node:fs/promises': [],
  'node:child_process': ['src/shared/fs/directory-lock.ts'],
  'node:worker_threads': ['src/workers/entry.ts', 'src/main/sharing/thread-ports.ts'],
  comlink: ['src/main/sharing/thread-ports.ts'],
  'node:zlib': ['src/shared/table/zstd.ts'],
  piscina: ['src/main/scheduling/maintenance-pool.ts'],
  'csv-parse': ['src/main/ingestion/csv-entries.ts'],
  'p-queue': ['src/main/scheduling/scheduler.ts'],
}

t.test('dangerous imports have one owner each', async (t) => {
  for (const [name, owners] of Object.entries(OWNERS)) {
    const importers = engine.filter(({ packages }) => packages.includes(name))
    const strangers = importers.filter(({ path }) => !owners.includes(path))
    t.same(
      strangers.map(({ path }) => path),
      [],
      name,
    )
  }
  const atomics = engine.filter(({ text }) => /\bAtomics\./.test(text))
  const outside = atomics.filter(({ path }) => !path.startsWith('src/shared/memory/'))
  t.same(
    outside.map(({ path }) => path),
    [],
    'Atomics',
  )
})

t.test('each atomic access names what it pairs with', async (t) => {
  const silent = engine.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) => {
      if (!/\b(Atomics\.[a-z]|atomic\.(load|store|add|cmpxchg|wait|notify))/.test(line)) return []
      if (/^\s*(\/?\*|\/\/)/.test(line)) return []
      // Functions and their comments have no empty lines in them.
      let first = i
      while (first > 0 && (lines[first - 1] as string).trim() !== '') first--
      const paragraph = lines.slice(first, i + 1)
      const isSaid = paragraph.some((text) => /(\/\/|\*).*\bpairs?\b/i.test(text))
      return isSaid ? [] : [`${path}:${i + 1}: ${line.trim()}`]
    }),
  )
  t.same(silent, [])
})

t.test('every file says what it is', async (t) => {
  const silent = everything.filter(({ text }) => !/^(#!.*\n)?\s*(\/\*\*|\/\/)/.test(text))
  t.same(
    silent.map(({ path }) => path),
    [],
  )
})

t.test('files stay short', async (t) => {
  const long = everything.filter(({ lines }) => lines.length > LINES_MAX)
  t.same(
    long.map(({ path, lines }) => `${path}: ${lines.length}`),
    [],
  )
})

t.test('lines stay narrow', async (t) => {
  const isWide = (line: string): boolean =>
    [...line].length > COLUMNS_MAX && !/https?:|['"`]/.test(line)
  t.same(offenders(everything, isWide), [])
})

t.test('nothing is left to do', async (t) => {
  // Put together here, or this line would be the first offender.
  const words = [['FIX', 'ME'].join(''), ['TO', 'DO'].join(''), ['HA', 'CK'].join('')]
  const marker = new RegExp(`\\b(${words.join('|')})\\b`)
  t.same(
    offenders(everything, (line) => marker.test(line)),
    [],
  )
})

t.test('the engine knows no any, and no enum', async (t) => {
  const code = (line: string): string =>
    line.replace(/\/\/.*$|^\s*(\/?\*).*$/, '').replace(/'[^']*'|`[^`]*`/g, '')
  t.same(
    offenders(engine, (line) => /(:|<|\bas|\|)\s*any\b/.test(code(line))),
    [],
  )
  const typescript = engine.filter(({ path }) => !path.includes('/assembly/'))
  t.same(
    offenders(typescript, (line) => /^\s*(export )?(const )?enum /.test(line)),
    [],
  )
})

t.test('tests name what exists: unit tests mirror the sources', async (t) => {
  const folders = new Set(engine.map(({ path }) => dirname(relative('src', path))))
  const strays = everything
    .filter(({ path }) => path.startsWith('test/unit/'))
    .map(({ path }) => dirname(relative('test/unit', path)))
    .filter((folder) => !folders.has(folder))
  t.same([...new Set(strays)], [])
})

t.test('no machine’s own paths, anywhere', async (t) => {
  const own = new RegExp(`['"\`(]/(${['work', 'root', 'home', 'Users'].join('|')})/`)
  t.same(
    offenders(everything, (line) => own.test(line)),
    [],
  )
})
