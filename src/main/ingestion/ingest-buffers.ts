/**
 * The memory of an ingestion by one writer: entries go into a buffer, and full buffers become jobs. Main thread.
 *
 *     add ─→ buffer ─ full ─→ job ─→ tables (in the order of the buffers)
 *
 * I1: an entry that is refused leaves no trace.
 * I2: keys ascend, from the first entry to the last.
 */
import { rangeError, VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import { ingestOrderError } from '../../shared/jobs/ingest-order.js'
import {
  INGEST_BLOCK_COUNT,
  INGEST_HEADER_BYTES,
  INGEST_LAST_KEY,
  INGEST_LAST_KEY_LENGTH,
  INGEST_NOT_ASCENDING,
} from '../../shared/kernel/layout-ingest.js'
import { requireKeyLength } from '../options.js'
import { ingestJob } from '../scheduling/ingest-task.js'
import type { TreeCore } from '../tree-core.js'
import type { BytesLike } from '../writing/write-batch.js'
import { byteLengthOf, placeBytes } from '../writing/writer.js'
import type { IngestJobs } from './ingest-jobs.js'

/** Room that a buffer must leave beside its largest entry: its header, a block's head, and lengths. */
const OVERHEAD_BYTES = 16 * 1024

export class IngestBuffers {
  readonly #core: TreeCore
  readonly #jobs: IngestJobs
  readonly #bufferBytes: number
  /** A copy of the last key of the buffer before, KEY_BYTES_MAX bytes. */
  readonly #lastKey: number
  #lastKeyLength = 0
  #buffer = 0
  #isFreed = false

  constructor(core: TreeCore, jobs: IngestJobs) {
    this.#core = core
    this.#jobs = jobs
    this.#bufferBytes = core.runtime.memtableBytes
    this.#lastKey = core.workspace.heap.allocate(KEY_BYTES_MAX + 8)
  }

  /**
   * Adds an entry.
   * @throws VARVE_INGEST_ORDER, VARVE_STALLED, TypeError, RangeError; what went wrong with an earlier buffer
   */
  add(kind: number, key: BytesLike, value: BytesLike): void {
    this.#jobs.requireSound()
    const keyLength = byteLengthOf(key, 'key')
    requireKeyLength(keyLength)
    const valueLength = byteLengthOf(value, 'value')
    const { shared } = this.#core
    const { kernel } = shared
    let address =
      this.#buffer === 0 ? 0 : kernel.ingest_reserve(this.#buffer, keyLength, valueLength)
    if (address === 0) {
      this.#turn(keyLength + valueLength)
      address = kernel.ingest_reserve(this.#buffer, keyLength, valueLength)
    }
    placeBytes(shared, key, address, keyLength)
    if (valueLength > 0) placeBytes(shared, value, address + keyLength, valueLength)
    const added = kernel.ingest_commit(this.#buffer, keyLength, valueLength, kind, 1)
    if (added === INGEST_NOT_ASCENDING) throw ingestOrderError(shared.copy(address, keyLength))
  }

  /** Hands on what is left, and waits for all jobs. @throws the first failure */
  async complete(): Promise<void> {
    await this.#jobs.drained()
    this.#startJob()
    await this.#jobs.complete()
  }

  /** Gives the memory back. REQUIRES: no job runs. */
  free(): void {
    if (this.#isFreed) return
    this.#isFreed = true
    const { heap } = this.#core.workspace
    if (this.#buffer !== 0) heap.free(this.#buffer)
    this.#buffer = 0
    heap.free(this.#lastKey)
  }

  /** A fresh buffer; the full one becomes a job. */
  #turn(entryBytes: number): void {
    if (entryBytes + OVERHEAD_BYTES > this.#bufferBytes) {
      throw rangeError(
        `an entry of ${entryBytes} bytes does not fit an ingest buffer of ${this.#bufferBytes}; ` +
          'raise RuntimeConfig.memtableBytes before the ingestion begins',
      )
    }
    if (this.#buffer !== 0 && this.#jobs.isBusy) {
      throw new VarveError(
        'VARVE_STALLED',
        'all ingest buffers are full; await ingestion.drained() and write again',
        { details: { bytes: this.#bufferBytes } },
      )
    }
    this.#startJob()
    const { workspace, shared } = this.#core
    this.#buffer = workspace.heap.allocate(this.#bufferBytes)
    const { kernel } = shared
    kernel.ingest_init(this.#buffer, this.#bufferBytes, this.#lastKey, this.#lastKeyLength, 0)
  }

  /** Hands the buffer at hand to a job, where it holds anything. */
  #startJob(): void {
    const buffer = this.#buffer
    if (buffer === 0) return
    this.#buffer = 0
    const { shared, workspace } = this.#core
    this.#lastKeyLength = shared.getU32(buffer + INGEST_LAST_KEY_LENGTH)
    const lastKey = shared.getU32(buffer + INGEST_LAST_KEY)
    shared.bytes.copyWithin(this.#lastKey, lastKey, lastKey + this.#lastKeyLength)
    const source = {
      kind: 'blocks',
      firstBlock: (buffer + INGEST_HEADER_BYTES + 7) & ~7,
      blockCount: shared.getU32(buffer + INGEST_BLOCK_COUNT),
    } as const
    const jobOf = (): ReturnType<typeof ingestJob> =>
      ingestJob(this.#core, source, this.#bufferBytes)
    this.#jobs.start(jobOf, {}, () => workspace.heap.free(buffer))
  }
}
