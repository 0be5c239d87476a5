/**
 * A write-ahead log for trees that need one, as `varve/wal`: see docs/wal.md. The engine itself has none, and this one uses
 * only what every user of the engine has.
 */
export type { Durability } from './group-commit.js'
export {
  LoggedTree,
  type LoggedTreeView,
  type LoggedWriteOptions,
  type LogStats,
} from './logged-tree.js'
export { type LogOptions, openLogged } from './open-logged.js'
export type { LogRecoveryMode, LogRecoveryReport } from './recovery.js'
