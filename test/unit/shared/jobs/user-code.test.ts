/** References to user code: what another thread can import, and what is said where it cannot. */
import { Worker } from 'node:worker_threads'
import t from 'tap'
import {
  loadReference,
  type PlainReference,
  REFERENCE,
  referenceOf,
  resolveUserCode,
} from '../../../../src/shared/jobs/user-code.js'

const KIND = { what: 'a doubler', methods: ['double'] }
const SOURCE =
  'export function times(options) { return { double: (n) => n * 2 * (options?.factor ?? 1) } }\n' +
  'export const plain = { double: (n) => n + n }\nexport default plain\nexport const wrong = { triple() {} }'
const module = `data:text/javascript,${encodeURIComponent(SOURCE)}`

interface Doubler {
  double(n: number): number
}

t.test('a function that is exported makes the object, anything else is it', async (t) => {
  const reference = { module, export: 'times', options: { factor: 5 } }
  const made = await resolveUserCode<Doubler>(reference, KIND, 'doubler')
  t.equal(made.double(1), 10)
  t.equal(
    (await resolveUserCode<Doubler>({ module, export: 'plain' }, KIND, 'doubler')).double(2),
    4,
  )
  t.equal((await resolveUserCode<Doubler>({ module }, KIND, 'doubler')).double(3), 6, 'the default')
  const own: Doubler = { double: (n) => n }
  t.equal(await resolveUserCode<Doubler>(own, KIND, 'doubler'), own)
})

t.test('a plain reference survives the way to another thread', async (t) => {
  const reference = referenceOf({
    module: new URL(module),
    export: 'times',
    options: { factor: 2 },
  })
  t.same(structuredClone(reference), { module, export: 'times', options: { factor: 2 } })
  const script = `const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.module).then((m) => parentPort.postMessage(m[workerData.export](workerData.options).double(4)))`
  const worker = new Worker(script, { eval: true, workerData: reference })
  const answer = await new Promise((resolve) => worker.once('message', resolve))
  await worker.terminate()
  t.equal(answer, 16)
})

t.test('an object may carry its reference; one that does not stays where it is', async (t) => {
  const carrying = { double: (n: number) => n, [REFERENCE]: { module, export: 'plain' } }
  t.same(referenceOf(carrying), { module, export: 'plain', options: undefined })
  t.equal(referenceOf({ double: (n: number) => n }), undefined)
})

t.test('what is wrong is said', async (t) => {
  const load = (reference: Partial<PlainReference>): Promise<unknown> =>
    loadReference({ module, export: 'plain', options: undefined, ...reference }, KIND)
  await t.rejects(load({ export: 'missing' }), {
    name: 'TypeError',
    message: /nothing named missing/,
  })
  await t.rejects(load({ export: 'wrong' }), { name: 'TypeError', message: /method double/ })
  await t.rejects(load({ module: 'file:///nowhere/none.js' }), { code: 'VARVE_UNSUPPORTED' })
  t.throws(() => referenceOf({ module: './relative.js' }), { message: /import\.meta\.url/ })
  await t.rejects(resolveUserCode({} as Doubler, KIND, 'doubler'), {
    message: /^doubler must be a doubler/,
  })
})
