/** The directory lock: one writer a folder, in this process and across processes. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { open } from '../../../src/main/index.js'
import { codeOf } from '../../support/trees.js'

const engine = new URL('../../../src/main/index.js', import.meta.url).href

/** Opens `folder` in a process of its own, says what came of it, and where it is open keeps it until input ends. */
const CHILD = `
  const { open } = await import(process.env.ENGINE)
  try {
    const tree = await open(process.env.FOLDER, { createIfMissing: true })
    console.log('open')
    for await (const _ of process.stdin) {}
    await tree.close()
  } catch (error) {
    console.log(error.code)
  }
`

const childOptions = (folder: string) => ({
  env: { ...process.env, ENGINE: engine, FOLDER: folder },
})

t.test('`directory_lock`: a second open in the process is VARVE_LOCKED', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder)
  t.equal(await codeOf(() => open(folder)), 'VARVE_LOCKED')
  t.equal(await codeOf(() => open(`${folder}/../${basename(folder)}`)), 'VARVE_LOCKED')
  tree.insert('a', '1')
  await tree.flush()
  t.equal(tree.getString('a'), '1', 'which does not disturb the first')
  await tree.close()
  await (await open(folder)).close()
})

t.test(
  '`directory_lock`: an open in another process is VARVE_LOCKED, before anything is read',
  async (t) => {
    const folder = t.testdir()
    const tree = await open(folder)
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', CHILD], {
      ...childOptions(folder),
      input: '',
      encoding: 'utf8',
    })
    t.equal(stdout.trim(), 'VARVE_LOCKED')
    await tree.close()
  },
)

t.test('`directory_lock`: it goes with the process that held it', async (t) => {
  const folder = t.testdir()
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD], {
    ...childOptions(folder),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(child.stdout, 'data')
  t.equal(String(line).trim(), 'open')
  t.equal(await codeOf(() => open(folder)), 'VARVE_LOCKED')
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  t.ok(existsSync(join(folder, 'LOCK')), 'its file stays and means nothing')
  await (await open(folder)).close()
})

t.test('a reader shares the folder with its writer', async (t) => {
  const folder = t.testdir()
  const tree = await open(folder)
  tree.insert('a', '1')
  await tree.flush()
  const reader = await open(folder, { readOnly: true })
  t.equal(reader.getString('a'), '1')
  await reader.close()
  t.ok(tree.insert('b', '2'))
  await tree.close()
})

t.test(
  '`directory_lock`: switched off it leaves no file, and can be switched on again',
  async (t) => {
    const folder = t.testdir()
    const tree = await open(folder, { directoryLock: false })
    t.notOk(existsSync(join(folder, 'LOCK')))
    await tree.close()
    const locked = await open(folder)
    t.equal(await codeOf(() => open(folder)), 'VARVE_LOCKED')
    await locked.close()
  },
)

t.test('a failed open lets the lock go', async (t) => {
  const folder = t.testdir()
  await (await open(folder)).close()
  t.equal(await codeOf(() => open(folder, { errorIfExists: true })), 'VARVE_EXISTS')
  await (await open(folder)).close()
})
