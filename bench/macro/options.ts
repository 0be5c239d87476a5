/** Reads what the command lines of the benches have in common. */

/** @throws RangeError where it is no count: digits, with `_` between them, and k or m behind */
export function toCount(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const [, digits, unit] = /^([\d_]+)([km]?)$/i.exec(text) ?? []
  const value =
    Number((digits ?? '').replaceAll('_', '')) *
    ({ k: 1e3, m: 1e6 }[unit?.toLowerCase() ?? ''] ?? 1)
  if (digits === undefined || !Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`not a count: ${text}`)
  return value
}

/** Parts of a list, which commas separate. */
export function toList(text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : text.split(',').map((part) => part.trim())
}

/** What was typed, as it can be typed again: without paths of this machine. */
export function commandLine(script: string, args: readonly string[]): string {
  const shown = args.filter((arg) => !/^(--\w+=)?\//.test(arg))
  return [`npm run ${script}`, ...(shown.length === 0 ? [] : ['--', ...shown])].join(' ')
}
