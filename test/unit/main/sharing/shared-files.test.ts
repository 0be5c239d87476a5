/** Files of a shared tree are opened while it is open, and never afterwards, when their names may be others'. */
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { SharedFiles } from '../../../../src/main/sharing/shared-files.js'
import { SHARE_BYTES } from '../../../../src/shared/kernel/layout-sharing.js'
import { ShareWords } from '../../../../src/shared/memory/share-words.js'
import { codeOf } from '../../../support/trees.js'
import { testWorkspace } from '../../../support/workspace.js'

t.test('a file opens while the tree is open', async (t) => {
  const { shared, heap } = testWorkspace(1)
  const share = new ShareWords(shared, heap.allocate(SHARE_BYTES))
  share.clear()
  const files = new SharedFiles(share, 'db')
  const path = `${t.testdir()}/0`
  writeFileSync(path, 'a table')
  const file = files.openRead(path)
  t.equal(await codeOf(() => files.openRead(`${path}x`)), 'VARVE_IO')
  share.close()
  t.equal(file.size(), 7, 'one that is open stays')
  file.close()
  t.equal(await codeOf(() => files.openRead(path)), 'VARVE_CLOSED', 'it may be another tree’s')
  t.equal(await codeOf(() => files.openRead(`${path}x`)), 'VARVE_CLOSED', 'it went with the tree')
})
