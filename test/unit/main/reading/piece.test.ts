/** Pieces: Buffers over memory of the caller's. */
import t from 'tap'
import { Piece } from '../../../../src/main/reading/piece.js'

t.test('a piece is a Buffer over the memory that it was made of', async (t) => {
  const memory = Buffer.from('0123456789')
  const piece = new Piece(memory.buffer, memory.byteOffset + 2, 3)
  t.ok(Buffer.isBuffer(piece))
  t.equal(piece.toString('latin1'), '234')
  memory[3] = 0x78
  t.equal(piece.toString('latin1'), '2x4')
  t.same(piece, memory.subarray(2, 5))
})

t.test('a piece may be empty', async (t) => {
  t.equal(new Piece(new ArrayBuffer(8), 8, 0).length, 0)
})
