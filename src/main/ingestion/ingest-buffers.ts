/**
 * The memory of a bulk ingestion: entries go into a buffer, full buffers become jobs, and what these wrote is kept until
 * somebody installs it or throws it away. Main thread.
 *
 *     add ─→ buffer ─ full ─→ job ─→ tables (in the order of the buffers)
 *
 * I1: an entry that is refused leaves no trace.
 * I2: a buffer is freed when its job has ended, however it ended.
 */
import { rangeError, VarveError } from '../../shared/base/errors.js'
import { KEY_BYTES_MAX } from '../../shared/base/limits.js'
import type { IngestJob } from '../../shared/jobs/jobs.js'
import {
  INGEST_BLOCK_COUNT,
  INGEST_ENTRY_COUNT,
  INGEST_HEADER_BYTES,
  INGEST_LAST_KEY,
  INGEST_LAST_KEY_LENGTH,
  INGEST_NOT_ASCENDING,
  INGEST_OUTCOME,
  PACKED_DONE,
  PACKED_FULL,
  PACKED_KEY,
  PACKED_NOT_ASCENDING,
  PACKED_VALUE_LENGTH,
} from '../../shared/kernel/layout-ingest.js'
import { JOB_CANCEL } from '../../shared/kernel/layout-jobs.js'
import type { TableProposal } from '../../shared/table/table-proposal.js'
import { requireKeyLength } from '../options.js'
import type { JobExecutor } from '../scheduling/job-executor.js'
import { withJobMemory } from '../scheduling/job-region.js'
import { removeTables } from '../scheduling/proposed-tables.js'
import type { TreeCore } from '../tree-core.js'
import type { BytesLike } from '../writing/write-batch.js'
import { byteLengthOf, placeBytes } from '../writing/writer.js'

/** Room that a buffer must leave beside its largest entry: its header, a block's head, and lengths. */
const OVERHEAD_BYTES = 16 * 1024

/** What lies in a full buffer. */
export interface FullBuffer {
  readonly firstBlock: number
  readonly blockCount: number
  readonly entryCount: number
  readonly bytes: number
}

export interface IngestBufferOptions {
  /** Full buffers that may be on their way into tables while the next one fills. */
  readonly jobsMax: number
  /** True: keys must ascend, from the first entry to the last. */
  readonly isSorted: boolean
  readonly jobOf: (buffer: FullBuffer) => Omit<IngestJob, 'region' | 'control'>
}

export class IngestBuffers {
  readonly #core: TreeCore
  readonly #executor: JobExecutor
  readonly #options: IngestBufferOptions
  readonly #bufferBytes: number
  /** A copy of the last key of the buffer before, KEY_BYTES_MAX bytes. */
  readonly #lastKey: number
  #lastKeyLength = 0
  #buffer = 0
  /** What each job wrote, in the order of the buffers. */
  #parts: (readonly TableProposal[])[] = []
  readonly #jobs = new Set<Promise<void>>()
  /** Cancel words of running jobs. */
  readonly #controls = new Set<number>()
  #failure: unknown
  #isCancelled = false
  #isFreed = false
  #entryCount = 0
  #bytesWritten = 0

  constructor(core: TreeCore, executor: JobExecutor, options: IngestBufferOptions) {
    this.#core = core
    this.#executor = executor
    this.#options = options
    this.#bufferBytes = core.runtime.memtableBytes
    this.#lastKey = core.workspace.heap.allocate(KEY_BYTES_MAX + 8)
  }

  /** True where the buffer at hand is the last one. */
  get isBusy(): boolean {
    return this.#jobs.size >= this.#options.jobsMax
  }

  /** Entries of buffers that were handed on. */
  get entryCount(): number {
    return this.#entryCount
  }

  get bytesWritten(): number {
    return this.#bytesWritten
  }

  /** What each job wrote so far, in the order of the buffers. */
  get parts(): readonly (readonly TableProposal[])[] {
    return this.#parts
  }

  /**
   * Adds an entry.
   * @throws VARVE_INGEST_ORDER, VARVE_STALLED, TypeError, RangeError; what went wrong with an earlier buffer
   */
  add(kind: number, key: BytesLike, value: BytesLike): void {
    this.requireSound()
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
    const isSorted = this.#options.isSorted ? 1 : 0
    const added = kernel.ingest_commit(this.#buffer, keyLength, valueLength, kind, isSorted)
    if (added === INGEST_NOT_ASCENDING) throw orderError(shared.copy(address, keyLength))
  }

  /**
   * Adds the entries of a packed chunk that lies at [from, end) of the shared memory, waiting for buffers where it must.
   * @throws as {@link add}; VARVE_INVALID_ARGUMENT where the chunk is malformed
   */
  async addPacked(from: number, end: number): Promise<void> {
    const { shared } = this.#core
    const isSorted = this.#options.isSorted ? 1 : 0
    for (let at = from; at < end; ) {
      this.requireSound()
      if (this.#buffer === 0) this.#turn(0)
      at = shared.kernel.ingest_add_packed(this.#buffer, at, end, isSorted)
      const outcome = shared.getU32(this.#buffer + INGEST_OUTCOME)
      if (outcome === PACKED_DONE) return
      if (outcome === PACKED_FULL) {
        await this.drained()
        const header = shared.copy(at, PACKED_KEY)
        this.#turn(header.readUInt16LE() + header.readUInt32LE(PACKED_VALUE_LENGTH))
      } else if (outcome === PACKED_NOT_ASCENDING) {
        throw orderError(shared.copy(at + PACKED_KEY, shared.copy(at, 2).readUInt16LE()))
      } else {
        throw rangeError(
          `a packed chunk is malformed at byte ${at - from} of ${end - from}: an entry is { key length u16, ` +
            'value length u32, key, value }, little-endian, and its key is not empty',
        )
      }
    }
  }

  /** Resolves when the next full buffer can be handed on. */
  async drained(): Promise<void> {
    while (this.isBusy) await Promise.race(this.#jobs)
    this.requireSound()
  }

  /** Hands on what is left, and waits for all jobs. @throws the first failure */
  async complete(): Promise<void> {
    while (this.isBusy) await Promise.race(this.#jobs)
    this.#startJob()
    await Promise.all(this.#jobs)
    this.requireSound()
  }

  /** @throws what went wrong with an earlier buffer */
  requireSound(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Stops all jobs, also those that begin later, and waits for their ends. */
  async cancel(): Promise<void> {
    this.#isCancelled = true
    for (const control of this.#controls) this.#core.shared.raise(control + JOB_CANCEL)
    await Promise.all(this.#jobs)
  }

  /** Removes what the jobs wrote. What cannot be removed is an orphan, and goes at the next open. */
  discard(): void {
    const parts = this.#parts
    this.#parts = []
    // A manifest whose write failed may name them all the same; the next open knows.
    if (this.#core.isInstallable) removeTables(this.#core, parts.flat())
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
    if (this.#buffer !== 0 && this.isBusy) {
      const buffers = this.#options.jobsMax + 1
      throw new VarveError(
        'VARVE_STALLED',
        `all ${buffers} ingest buffers are full; await ingestion.drained() and write again`,
        { details: { buffers, bytes: this.#bufferBytes } },
      )
    }
    this.#startJob()
    const { workspace, shared } = this.#core
    this.#buffer = workspace.heap.allocate(this.#bufferBytes)
    shared.kernel.ingest_init(this.#buffer, this.#bufferBytes, this.#lastKey, this.#lastKeyLength)
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
    const number = this.#parts.length
    this.#parts.push([])
    const job = this.#run(buffer, number)
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        workspace.heap.free(buffer)
        this.#jobs.delete(job)
      })
    this.#jobs.add(job)
  }

  async #run(buffer: number, number: number): Promise<void> {
    const core = this.#core
    const { shared } = core
    const full = {
      firstBlock: (buffer + INGEST_HEADER_BYTES + 7) & ~7,
      blockCount: shared.getU32(buffer + INGEST_BLOCK_COUNT),
      entryCount: shared.getU32(buffer + INGEST_ENTRY_COUNT),
      bytes: this.#bufferBytes,
    }
    this.#entryCount += full.entryCount
    const result = await withJobMemory(core.environment, async ({ region, control }) => {
      this.#controls.add(control)
      try {
        if (this.#isCancelled) shared.raise(control + JOB_CANCEL)
        return await this.#executor.run({ ...this.#options.jobOf(full), region, control })
      } finally {
        this.#controls.delete(control)
      }
    })
    this.#parts[number] = result.tables
    this.#bytesWritten += result.bytesWritten
  }
}

function orderError(key: Buffer): VarveError {
  return new VarveError(
    'VARVE_INGEST_ORDER',
    `keys of an ingestion must ascend: ${key.toString('hex')} does not come behind the key before it; sort them first`,
    { details: { key: key.toString('hex') } },
  )
}
