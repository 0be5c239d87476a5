/**
 * The file of a table, which several views may read: the whole table for older versions, and since a tight-space compaction
 * what is left of it for newer ones. Main thread.
 *
 * I1: the file is removed only after the change that drops it is durable and the last view is gone, and only while the tree
 *     is open: later its name may be that of another table.
 * I2: no byte that any view may read is punched: a view needs what lies behind its consumed bytes, index and footer
 *     included, which are never consumed.
 */
import { assert } from '../../shared/base/errors.js'

/** What a file can be asked to do, by whoever knows the file system; each leaves undone what cannot be done now. */
export interface TableFileActions {
  remove(path: string): void
  /** Gives the space of the first `end` bytes back; false where that did not happen. */
  punch(path: string, end: number): boolean
}

export class TableFileLife {
  readonly #path: string
  readonly #actions: TableFileActions
  /** How many bytes at the beginning of the file each view has no use for. */
  readonly #views: number[] = []
  #punchedBytes = 0
  #isObsolete = false

  constructor(path: string, actions: TableFileActions) {
    this.#path = path
    this.#actions = actions
  }

  /** Bytes at the beginning of the file that take no space any more. */
  get punchedBytes(): number {
    return this.#punchedBytes
  }

  acquire(consumedBytes: number): void {
    this.#views.push(consumedBytes)
    this.#punch()
  }

  release(consumedBytes: number): void {
    const at = this.#views.indexOf(consumedBytes)
    assert(at >= 0, 'a view of a file is released once')
    this.#views.splice(at, 1)
    if (this.#views.length > 0) this.#punch()
    else if (this.#isObsolete) this.#remove()
  }

  /** The file is not part of the tree any more: it goes with the last view. */
  markObsolete(): void {
    this.#isObsolete = true
  }

  #remove(): void {
    try {
      this.#actions.remove(this.#path)
    } catch {
      // The manifest does not name it any more: the next open removes it as an orphan.
    }
  }

  #punch(): void {
    const end = Math.min(...this.#views)
    if (this.#isObsolete || end <= this.#punchedBytes) return
    if (this.#actions.punch(this.#path, end)) this.#punchedBytes = end
  }
}
