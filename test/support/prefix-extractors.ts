/** Prefix extractors for tests, as a user would write them: a module that workers import. */
import type { PrefixExtractor } from '../../src/shared/base/prefix-extractor.js'

/** The first byte, the first two, … up to `most`. */
export function everyLength({ most }: { readonly most: number }): PrefixExtractor {
  return {
    name: `every length up to ${most}`,
    prefixes: (key) =>
      Array.from({ length: Math.min(most, key.length) }, (_, i) => key.subarray(0, i + 1)),
  }
}
