// The Nth call fails, N = 1, 2, 3 … until the run succeeds: every failure is a coded error, and the
// tree reopens at the version before or after it.
import t from 'tap'
import { scanDirectory } from '../../src/main/manifest/directory-scan.js'
import { readManifest } from '../../src/main/manifest/manifest-reader.js'
import { ManifestWriter } from '../../src/main/manifest/manifest-writer.js'
import { cleanUp } from '../../src/main/manifest/stale-files.js'
import { VarveError } from '../../src/shared/base/errors.js'
import { FaultFileSystem } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { codec, describe, readOptions, version } from '../support/manifests.js'

const options = { codec, comparatorName: 'default' }
const tolerant = { ...readOptions, mode: 'point-in-time-recovery' as const }

/**
 * Opens or creates, cleans up, commits up to version 6; tells each version that was acknowledged.
 */
function run(fs: FaultFileSystem, rotateBytes: number, acknowledge: (id: number) => void): void {
  const manifest = readManifest(fs, '/db', tolerant)
  let writer: ManifestWriter
  if (manifest === undefined) {
    writer = ManifestWriter.create(fs, '/db', 0, { ...options, rotateBytes })
  } else {
    cleanUp(fs, '/db', manifest, scanDirectory(fs, '/db', manifest.version))
    writer = ManifestWriter.resume(fs, '/db', manifest, { ...options, rotateBytes })
  }
  acknowledge(writer.version.id)
  while (writer.version.id < 6) {
    const id = writer.version.id + 1
    writer.commit(version(id, [id]))
    acknowledge(id)
  }
}

for (const rotateBytes of [1 << 20, 150, 0]) {
  for (const writtenBytes of [0, 7]) {
    for (const sticky of [false, true]) {
      t.test(`rotate at ${rotateBytes}, ${writtenBytes} bytes of a failing write`, async (t) => {
        for (let n = 1; ; n++) {
          const memory = new MemoryFileSystem()
          let acknowledged = -1
          const fs = new FaultFileSystem(memory, ({ number }) =>
            number === n || (sticky && number > n) ? { errno: 'EIO', writtenBytes } : undefined,
          )
          let hasFailed = false
          try {
            run(fs, rotateBytes, (id) => {
              acknowledged = id
            })
          } catch (error) {
            if (!VarveError.is(error, 'VARVE_IO')) throw error
            hasFailed = true
          }
          fs.setRule()
          const found = readManifest(memory, '/db', tolerant)
          if (found === undefined) {
            if (acknowledged >= 0) t.fail(`the tree is gone after call ${n}`)
          } else {
            const { id } = found.version
            if (id !== acknowledged && id !== acknowledged + 1) t.fail(`call ${n}: version ${id}`)
            const expected = id === 0 ? version(0) : version(id, [id])
            if (describe(found.version) !== describe(expected)) t.fail(`call ${n}: wrong data`)
          }
          run(fs, rotateBytes, () => {})
          const last = readManifest(memory, '/db', readOptions)
          if (last?.version.id !== 6) t.fail(`call ${n}: not repaired by reopening`)
          if (!hasFailed) {
            // Failures inside the best-effort removals do not show; the loop ends with a run that
            // met no fault at all.
            if (fs.callCount < n || n > 500) break
          }
        }
        t.pass()
      })
    }
  }
}
