/**
 * How the micro benches time: contenders that do the same work, in turns, the fastest round counts. Before that each does
 * the first operations untimed, and what it found must be what the others found: a digest of it stands in every row, so
 * that work can neither be optimised away nor be wrong.
 *
 * Rows of one subject compare with each other, and with nothing else.
 */

export interface Row {
  readonly family: string
  readonly subject: string
  /** `kernel`, `twin` (its plain counterpart), or the name of what else does the same. */
  readonly contender: string
  /** Of one operation, or of one item where an operation handles many. */
  nanoseconds: number
  /** Bytes that an operation (an item) passes through; 0 where that says nothing. */
  readonly bytes: number
  /** Of what the contenders of the subject found: equal for all of them. */
  digest: number
}

/** How much a family does: `scale` 1 for figures, far less for tests, which want all code to run. */
export interface Effort {
  readonly scale: number
  readonly rounds: number
}

export type Family = (effort: Effort) => Row[] | Promise<Row[]>

export interface Contender {
  readonly name: string
  /** Operations of a round. */
  readonly operations: number
  /** Operation number `i`, timed; what it returns is what it found, unless `result` tells that. */
  readonly operation: (i: number) => number
  /** What operation number `i` finds, for the comparison alone. */
  readonly result?: (i: number) => number
}

export interface Subject {
  readonly family: string
  readonly name: string
  readonly bytes?: number
  /** Items that one operation handles; 1 where left out. */
  readonly items?: number
}

/** Most operations that are compared before the clock starts. */
const COMPARED_MAX = 1000

/** Where the result of every timed operation ends up, so that none is left out. */
let sink = 0

/** Order-dependent, cheap. */
export function mix(digest: number, value: number): number {
  return (Math.imul(digest, 31) + value) >>> 0
}

/** A digest of bytes, for results of contenders that give bytes. */
export function digestOf(bytes: Uint8Array): number {
  let digest = bytes.length
  for (const byte of bytes) digest = (Math.imul(digest, 0x01000193) ^ byte) >>> 0
  return digest
}

/**
 * Times the contenders in turns.
 * @throws where they find different things
 */
export function race(subject: Subject, contenders: readonly Contender[], rounds: number): Row[] {
  const { family, name, bytes = 0, items = 1 } = subject
  const compared = Math.min(COMPARED_MAX, ...contenders.map(({ operations }) => operations))
  const rows = contenders.map(({ name: contender, operation, result = operation }): Row => {
    let digest = 0
    for (let i = 0; i < compared; i++) digest = mix(digest, result(i))
    return { family, subject: name, contender, bytes, nanoseconds: Infinity, digest }
  })
  const [first] = rows
  const other = rows.find(({ digest }) => digest !== first?.digest)
  if (other !== undefined) {
    throw new RangeError(`${name}: ${first?.contender} and ${other.contender} do not agree`)
  }
  for (let round = 0; round < rounds; round++) {
    for (const [i, { operation, operations }] of contenders.entries()) {
      const start = performance.now()
      let sum = 0
      for (let n = 0; n < operations; n++) sum = (sum + operation(n)) | 0
      const nanoseconds = ((performance.now() - start) * 1e6) / (operations * items)
      sink ^= sum
      const row = rows[i] as Row
      row.nanoseconds = Math.min(row.nanoseconds, nanoseconds)
    }
  }
  return rows
}

/** What all timed operations came to: no figure, but it keeps them alive. */
export function sunk(): number {
  return sink
}

/** Operations for about `milliseconds` at a guessed cost, so that slow contenders take no longer than fast ones. */
export function operationsFor(nanoseconds: number, { scale }: Effort, milliseconds = 60): number {
  return Math.max(1, Math.ceil((milliseconds * 1e6 * scale) / nanoseconds))
}

/** Rows as a table, each with how many times longer it takes than the kernel does. */
export function formatRows(rows: readonly Row[]): string {
  const kernels = new Map(
    rows.filter(({ contender }) => contender === 'kernel').map((row) => [row.subject, row]),
  )
  const head = ['subject', 'contender', 'ns', 'MB/s', 'times kernel', 'result']
  const lines = rows.map((row) => {
    const { subject, contender, nanoseconds, bytes, digest } = row
    const kernel = kernels.get(subject)
    const digits = nanoseconds < 100 ? 1 : 0
    return [
      subject,
      contender,
      nanoseconds.toFixed(digits),
      bytes === 0 ? '' : ((bytes * 1000) / nanoseconds).toFixed(0),
      kernel === undefined || kernel === row ? '' : (nanoseconds / kernel.nanoseconds).toFixed(2),
      digest.toString(16).padStart(8, '0'),
    ]
  })
  const table = [head, ...lines]
  const widths = head.map((_, i) => Math.max(...table.map((cells) => (cells[i] ?? '').length)))
  return table
    .map((cells) =>
      cells
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n')
}
