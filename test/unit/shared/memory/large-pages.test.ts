/** Advice for large pages: memory works with it and without. */
import t from 'tap'
import { useLargePages } from '../../../../src/shared/memory/large-pages.js'

t.test('memory keeps what is in it and takes more, whatever the system says', async (t) => {
  const pages = 128
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  const bytes = Buffer.from(memory.buffer)
  bytes.fill(7, 0, 100)
  t.type(useLargePages(bytes), 'boolean')
  bytes.fill(8, bytes.length - 100)
  t.ok(bytes.subarray(0, 100).every((byte) => byte === 7))
  t.equal(bytes.at(-1), 8)
  t.equal(bytes[200], 0)
})

t.test('memory without a whole page is left alone', async (t) => {
  t.equal(useLargePages(Buffer.alloc(16)), false)
})
