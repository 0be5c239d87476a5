/**
 * Has the shared memory mapped by large pages, by `madvise(2)` through our native addon: Node has no call for it. Random
 * reads of a large memory wait for page tables too, and large pages need few of them; memory that is touched for the first
 * time comes in fewer, larger pieces. The thread that makes the memory.
 *
 * It is advice: where the addon was not built, or the system does not take it, everything works as before.
 */
import { loadAddon } from '../base/addon.js'

/** The addon's one function; 0, or the errno. */
interface PagesAddon {
  advise(bytes: Buffer): number
}

/** Advises the system; true where it takes the advice. */
export function useLargePages(memory: Buffer): boolean {
  return loadAddon<PagesAddon>('pages')?.advise(memory) === 0
}
