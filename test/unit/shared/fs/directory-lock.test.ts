// The directory lock, through the addon and through the flock command: between processes, within
// one, after a kill.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import t from 'tap'
import {
  addonLock,
  commandLock,
  type DescriptorLock,
} from '../../../../src/shared/fs/directory-lock.js'
import { StdFileSystem } from '../../../../src/shared/fs/std-file-system.js'

const hasCommand = spawnSync('flock', ['--version']).error === undefined
const ways: [string, DescriptorLock | undefined][] = [
  ['addon', addonLock()],
  ['command', hasCommand ? commandLock() : undefined],
]

/** A process that takes the lock, says so, and stays. */
async function holder(path: string, way: string): Promise<ChildProcess> {
  const [stdFileSystem, directoryLock] = ['std-file-system', 'directory-lock'].map(
    (name) => new URL(`../../../../src/shared/fs/${name}.js`, import.meta.url).href,
  )
  const program = `
    import { StdFileSystem } from ${JSON.stringify(stdFileSystem)}
    import { addonLock, commandLock } from ${JSON.stringify(directoryLock)}
    const lock = ${JSON.stringify(way)} === 'addon' ? addonLock() : commandLock()
    new StdFileSystem({ lock }).lock(${JSON.stringify(path)})
    process.stdout.write('held')
    setInterval(() => {}, 1000)
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout!, 'data')
  return child
}

for (const [name, way] of ways) {
  t.test(name, { skip: way === undefined ? `no ${name} here` : false }, async (t) => {
    const fs = new StdFileSystem({ lock: way! })

    t.test('refuses a second open in the same process', async (t) => {
      const path = `${mkdtempSync(`${tmpdir()}/varve-`)}/LOCK`
      const lock = fs.lock(path)
      t.throws(() => fs.lock(path), { code: 'VARVE_LOCKED', details: { file: path } })
      lock.release()
      fs.lock(path).release()
    })

    t.test('refuses while another process holds it; a killed holder leaves nothing', async (t) => {
      const path = `${mkdtempSync(`${tmpdir()}/varve-`)}/LOCK`
      for (const theirs of ways.filter(([, other]) => other !== undefined)) {
        const child = await holder(path, theirs[0])
        t.throws(() => fs.lock(path), { code: 'VARVE_LOCKED' }, `held through the ${theirs[0]}`)
        child.kill('SIGKILL')
        await once(child, 'exit')
        fs.lock(path).release()
      }
    })

    t.test('excludes and is excluded by the flock command', { skip: !hasCommand }, async (t) => {
      const path = `${mkdtempSync(`${tmpdir()}/varve-`)}/LOCK`
      const child = spawn('flock', ['-x', path, 'sh', '-c', 'echo held; exec sleep 60'], {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      })
      await once(child.stdout!, 'data')
      t.throws(() => fs.lock(path), { code: 'VARVE_LOCKED' })
      process.kill(-child.pid!, 'SIGKILL')
      await once(child, 'close')
      const lock = fs.lock(path)
      t.equal(spawnSync('flock', ['-n', '-x', path, 'true']).status, 1)
      lock.release()
      t.equal(spawnSync('flock', ['-n', '-x', path, 'true']).status, 0)
    })
  })
}

t.test('a descriptor that cannot be locked is an error, not contention', async (t) => {
  const lock = addonLock()
  if (lock === undefined) return
  const descriptor = openSync('/dev/null', 'r')
  closeSync(descriptor)
  t.throws(() => lock.tryLock(descriptor), { code: 'EBADF' })
})

t.test('with neither way, the error names the option', async (t) => {
  const fs = new StdFileSystem({ lock: commandLock('no-such-command-anywhere') })
  const path = `${mkdtempSync(`${tmpdir()}/varve-`)}/LOCK`
  t.throws(() => fs.lock(path), { code: 'VARVE_UNSUPPORTED', message: /directoryLock: false/ })
})
