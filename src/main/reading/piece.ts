/**
 * A Buffer over a piece of memory: `new Piece(memory, offset, length)`. It is what `Buffer.subarray` makes, without its
 * checks and the getters that it asks: two are made for every row of a scan. Any thread.
 *
 * I1: an instance is a Buffer like any other.
 */

type PieceConstructor = new (memory: ArrayBufferLike, offset: number, length: number) => Buffer

/** The class that Node makes its Buffers with; its own methods find it like this, too. */
const NATIVE = (Buffer as unknown as { [Symbol.species]?: PieceConstructor })[Symbol.species]

function isSound(native: PieceConstructor | undefined): native is PieceConstructor {
  if (native === undefined) return false
  const piece = new native(new ArrayBuffer(4), 1, 2)
  return Buffer.isBuffer(piece) && piece.byteOffset === 1 && piece.length === 2
}

/** A JavaScript runtime that keeps its class to itself is asked in the usual way. */
const USUAL = function usual(memory: ArrayBufferLike, offset: number, length: number): Buffer {
  return Buffer.from(memory, offset, length)
} as unknown as PieceConstructor

export const Piece: PieceConstructor = isSound(NATIVE) ? NATIVE : USUAL
