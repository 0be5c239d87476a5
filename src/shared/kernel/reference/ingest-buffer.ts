/** The plain twin of `assembly/ingest-buffer.ts`: what an ingest buffer holds after a series of entries. Tests only. */
import { BYTE_ORDER } from '../../base/key-order.js'
import type { Version } from './version.js'

export class ReferenceIngestBuffer {
  readonly entries: Version[] = []

  /** False where the key does not come behind the last one. */
  add(key: Uint8Array, value: Uint8Array, kind: number): boolean {
    const last = this.entries.at(-1)
    if (last !== undefined && BYTE_ORDER.compare(last.key, key) >= 0) return false
    this.entries.push({ key, value, kind, seqno: 0 })
    return true
  }
}
