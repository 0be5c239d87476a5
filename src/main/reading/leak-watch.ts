/**
 * Warns of what was dropped without being used up or disposed, iterators and pinned slices, and lets go of what it held:
 * files, memory, blocks of the cache. Main thread.
 *
 * Most of them end in the turn of the event loop that made them, and a finalization registry costs as much as a seek: only
 * those that are left when the turn ends go there.
 */

/** What an object holds, apart from it, so that it can be let go of when the object itself is gone. */
export interface Held {
  /** What to warn of, and the warning's code. */
  readonly leak: Leak
  /** Gives everything back; called once. */
  letGo(): void
  /** Its number among the newborns, GROWN or UNWATCHED; the watch's own. */
  watchNumber: number
}

/** One kind of object that can be forgotten. */
export interface Leak {
  readonly message: string
  readonly code: string
}

/** Not watched, yet or any more. */
export const UNWATCHED = -1

/** Known to the finalization registry. */
const GROWN = -2

/** Side by side. */
let owners: object[] = []
let newborns: Held[] = []
let isScheduled = false

const forgotten = new FinalizationRegistry<Held>((held) => {
  process.emitWarning(held.leak.message, { code: held.leak.code })
  held.letGo()
})

function grow(): void {
  isScheduled = false
  newborns.forEach((held, number) => {
    held.watchNumber = GROWN
    forgotten.register(owners[number] as object, held, held)
  })
  owners = []
  newborns = []
}

/** Begins to watch `owner`, which holds `held` until {@link unwatch}. */
export function watch(owner: object, held: Held): void {
  held.watchNumber = newborns.length
  owners.push(owner)
  newborns.push(held)
  if (isScheduled) return
  isScheduled = true
  setImmediate(grow)
}

/** The owner gives back what it holds by itself. */
export function unwatch(held: Held): void {
  const number = held.watchNumber
  held.watchNumber = UNWATCHED
  if (number === GROWN) forgotten.unregister(held)
  if (number < 0) return
  const owner = owners.pop()
  const last = newborns.pop()
  if (owner === undefined || last === undefined || number === newborns.length) return
  owners[number] = owner
  newborns[number] = last
  last.watchNumber = number
}
