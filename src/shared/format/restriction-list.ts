/**
 * The `restrictions` section of a manifest snapshot, and the same bytes at the end of a version
 * edit: of which tables only keys from some key on are valid (format-manifest-blob.md 6.4, 14).
 * Every thread; no I/O.
 *
 *     count u32, then per restriction: table id u64, key length u32, key
 *
 * I1: strict in every mode. A lost restriction would show punched bytes as data.
 */
import { ByteReader } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { byId, type ManifestVersion, tablesOf } from './version-model.js'

/** First valid key by table id. */
export type Restrictions = ManifestVersion['restrictions']

export function writeRestrictions(writer: ByteWriter, restrictions: Restrictions): void {
  writer.u32(restrictions.size)
  for (const [id, key] of byId(restrictions)) writer.u64(id).u32(key.length).bytes(key)
}

/** Reads the list at the cursor. */
export function readRestrictions(reader: ByteReader): Restrictions {
  const count = reader.u32('the restriction count')
  const restrictions = new Map<number, Uint8Array>()
  for (let i = 0; i < count; i++) {
    const id = reader.u64('the restricted table id')
    const key = reader.bytes(reader.u32('the key length'), 'the restriction key').slice()
    if (restrictions.has(id)) throw reader.failure(`table ${id} is restricted twice`)
    restrictions.set(id, key)
  }
  return restrictions
}

export function encodeRestrictionList(restrictions: Restrictions): Uint8Array {
  const writer = new ByteWriter()
  writeRestrictions(writer, restrictions)
  return writer.finish()
}

/** Decodes the section, which must be consumed exactly (I1). */
export function decodeRestrictionList(payload: Uint8Array, file: string): Restrictions {
  const what = 'restrictions section'
  const reader = new ByteReader(payload, what, { file, offset: 0 }, 'VARVE_INVALID_HEADER')
  const restrictions = readRestrictions(reader)
  reader.end()
  return restrictions
}

/** The restrictions of tables that the version still holds: all that is ever written. */
export function liveRestrictions(version: ManifestVersion): Restrictions {
  if (version.restrictions.size === 0) return version.restrictions
  const live = new Set([...tablesOf(version)].map(({ table }) => table.id))
  return new Map([...version.restrictions].filter(([id]) => live.has(id)))
}
