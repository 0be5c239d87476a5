// A power cut before every single call of creating, appending and rotating: the tree reopens at the
// version before or after, never between, never lost; and what was acknowledged stays.
import t from 'tap'
import { scanDirectory } from '../../src/main/manifest/directory-scan.js'
import { readManifest } from '../../src/main/manifest/manifest-reader.js'
import { ManifestWriter } from '../../src/main/manifest/manifest-writer.js'
import { cleanUp } from '../../src/main/manifest/stale-files.js'
import { VarveError } from '../../src/shared/base/errors.js'
import type { RecoveryMode } from '../../src/shared/format/recovery-mode.js'
import { emptyVersion, type ManifestVersion } from '../../src/shared/format/version-model.js'
import { FaultFileSystem } from '../../src/shared/fs/fault-file-system.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { codec, describe, readOptions, version } from '../support/manifests.js'
import { Random, runSeed } from '../support/random.js'

const seed = runSeed()
const random = new Random(seed)
t.comment(`SEED=${seed}`)

const options = { codec, comparatorName: 'default' }
const read = (fs: MemoryFileSystem, mode: RecoveryMode) =>
  readManifest(fs, '/a/db', { ...readOptions, mode })

/** Versions that make small edits, then one so large that it rotates by itself. */
function script(): ManifestVersion[] {
  const versions = [emptyVersion(0)]
  for (let id = 1; id <= 9; id++) {
    const tables = Array.from({ length: random.below(4) }, (_, i) => [10 * id + i])
    versions.push(version(id, ...tables))
  }
  versions.push(
    version(
      10,
      Array.from({ length: 2100 }, (_, id) => id),
    ),
  )
  return versions
}

for (const rotateBytes of [1 << 20, 300, 0]) {
  t.test(
    `\`fault_injection_recovery\`: the manifest, rotating at ${rotateBytes} bytes`,
    async (t) => {
      const versions = script()
      const texts = versions.map(describe)
      const memory = new MemoryFileSystem()
      let acknowledged = -1
      let attempted = 0
      const seen = { before: 0, after: 0, torn: 0, none: 0 }

      /** Checks one possible state after a power cut at this moment. */
      const check = (clone: MemoryFileSystem) => {
        const manifest = read(clone, 'point-in-time-recovery')
        if (manifest === undefined) {
          if (acknowledged >= 0) t.fail('the tree is gone')
          ManifestWriter.create(clone, '/a/db', 0, options)
          seen.none++
          return
        }
        const text = describe(manifest.version)
        if (text === texts[attempted]) seen.after++
        else if (text === texts[acknowledged]) seen.before++
        else t.fail(`neither before nor after: ${text}`)
        try {
          if (describe(read(clone, 'absolute-consistency')!.version) !== text)
            t.fail('modes differ')
        } catch (error) {
          // A torn record that was never acknowledged; only tolerant modes pass over it.
          if (!VarveError.is(error, 'VARVE_MANIFEST_TORN')) throw error
          seen.torn++
        }
        // Clean up, go on writing, crash at once: still there.
        cleanUp(clone, '/a/db', manifest, scanDirectory(clone, '/a/db', manifest.version))
        const writer = ManifestWriter.resume(clone, '/a/db', manifest, { ...options, rotateBytes })
        const next = version(100, [7])
        writer.commit(next)
        const again = clone.crashClone({ keepUnsynced: 0, random: () => 0.5 })
        const last = read(again, 'absolute-consistency')
        if (last === undefined || describe(last.version) !== describe(next)) t.fail('lost')
      }

      const fs = new FaultFileSystem(memory, () => {
        const dice = () => random.below(1e9) / 1e9
        for (const keepUnsynced of [0, 0.5, 0.5, 1]) {
          check(memory.crashClone({ keepUnsynced, random: dice }))
        }
        return undefined
      })
      const writer = ManifestWriter.create(fs, '/a/db', 0, { ...options, rotateBytes })
      acknowledged = 0
      for (const next of versions.slice(1)) {
        attempted = next.id
        writer.commit(next)
        acknowledged = next.id
        check(memory.crashClone({ keepUnsynced: 0, random: () => 0.5 }))
      }
      t.ok(seen.before > 20 && seen.after > 10 && seen.none > 5, JSON.stringify(seen))
    },
  )
}
