/**
 * The names in a tree's folder (format-manifest-blob.md 2). Pure; main thread.
 *
 *     <root>/LOCK  current  v{N}  edits-{N}  tables/{id}  blobs/{id}
 *            seqno-mark  .tmp_{pid}_{seq}  repair-quarantine/
 *
 * I1: a name is ours only if it matches exactly; a `vault` beside `v7` is somebody else's.
 */

export const lockPath = (root: string) => `${root}/LOCK`
export const currentPath = (root: string) => `${root}/current`
export const snapshotPath = (root: string, id: number) => `${root}/v${id}`
export const editLogPath = (root: string, id: number) => `${root}/edits-${id}`
export const seqnoMarkPath = (root: string) => `${root}/seqno-mark`
export const tablesFolder = (root: string) => `${root}/tables`
export const blobsFolder = (root: string) => `${root}/blobs`
export const quarantineFolder = (root: string) => `${root}/repair-quarantine`

/** The file whose presence marks a V1 tree. */
export const legacyVersionPath = (root: string) => `${root}/version`

const SNAPSHOT_NAME = /^v[0-9]+$/
const EDIT_LOG_NAME = /^edits-[0-9]+$/

/** Upstream reads file names as u64, so signs and leading zeros pass. */
const FILE_ID_NAME = /^\+?[0-9]+$/
const U64_MAX = 2n ** 64n - 1n

export function isSnapshotName(name: string): boolean {
  return SNAPSHOT_NAME.test(name)
}

export function isEditLogName(name: string): boolean {
  return EDIT_LOG_NAME.test(name)
}

/** Files that desktop systems leave in folders; never ours, never harmful. */
export function isIgnoredName(name: string): boolean {
  return name === '.DS_Store' || name.startsWith('._')
}

/** The id that a name in `tables/` or `blobs/` stands for; undefined where it is none. */
export function parseFileId(name: string): number | bigint | undefined {
  if (!FILE_ID_NAME.test(name)) return undefined
  const id = BigInt(name.replace('+', ''))
  if (id > U64_MAX) return undefined
  return id <= Number.MAX_SAFE_INTEGER ? Number(id) : id
}
