// Every file call of opening, writing out, merging, reading and closing fails once, one after the other: the failure is
// coded, nothing acknowledged is lost, the tree stays readable, and no memory, file or lock leaks.
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { open } from '../../src/main/open.js'
import type { OpenOptions } from '../../src/main/options.js'
import { major } from '../../src/main/strategies/major.js'
import type { Tree } from '../../src/main/tree.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { FaultFileSystem, failNth } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { CountingFileSystem } from '../support/counting-file-system.js'

t.setTimeout(120_000)
const { heap } = processEnvironment()
const ROOT = '/data/db'
const KEYS = 60
const options: OpenOptions = {
  maintenance: 'manual',
  blockSize: 128,
  manifestLogRotateBytes: 400,
  runtime: { memtableBytes: 256 * 1024 },
}

const keyOf = (i: number): string => `key${String(i).padStart(3, '0')}`

/** A disk with a tree of several tables, and what it holds. */
async function prepare(): Promise<MemoryFileSystem> {
  const fs = new MemoryFileSystem()
  const tree = await open(ROOT, { ...options, fs })
  for (let round = 0; round < 3; round++) {
    for (let i = round; i < KEYS; i += round + 1) tree.insert(keyOf(i), `round ${round}`)
    await tree.flush({ gcWatermark: 0 })
  }
  await tree.close()
  return fs
}

const valueFor = (i: number): string =>
  i % 3 === 2 ? 'round 2' : i % 2 === 1 ? 'round 1' : 'round 0'

function checkOld(tree: Tree): void {
  for (let i = 0; i < KEYS; i++) {
    if (tree.getString(keyOf(i)) !== valueFor(i)) throw new Error(`${keyOf(i)} is lost`)
  }
}

/** A disk of its own with faults, and the counts of what is open. */
function copyOf(disk: MemoryFileSystem) {
  const memory = disk.crashClone({ keepUnsynced: 1, random: () => 0 })
  const counter = new CountingFileSystem(memory)
  return { memory, counter, fs: new FaultFileSystem(counter) }
}

type Outcome = 'passed' | 'failed'

function requireCode(error: unknown): Outcome {
  if (VarveError.is(error) && error.code !== 'VARVE_ASSERTION') return 'failed'
  throw error
}

async function attempt(work: () => unknown): Promise<Outcome> {
  try {
    await work()
    return 'passed'
  } catch (error) {
    return requireCode(error)
  }
}

interface Place extends ReturnType<typeof copyOf> {
  /** Arms the fault: the Nth call from now on fails. */
  readonly arm: () => void
}

/** A way to fail: what the system says, whether it goes on failing, and what a failing write still writes. */
interface FaultForm {
  readonly errno: string
  readonly isSticky?: boolean
  readonly writtenBytes?: number
}

const FORMS: readonly FaultForm[] = [
  { errno: 'EIO' },
  { errno: 'ENOSPC' },
  { errno: 'EMFILE' },
  { errno: 'EIO', isSticky: true },
  { errno: 'ENOSPC', writtenBytes: 7 },
]

/** Runs `scenario` with the 1st, 2nd … call after arming failing, until none was left to fail. */
async function loop(t: Test, form: FaultForm, scenario: (place: Place) => Promise<void>) {
  const { errno, isSticky = false, writtenBytes = 0 } = form
  const disk = await prepare()
  const heapBefore = heap.usedBytes
  for (let n = 1; ; n++) {
    const place = copyOf(disk)
    let armedAt = Number.POSITIVE_INFINITY
    const arm = (): void => {
      armedAt = place.fs.callCount
      const fails = failNth(armedAt + n, errno, isSticky)
      place.fs.setRule((call) => (fails(call) === undefined ? undefined : { errno, writtenBytes }))
    }
    try {
      await scenario({ ...place, arm })
    } catch (error) {
      t.fail(`call ${n} (${errno}): ${(error as Error).stack}`)
      return
    }
    if (heap.usedBytes !== heapBefore) {
      t.fail(`call ${n} (${errno}) leaks ${heap.usedBytes - heapBefore} bytes`)
      return
    }
    const { openFiles, heldLocks } = place.counter
    if (openFiles !== 0 || heldLocks !== 0) {
      t.fail(`call ${n} (${errno}) leaves ${openFiles} files open and ${heldLocks} locks held`)
      return
    }
    if (place.fs.callCount < armedAt + n) {
      t.ok(n > 1, `${n - 1} calls failed`)
      return
    }
  }
}

/** Opens without faults. A record that a failed write left torn is passed over where the caller says so, and only then. */
async function openSound(fs: MemoryFileSystem): Promise<Tree> {
  try {
    return await open(ROOT, { ...options, fs })
  } catch (error) {
    if (!VarveError.is(error, 'VARVE_MANIFEST_TORN')) throw error
    const manifestRecoveryMode = 'tolerate-corrupted-tail-records'
    return open(ROOT, { ...options, fs, manifestRecoveryMode })
  }
}

/** The disk, opened without faults, holds what was acknowledged. */
async function checkDisk({ memory }: Place, acknowledged: string | undefined): Promise<void> {
  const tree = await openSound(memory)
  try {
    checkOld(tree)
    const found = tree.getString('new')
    if (acknowledged !== undefined && found !== acknowledged) throw new Error('new is lost')
    if (found !== undefined && found !== 'value') throw new Error('new is wrong')
    const files = memory.list(`${ROOT}/tables`).length
    if (files !== tree.tableCount())
      throw new Error(`${files} files for ${tree.tableCount()} tables`)
  } finally {
    await tree.close()
  }
}

const SCENARIOS: Readonly<Record<string, (place: Place) => Promise<void>>> = {
  async open(place) {
    place.arm()
    let tree: Tree | undefined
    await attempt(async () => {
      tree = await open(ROOT, { ...options, fs: place.fs })
    })
    place.fs.setRule()
    tree ??= await open(ROOT, { ...options, fs: place.fs })
    checkOld(tree)
    await tree.close()
    await checkDisk(place, undefined)
  },
  async create(place) {
    const root = '/other/tree'
    place.arm()
    let tree: Tree | undefined
    await attempt(async () => {
      tree = await open(root, { ...options, fs: place.fs })
    })
    place.fs.setRule()
    tree ??= await open(root, { ...options, fs: place.fs })
    tree.insert('a', '1')
    await tree.close()
    const again = await open(root, { ...options, fs: place.memory })
    if (again.getString('a') !== '1') throw new Error('lost')
    await again.close()
  },
  async flush(place) {
    const tree = await open(ROOT, { ...options, fs: place.fs })
    tree.insert('new', 'value')
    place.arm()
    let outcome = await attempt(() => tree.flush())
    place.fs.setRule()
    checkOld(tree)
    if (tree.getString('new') !== 'value') throw new Error('new is not readable')
    if (outcome === 'failed') outcome = await retry(() => tree.flush())
    if (tree.getString('new') !== 'value') throw new Error('new is not readable after the retry')
    await attempt(() => tree.close())
    await checkDisk(place, outcome === 'passed' ? 'value' : undefined)
  },
  async compaction(place) {
    const tree = await open(ROOT, { ...options, fs: place.fs })
    tree.insert('new', 'value')
    await tree.flush()
    place.arm()
    const outcome = await attempt(() => tree.compact(major({ targetBytes: 700 })))
    place.fs.setRule()
    checkOld(tree)
    if (outcome === 'failed') await retry(() => tree.compact(major({ targetBytes: 700 })))
    checkOld(tree)
    await attempt(() => tree.close())
    await checkDisk(place, 'value')
  },
  async 'merge in tight slices'(place) {
    const tree = await open(ROOT, { ...options, fs: place.fs })
    tree.insert('new', 'value')
    for (let i = 0; i < 20; i++) tree.insert(`large${i}`, randomBytes(3000))
    await tree.flush()
    // Room for a part of it.
    tree.updateRuntimeConfig({
      storageAdmissionCheck: true,
      tightSpaceCompaction: true,
      storageLimitBytes: tree.diskSpace() + 50_000,
    })
    place.arm()
    let done = await attempt(() => tree.majorCompact())
    place.fs.setRule()
    checkOld(tree)
    if (done === 'failed') done = await retry(() => tree.majorCompact())
    if (done === 'passed' && place.memory.punchedBytes === 0) throw new Error('no hole')
    checkOld(tree)
    await attempt(() => tree.close())
    await checkDisk(place, 'value')
  },
  async reads(place) {
    const tree = await open(ROOT, { ...options, fs: place.fs })
    place.arm()
    for (let i = 0; i < KEYS; i++) await attempt(() => tree.get(keyOf(i)))
    place.fs.setRule()
    checkOld(tree)
    await tree.close()
  },
  async scans(place) {
    const tree = await open(ROOT, { ...options, fs: place.fs })
    place.arm()
    await attempt(() => {
      let count = 0
      using iterator = tree.iter()
      for (let i = 0; i < 20; i++) if (!iterator.nextBack().done) count++
      for (const _ of iterator) count++
      if (count !== KEYS) throw new Error(`${count} entries`)
    })
    place.fs.setRule()
    if (tree.len() !== KEYS) throw new Error(`${tree.len()} entries afterwards`)
    await tree.close()
  },
  async clear(place) {
    const tree = await open(ROOT, { ...options, fs: place.fs })
    place.arm()
    const outcome = await attempt(() => tree.clear())
    place.fs.setRule()
    if (outcome === 'failed') checkOld(tree)
    else if (!tree.isEmpty()) throw new Error('not cleared')
    await attempt(() => tree.close())
    const again = await openSound(place.memory)
    if (outcome === 'passed' && !again.isEmpty()) throw new Error('came back')
    if (!again.isEmpty()) checkOld(again)
    await again.close()
  },
  async close(place) {
    const tree = await open(ROOT, { ...options, fs: place.fs })
    tree.insert('new', 'value')
    const iterator = tree.iter()
    place.arm()
    const outcome = await attempt(() => tree.close())
    place.fs.setRule()
    if (tree.isOpen) throw new Error('still open')
    iterator.return()
    await checkDisk(place, outcome === 'passed' ? 'value' : undefined)
  },
}

/** A second try succeeds, or says that the manifest is what failed, and why. */
async function retry(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    await work()
    return 'passed'
  } catch (error) {
    const isPoisoned = VarveError.is(error) && error.details['reason'] === 'manifest-failed'
    if (isPoisoned && error.cause !== undefined) return 'failed'
    throw error
  }
}

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  for (const form of FORMS) {
    t.test(`\`fault_injection_recovery\`: ${name}, ${JSON.stringify(form)}`, (t) =>
      loop(t, form, scenario),
    )
  }
}
