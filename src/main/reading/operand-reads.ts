/**
 * The value of a key whose newest version is a merge operand: gathers every visible version and folds. At once, or
 * without waiting for the disk. The thread that reads.
 *
 * I1: works as long as somebody holds the view, also when the tree has closed.
 */
import { noOperands, RangeScan } from '../../shared/iterator/range-scan.js'
import type { ReadView } from '../../shared/iterator/read-view.js'
import type { BlockGiver } from '../../shared/iterator/run-cursor.js'
import { SCAN_EVERY_VERSION } from '../../shared/kernel/layout.js'
import { LaterBlocks } from './later-blocks.js'
import { type KeyVersion, resolveOperands } from './operand-resolution.js'
import type { ReadCore } from './read-core.js'

/** The visible versions of one key, newest first, as a scan comes by them. */
class VersionScan implements Disposable {
  readonly #core: ReadCore
  readonly #scan: RangeScan
  readonly #versions: KeyVersion[] = []

  constructor(core: ReadCore, giver: BlockGiver, view: ReadView, key: Uint8Array, seqno: number) {
    this.#core = core
    const bound = { key, isInclusive: true }
    const range = { lower: bound, upper: bound, seqno, isReverse: false, flags: SCAN_EVERY_VERSION }
    this.#scan = new RangeScan(core.workspace, giver, view, range, noOperands)
  }

  /** All of them; undefined where the scan has to wait. */
  read(): readonly KeyVersion[] | undefined {
    const row = { keyAddress: 0, keyLength: 0, valueAddress: 0, valueLength: 0 }
    for (;;) {
      const isThere = this.#scan.tryNext(row)
      if (isThere === undefined) return undefined
      if (!isThere) return this.#versions
      this.#versions.push({
        kind: this.#scan.kindOf(row),
        seqno: this.#scan.seqnoOf(row),
        value: this.#core.shared.copy(row.valueAddress, row.valueLength),
      })
    }
  }

  [Symbol.dispose](): void {
    this.#scan.dispose()
  }
}

export class OperandReads {
  readonly #core: ReadCore

  constructor(core: ReadCore) {
    this.#core = core
  }

  /** @throws VARVE_MERGE_OPERATOR, and the codes of damage */
  resolve(view: ReadView, key: Uint8Array, seqno: number): Uint8Array | undefined {
    using scan = new VersionScan(this.#core, this.#core.provider, view, key, seqno)
    return this.#fold(view, key, seqno, scan.read() ?? [])
  }

  /** The same, without waiting for the disk. REQUIRES: the view and what the tree reads through stay meanwhile. */
  async resolveLater(
    view: ReadView,
    key: Uint8Array,
    seqno: number,
  ): Promise<Uint8Array | undefined> {
    const blocks = new LaterBlocks(this.#core.provider, false)
    using scan = new VersionScan(this.#core, blocks, view, key, seqno)
    let versions = scan.read()
    while (versions === undefined) {
      await blocks.load()
      versions = scan.read()
    }
    return this.#fold(view, key, seqno, versions)
  }

  #fold(
    view: ReadView,
    key: Uint8Array,
    seqno: number,
    versions: readonly KeyVersion[],
  ): Uint8Array | undefined {
    const covered = this.#coveringSeqno(view, key, seqno)
    return resolveOperands(key, versions, covered, this.#core.code.mergeOperator)
  }

  /** The highest seqno of a visible range tombstone that covers the key; -1 for none. */
  #coveringSeqno(view: ReadView, key: Uint8Array, seqno: number): number {
    const { shared, heap } = this.#core.workspace
    const address = heap.allocate(key.length)
    shared.bytes.set(key, address)
    const covering = shared.kernel.state_cover_at(view.stateAddress, address, key.length, seqno)
    heap.free(address)
    return covering
  }
}
