// An iterator whose back end was used only after its front end yielded the last entry of the front twice.
import t from 'tap'
import { open } from '../../src/main/open.js'

for (const reverse of [false, true]) {
  t.test(reverse ? 'reverse' : 'forward', async (t) => {
    const tree = await open('/db', { fs: 'memory', maintenance: 'manual' })
    for (const key of ['a', 'b', 'c']) tree.insert(key, key)
    const [first, last] = reverse ? ['c', 'a'] : ['a', 'c']
    const one = tree.range({ gte: 'a', lt: 'b', reverse })
    t.equal(String(one.next().value?.[0]), 'a')
    t.equal(one.nextBack().done, true)
    const three = tree.range({ reverse })
    t.equal(String(three.next().value?.[0]), first)
    t.equal(String(three.next().value?.[0]), 'b')
    t.equal(String(three.nextBack().value?.[0]), last)
    t.equal(three.nextBack().done, true)
    await tree.close()
  })
}
