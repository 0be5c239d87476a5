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

/** Places that stay for the next turn. */
const KEPT_MAX = 64

/**
 * Side by side; what lies behind the count is nothing's. Neither is ever made shorter by `pop`: an array that is emptied
 * gives its memory back, and the next iterator would wait for more.
 */
let owners: (object | undefined)[] = []
let newborns: (Held | undefined)[] = []
let newbornCount = 0
let isScheduled = false

const forgotten = new FinalizationRegistry<Held>((held) => {
  process.emitWarning(held.leak.message, { code: held.leak.code })
  held.letGo()
})

function grow(): void {
  isScheduled = false
  for (let number = 0; number < newbornCount; number++) {
    const owner = owners[number]
    const held = newborns[number]
    if (owner === undefined || held === undefined) continue
    held.watchNumber = GROWN
    forgotten.register(owner, held, held)
  }
  if (newbornCount > 0 || owners.length > KEPT_MAX) {
    owners = []
    newborns = []
    newbornCount = 0
  }
}

/** Begins to watch `owner`, which holds `held` until {@link unwatch}. */
export function watch(owner: object, held: Held): void {
  const number = newbornCount++
  held.watchNumber = number
  owners[number] = owner
  newborns[number] = held
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
  const last = --newbornCount
  const moved = newborns[last]
  if (number !== last && moved !== undefined) {
    owners[number] = owners[last]
    newborns[number] = moved
    moved.watchNumber = number
  }
  owners[last] = undefined
  newborns[last] = undefined
}
