// Builds everything that `build/` holds, in order: the WebAssembly kernel, the TypeScript sources, and, where a C++
// compiler and Node's headers are at hand, the optional native addon. A missing compiler costs a feature, never the
// build.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)

/** Runs a package's command line with this Node. */
function run(packageName, binary, args) {
  const manifest = require.resolve(`${packageName}/package.json`)
  const script = join(dirname(manifest), require(manifest).bin[binary])
  return spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' }).status
}

/** The newest modification time below a folder, in milliseconds; 0 where nothing is there. */
function newest(folder) {
  let latest = 0
  for (const name of readdirSync(folder, { recursive: true })) {
    latest = Math.max(latest, statSync(join(folder, name)).mtimeMs)
  }
  return latest
}

const kernelFolder = 'src/shared/kernel'

/** The layouts of shared structures, which kernels import. */
function layouts() {
  return readdirSync(join(root, kernelFolder))
    .filter((name) => name.startsWith('layout'))
    .map((name) => join(root, kernelFolder, name))
}

/**
 * Compiles one WebAssembly module, unless it is newer than everything in `folders`; for the order of bytes, or for custom
 * orders (`kernel/assembly/key-order.ts`).
 */
function buildModule(source, output, folders, isCustomOrder = false) {
  const target = join(root, output)
  const sourceTime = Math.max(
    ...folders.map((folder) => newest(join(root, folder))),
    ...layouts().map((path) => statSync(path).mtimeMs),
    statSync(fileURLToPath(import.meta.url)).mtimeMs,
  )
  if (existsSync(target) && statSync(target).mtimeMs > sourceTime) return 0
  mkdirSync(dirname(target), { recursive: true })
  // One module for all threads, over one imported shared memory. No asserts, no abort and no
  // runtime, so that the module keeps no data segment and no mutable global: a second instance must
  // not disturb the first.
  const status = run('assemblyscript', 'asc', [
    ...[source, '--outFile', output],
    // Debug information is names alone: the code is the same. They go into a file of their own.
    ...['--debug', '-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort='],
    ...['--use', `CUSTOM_ORDER=${isCustomOrder ? 1 : 0}`],
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
    ...['--enable', 'simd', '--enable', 'threads', '--enable', 'bulk-memory'],
  ])
  if (status === 0) takeNames(target)
  return status
}

/** Takes the names of functions off a module, and keeps them for profiles (`bench/profile/kernel-names.ts`). */
function takeNames(target) {
  const module = readFileSync(target)
  let at = 8
  const number = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++]
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  const text = () => {
    const length = number()
    at += length
    return module.toString('utf8', at - length, at)
  }
  const kept = [module.subarray(0, 8)]
  const names = {}
  while (at < module.length) {
    const start = at
    const isCustom = module[at++] === 0
    const length = number()
    const end = at + length
    if (!isCustom) kept.push(module.subarray(start, end))
    else if (text() === 'name') {
      while (at < end) {
        const isFunctions = module[at++] === 1
        const size = number()
        const next = at + size
        for (let left = isFunctions ? number() : 0; left > 0; left--) {
          const index = number()
          names[index] = text().split('/').at(-1)
        }
        at = next
      }
    }
    at = end
  }
  const file = join(root, 'build/bench/kernel-names', basename(target).replace('.wasm', '.json'))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify(names))
  writeFileSync(target, Buffer.concat(kept))
}

function buildKernel() {
  const folder = `${kernelFolder}/assembly`
  return buildModule(`${folder}/index.ts`, `build/${kernelFolder}/kernel.wasm`, [folder])
}

function buildOrderedKernel() {
  const folder = `${kernelFolder}/assembly`
  return buildModule(
    `${folder}/index.ts`,
    `build/${kernelFolder}/ordered-kernel.wasm`,
    [folder],
    true,
  )
}

/** The loops and the baselines that the micro benches time, around the same kernels. */
function buildBenchKernel() {
  const folder = 'bench/micro/assembly'
  const folders = [folder, `${kernelFolder}/assembly`]
  return buildModule(`${folder}/index.ts`, 'build/bench/micro/bench.wasm', folders)
}

function buildTypeScript() {
  return run('typescript', 'tsc', ['-p', 'tsconfig.json'])
}

/** The folder of Node's own C headers; undefined where none is installed. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath))
  const configured = process.env.npm_config_nodedir
  return [
    ...(configured === undefined ? [] : [join(configured, 'include/node')]),
    join(prefix, 'include/node'),
    resolve(process.config.variables.node_prefix ?? '/usr', 'include/node'),
    '/usr/include/node',
    '/usr/local/include/node',
  ].find((folder) => existsSync(join(folder, 'node_api.h')))
}

/** Each `native/*.c` becomes one Node-API addon; what does not compile here is left out. */
function buildAddons() {
  const headers = nodeHeaders()
  if (process.platform === 'win32' || headers === undefined) return 0
  const target = join(root, 'native/build', `${process.platform}-${process.arch}`)
  for (const name of readdirSync(join(root, 'native')).filter((file) => file.endsWith('.c'))) {
    const source = join(root, 'native', name)
    const output = join(target, name.replace(/\.c$/, '.node'))
    if (existsSync(output) && statSync(output).mtimeMs > statSync(source).mtimeMs) continue
    mkdirSync(target, { recursive: true })
    const undefinedSymbols = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []
    const { status } = spawnSync(
      process.env.CC ?? 'cc',
      [
        ...['-std=c11', '-O2', '-Wall', '-Wextra', '-D_DEFAULT_SOURCE', '-fPIC', '-shared'],
        ...['-DNAPI_VERSION=8'],
        ...['-I', headers, ...undefinedSymbols, '-o', output, source],
      ],
      { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
    )
    if (status !== 0) console.warn(`native/${name} was not built; the engine does without it`)
  }
  return 0
}

for (const step of [
  buildKernel,
  buildOrderedKernel,
  buildBenchKernel,
  buildTypeScript,
  buildAddons,
]) {
  const status = step()
  if (status !== 0) process.exit(status ?? 1)
}
