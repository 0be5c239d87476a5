/**
 * Every read method once or more, over given keys, as plain data: what a tree answers on its own thread and what a reader
 * of it answers in another one must be the same.
 */
import type { ReadOperations } from '../../src/main/reading/read-operations.js'
import { Random } from './random.js'

/** What is asked for. */
export interface Questions {
  readonly keys: readonly Uint8Array[]
  /** Infinity: the latest. */
  readonly seqno: number
  readonly seed: number
}

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')

const pairs = (entries: Iterable<readonly [Uint8Array, Uint8Array]>): string[] =>
  Array.from(entries, ([key, value]) => `${text(key)}=${text(value)}`)

/** The answers, by what was asked. */
export function readEverything(
  tree: ReadOperations,
  { keys, seqno, seed }: Questions,
): Record<string, unknown> {
  const random = new Random(seed)
  const options = { seqno }
  const key = (): Uint8Array => random.pick(keys)
  const answers: Record<string, unknown> = {}
  const target = new Uint8Array(64)
  answers['get'] = keys.map((one) => text(tree.get(one, options)))
  answers['getString'] = keys.map((one) => tree.getString(one, options))
  answers['getInto'] = keys.map((one) => {
    const length = tree.getInto(one, target, options)
    return `${length} ${text(target.subarray(0, Math.max(0, Math.min(length, 64))))}`
  })
  answers['getPinned'] = keys.map((one) => {
    using slice = tree.getPinned(one, options)
    return text(slice?.value)
  })
  answers['multiGet'] = tree.multiGet(keys, options).map(text)
  answers['containsKey'] = keys.map((one) => tree.containsKey(one, options))
  answers['sizeOf'] = keys.map((one) => tree.sizeOf(one, options))
  answers['containsPrefix'] = keys.map((one) => tree.containsPrefix(one.subarray(0, 2), options))
  const [first, last] = [tree.firstKeyValue(options), tree.lastKeyValue(options)]
  answers['edges'] = [first, last].map((edge) => edge && pairs([edge]))
  answers['isEmpty'] = tree.isEmpty(options)
  answers['len'] = tree.len(options)
  answers['iter'] = pairs(tree.iter(options))
  answers['reverse'] = pairs(tree.range({ ...options, reverse: true, limit: 50 }))
  answers['ranges'] = Array.from({ length: 8 }, () => {
    const range = { gte: key(), lt: key(), reverse: random.chance(0.5), ...options }
    return pairs(tree.range(range))
  })
  answers['keys'] = Array.from(tree.range({ gt: key(), values: false, ...options }), text)
  answers['ends'] = (() => {
    using it = tree.range({ gte: key(), ...options })
    const found: unknown[] = []
    for (let i = 0; i < 10; i++) {
      const { value } = random.chance(0.5) ? it.next() : it.nextBack()
      found.push(value && pairs([value]))
    }
    return found
  })()
  answers['prefix'] = Array.from({ length: 4 }, () =>
    pairs(tree.prefix(key().subarray(0, 1 + random.below(3)), options)),
  )
  answers['guards'] = Array.from(
    tree.guards({ gte: key(), limit: 20, ...options }),
    (guard) => `${text(guard.key)} ${guard.size()} ${text(guard.value())}`,
  )
  answers['seekable'] = (() => {
    using cursor = tree.seekable(options)
    const found: unknown[] = []
    for (let i = 0; i < 12; i++) {
      if (random.chance(0.5)) cursor.seekTo(key())
      else cursor.seekToForPrev(key())
      found.push(text(cursor.peekKey()))
      const { value } = random.chance(0.5) ? cursor.next() : cursor.prev()
      found.push(value && pairs([value]))
    }
    return found
  })()
  return answers
}

/** The methods that wait. */
export async function readEverythingLater(
  tree: ReadOperations,
  { keys, seqno }: Questions,
): Promise<Record<string, unknown>> {
  const options = { seqno }
  const chunks: string[] = []
  for await (const chunk of tree.rangeAsync(options)) chunks.push(...pairs(chunk))
  return {
    getAsync: await Promise.all(keys.map(async (key) => text(await tree.getAsync(key, options)))),
    multiGetAsync: (await tree.multiGetAsync(keys, options)).map(text),
    rangeAsync: chunks,
  }
}
