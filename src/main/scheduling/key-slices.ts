/**
 * Cuts the keys of a merge into slices of about the same size (semantics.md 16.7). Pure; main thread.
 *
 * I1: slices follow one another without a gap and without overlap, and all of them together are all keys.
 */
import type { CompareKeys } from '../../shared/base/key-order.js'
import type { KeySlice } from '../../shared/jobs/jobs.js'

/** A key of an input, and about how many bytes of that input lie between it and the one before. */
export interface KeySample {
  readonly key: Uint8Array
  readonly bytes: number
}

/** All keys as one slice. */
export const WHOLE: KeySlice = { after: undefined, upTo: undefined }

/** At most `parts` slices, cut at keys of `samples`; one where these do not tell enough. */
export function sliceKeys(
  samples: readonly KeySample[],
  parts: number,
  compare: CompareKeys,
): readonly KeySlice[] {
  const sorted = [...samples].sort((a, b) => compare(a.key, b.key))
  const total = sorted.reduce((sum, { bytes }) => sum + bytes, 0)
  const last = sorted.at(-1)
  if (last === undefined || parts < 2) return [WHOLE]
  const cuts: Uint8Array[] = []
  let sum = 0
  for (const { key, bytes } of sorted) {
    sum += bytes
    // Behind the largest key lies nothing.
    if (compare(key, last.key) === 0) break
    if (sum < ((cuts.length + 1) * total) / parts) continue
    const before = cuts.at(-1)
    if (before === undefined || compare(before, key) < 0) cuts.push(key)
    if (cuts.length === parts - 1) break
  }
  const bounds = [undefined, ...cuts, undefined]
  return bounds.slice(1).map((upTo, i) => ({ after: bounds[i], upTo }))
}
