/** An iterator used from the front only, and then from the back, yielded the last key of the front once more. */
import t from 'tap'
import { open } from '../../src/main/index.js'

t.test('the ends of an iterator never yield the same key twice', async (t) => {
  const tree = await open('/ends', { fs: 'memory' })
  const keys = ['a', 'b', 'c', 'd', 'e']
  for (const key of keys) tree.insert(key, key)
  for (const reverse of [false, true]) {
    for (let fromFront = 0; fromFront <= keys.length; fromFront++) {
      using it = tree.range({ reverse })
      const front = Array.from({ length: fromFront }, () => String(it.next().value?.[0]))
      const back: string[] = []
      for (let step = it.nextBack(); step.done !== true; step = it.nextBack()) {
        back.unshift(String(step.value[0]))
      }
      t.same(
        [...front, ...back],
        reverse ? [...keys].reverse() : keys,
        `${fromFront} from the front`,
      )
    }
  }
  await tree.close()
})
