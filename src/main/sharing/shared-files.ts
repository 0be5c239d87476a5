/**
 * The table files of a shared tree, as an attached thread opens them: while the tree is open. The attached thread.
 *
 * I1: what is opened is a file of the tree. Its names are its own until it has closed, and it says so before it lets go of
 *     them; so a file is one of its, where it is still open once the file is.
 */
import { VarveError } from '../../shared/base/errors.js'
import type { ReadableFile } from '../../shared/fs/file-system.js'
import { StdFileSystem } from '../../shared/fs/std-file-system.js'
import type { ShareWords } from '../../shared/memory/share-words.js'

export class SharedFiles extends StdFileSystem {
  readonly #share: ShareWords
  readonly #root: string

  /** @param root the folder of the tree, for errors */
  constructor(share: ShareWords, root: string) {
    super()
    this.#share = share
    this.#root = root
  }

  /** @throws VARVE_CLOSED, also where the file is gone since */
  override openRead(path: string): ReadableFile {
    let file: ReadableFile
    try {
      file = super.openRead(path)
    } catch (error) {
      throw this.#share.isClosed ? this.#closedError(error) : error
    }
    if (!this.#share.isClosed) return file
    file.close()
    throw this.#closedError()
  }

  #closedError(cause?: unknown): VarveError {
    return new VarveError('VARVE_CLOSED', `${this.#root} is closed`, { cause })
  }
}
