// An addon that was not built is told as missing; one that was is there.
import t from 'tap'
import { loadAddon } from '../../../../src/shared/base/addon.js'

t.test('an addon that does not exist is missing, and nothing is thrown', async (t) => {
  t.equal(loadAddon('no-such-addon'), undefined)
})

t.test('what was built has its function', async (t) => {
  const addon = loadAddon<{ read?: unknown }>('read')
  if (addon === undefined) return t.pass('it was not built on this machine')
  t.type(addon.read, 'function')
})
