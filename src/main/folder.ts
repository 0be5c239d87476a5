/** Folders as users name them: a path, relative to where the process is, or a file URL. Main thread. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { typeError } from '../shared/base/errors.js'

/** The absolute path. @throws TypeError */
export function resolveFolder(path: string | URL): string {
  if (typeof path === 'string' && path !== '') return resolve(path)
  if (!(path instanceof URL))
    throw typeError('the path of a tree must be a non-empty string or a file URL')
  if (path.protocol !== 'file:')
    throw typeError(`the URL of a tree must be a file URL, not ${path}`)
  return resolve(fileURLToPath(path))
}
