/**
 * The main job on real input: loads every file below a folder (default: this project's own `node_modules`) into a tree by
 * ordinary writes while maintenance runs, reads all of it back point by point and by prefix against the disk, deletes a
 * third, compacts, reopens and verifies again.
 *
 *     npm start                       or: node build/examples/node-modules.js [folder]
 *
 * Exit code 1 on any difference.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SingleBar } from 'cli-progress'
import { open, type Snapshot, type Tree } from '../src/main/index.js'

const MIB = 1024 * 1024

interface SourceFile {
  /** The key: the path below the folder, with `/`. */
  readonly key: string
  readonly path: string
  readonly bytes: number
}

/** Every regular file below `folder`, in the order in which the disk lists them. */
function listFiles(folder: string): SourceFile[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath ?? entry.path, entry.name)
      return { key: relative(folder, path).split(sep).join('/'), path, bytes: statSync(path).size }
    })
}

/** Shows progress on a terminal, and nothing elsewhere. */
class Progress {
  readonly #bar: SingleBar | undefined

  constructor(what: string, total: number) {
    if (!process.stdout.isTTY) return
    this.#bar = new SingleBar({
      format: `${what} {bar} {percentage}% {value}/{total} files`,
      hideCursor: true,
    })
    this.#bar.start(total, 0)
  }

  step(): void {
    this.#bar?.increment()
  }

  end(): void {
    this.#bar?.stop()
  }
}

/** Differences found so far; each is printed, up to a limit. */
class Differences {
  count = 0

  report(what: string): void {
    this.count++
    if (this.count <= 20) console.error(`DIFFERENCE: ${what}`)
  }
}

/** Runs `work` and prints how long it took, and how fast that was. */
async function timed(what: string, bytes: number, work: () => Promise<void> | void): Promise<void> {
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const rate = bytes === 0 ? '' : `, ${(bytes / MIB / seconds).toFixed(0)} MiB/s`
  console.log(`${what.padEnd(34)} ${seconds.toFixed(2)} s${rate}`)
}

async function load(tree: Tree, files: readonly SourceFile[]): Promise<void> {
  const progress = new Progress('load  ', files.length)
  for (const file of files) {
    while (!tree.insert(file.key, readFileSync(file.path))) {
      await tree.drained()
      break
    }
    progress.step()
  }
  progress.end()
}

/** Reads every file's key and compares with the disk; a deleted one must be absent. */
function verifyPoints(
  reader: Tree | Snapshot,
  files: readonly SourceFile[],
  isThere: (index: number) => boolean,
  differences: Differences,
): void {
  const progress = new Progress('verify', files.length)
  files.forEach((file, index) => {
    const value = reader.get(file.key)
    if (!isThere(index)) {
      if (value !== undefined) differences.report(`${file.key} was deleted but is there`)
    } else if (value === undefined) {
      differences.report(`${file.key} is missing`)
    } else if (!value.equals(readFileSync(file.path))) {
      differences.report(`${file.key} differs from the disk`)
    }
    progress.step()
  })
  progress.end()
}

/** Scans package by package and compares keys and value sizes with the list. */
function verifyPrefixes(
  reader: Tree | Snapshot,
  files: readonly SourceFile[],
  isThere: (index: number) => boolean,
  differences: Differences,
): void {
  const expected = new Map<string, Map<string, number>>()
  files.forEach((file, index) => {
    const prefix = `${file.key.split('/')[0]}/`
    const group = expected.get(prefix) ?? new Map<string, number>()
    expected.set(prefix, group)
    if (isThere(index) && file.key.startsWith(prefix)) group.set(file.key, file.bytes)
  })
  for (const [prefix, group] of expected) {
    let previous = ''
    for (const [keyBytes, value] of reader.prefix(prefix)) {
      const key = keyBytes.toString()
      if (Buffer.compare(Buffer.from(previous), keyBytes) >= 0)
        differences.report(`${key} is out of order`)
      if (group.get(key) !== value.length)
        differences.report(`${key} was not expected below ${prefix}`)
      group.delete(key)
      previous = key
    }
    for (const key of group.keys()) differences.report(`${key} is missing below ${prefix}`)
  }
}

function printShape(tree: Tree, userBytes: number): void {
  const levels = Array.from(
    { length: 7 },
    (_, level) => `L${level}: ${tree.levelTableCount(level)}`,
  )
  const disk = tree.diskSpace()
  console.log(
    `tables ${levels.join('  ')}; ${(disk / MIB).toFixed(1)} MiB on disk for ${(userBytes / MIB).toFixed(1)} MiB of files`,
  )
}

async function main(): Promise<number> {
  const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
  const folder = process.argv[2] ?? join(project, 'node_modules')
  if (!existsSync(folder)) {
    console.error(`${folder} does not exist; run npm ci first, or name another folder`)
    return 2
  }
  const files = listFiles(folder)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const largest = files.reduce((most, file) => Math.max(most, file.bytes), 0)
  console.log(
    `${files.length} files, ${(bytes / MIB).toFixed(1)} MiB, the largest ${(largest / MIB).toFixed(1)} MiB`,
  )
  const differences = new Differences()
  const path = mkdtempSync(join(tmpdir(), 'varve-start-'))
  // A write buffer must hold the largest file.
  const options = {
    runtime: { memtableBytes: Math.max(64 * MIB, Math.ceil(largest * 1.25) + MIB) },
  }
  const all = (): boolean => true
  const kept = (index: number): boolean => index % 3 !== 0
  try {
    let tree = await open(join(path, 'db'), options)
    tree.on('error', (error) => differences.report(`background work failed: ${error.message}`))
    await timed('load', bytes, () => load(tree, files))
    await timed('read back, point by point', bytes, () =>
      verifyPoints(tree, files, all, differences),
    )
    await timed('read back, by prefix', bytes, () => verifyPrefixes(tree, files, all, differences))
    const before = tree.snapshot()
    await timed('delete a third', 0, async () => {
      for (const [index, file] of files.entries()) {
        if (!kept(index) && !tree.remove(file.key)) await tree.drained()
      }
    })
    const after = tree.snapshot()
    await timed('flush and compact', bytes, async () => {
      await tree.flush()
      await tree.majorCompact({ targetSize: 64 * MIB })
      await tree.idle()
    })
    await timed('snapshot from before, by prefix', bytes, () =>
      verifyPrefixes(before, files, all, differences),
    )
    await timed('snapshot from after, by prefix', 0, () =>
      verifyPrefixes(after, files, kept, differences),
    )
    before[Symbol.dispose]()
    after[Symbol.dispose]()
    await timed(
      'compact again, snapshots gone',
      bytes,
      async () => void (await tree.majorCompact({ targetSize: 64 * MIB })),
    )
    printShape(tree, bytes)
    await timed('close and reopen', 0, async () => {
      await tree.close()
      tree = await open(join(path, 'db'), options)
    })
    await timed('verify, point by point', bytes, () => verifyPoints(tree, files, kept, differences))
    await timed('verify, by prefix', bytes, () => verifyPrefixes(tree, files, kept, differences))
    await tree.close()
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
  console.log(differences.count === 0 ? 'no differences' : `${differences.count} differences`)
  return differences.count === 0 ? 0 : 1
}

process.exitCode = await main()
