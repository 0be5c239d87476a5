/**
 * What a user's own tests may want, as `varve/testing`: file systems that live in memory, crash, or fail on command.
 *
 * @example
 * ```ts
 * import { MemoryFileSystem } from 'varve/testing'
 * const fs = new MemoryFileSystem()
 * const tree = await open('/db', { fs })
 * const afterPowerCut = fs.crashClone({ keepUnsynced: 0, random: Math.random })
 * ```
 */
export { FaultFileSystem, failNth, failOn } from '../shared/fs/fault-file-system.js'
export { MemoryFileSystem } from '../shared/fs/memory-file-system.js'
