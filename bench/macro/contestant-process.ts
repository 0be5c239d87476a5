/** The process of one engine of the peer bench: it runs what it is told, a workload at a time, and answers with figures. */
import type { ChildAnswer, ChildRequest } from './contestant.js'
import { Stage } from './stage.js'
import { STORE_KINDS } from './stores/index.js'
import { workloadNamed } from './workloads/index.js'

let stage: Stage | undefined

async function answer(request: ChildRequest): Promise<ChildAnswer | undefined> {
  if ('setup' in request) {
    const { engine, folder, options } = request.setup
    const kind = STORE_KINDS.find(({ name }) => name === engine)
    if (kind === undefined) throw new RangeError(`no engine ${engine}`)
    stage = new Stage(kind, folder, options)
    return undefined
  }
  if ('end' in request) {
    await stage?.close()
    process.disconnect()
    return undefined
  }
  return { rows: await stage?.run(workloadNamed(request.run)) }
}

process.on('message', (request: ChildRequest) => {
  answer(request)
    .catch((error: Error): ChildAnswer => ({ error: error.stack ?? error.message }))
    .then((result) => {
      if (result !== undefined) process.send?.(result)
    })
})
