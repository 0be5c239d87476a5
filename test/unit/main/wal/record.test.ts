/** Bodies of log records: every type there and back, and hostile ones under a right checksum. */
import t from 'tap'
import { WriteBatch } from '../../../../src/main/index.js'
import { decodeBody, type LogRecord, RecordType } from '../../../../src/main/wal/record.js'
import {
  batchRequest,
  keyRequest,
  pairRequest,
  prefixRequest,
  rangeRequest,
  type WriteRequest,
} from '../../../../src/main/wal/write-request.js'
import { codeOf } from '../../../support/trees.js'

const ORIGIN = { file: '/db/wal/0000000001.wal', offset: 48 }

function bodyOf(request: WriteRequest, seqno: number): Buffer {
  const body = Buffer.alloc(9 + request.length)
  body[0] = request.type
  body.writeBigUInt64LE(BigInt(seqno), 1)
  request.fill(body, 9)
  return body
}

const REQUESTS: readonly WriteRequest[] = [
  pairRequest(RecordType.Insert, 'key', Buffer.from('value')),
  pairRequest(RecordType.Insert, Buffer.from('key'), ''),
  keyRequest(RecordType.Remove, 'key'),
  keyRequest(RecordType.RemoveWeak, 'key'),
  pairRequest(RecordType.Merge, 'kéy', 'operand'),
  rangeRequest('', 'end'),
  prefixRequest('pre'),
  batchRequest(
    new WriteBatch()
      .insert('a', '1')
      .remove('b')
      .removeWeak('c')
      .merge('d', '2')
      .removeRange('e', 'f'),
  ),
]

t.test('every type there and back', async (t) => {
  const shows = ({ type, seqno, first, second, operations }: LogRecord) => [
    type,
    seqno,
    String(first),
    String(second),
    operations.map((o) => `${o.type} ${o.first} ${o.second}`),
  ]
  const seqno = 2 ** 53 - 2
  t.same(
    REQUESTS.map((request) => shows(decodeBody(bodyOf(request, seqno), ORIGIN))),
    [
      [1, seqno, 'key', 'value', []],
      [1, seqno, 'key', '', []],
      [2, seqno, 'key', '', []],
      [3, seqno, 'key', '', []],
      [4, seqno, 'kéy', 'operand', []],
      [5, seqno, '', 'end', []],
      [6, seqno, 'pre', '', []],
      [7, seqno, '', '', ['1 a 1', '2 b ', '3 c ', '4 d 2', '5 e f']],
    ],
  )
})

t.test('a cut or changed body decodes, or is a coded error with its place', async (t) => {
  let refused = 0
  for (const request of REQUESTS) {
    const body = bodyOf(request, 7)
    const variants = [
      ...Array.from({ length: body.length - 1 }, (_, i) => body.subarray(0, i + 1)),
      ...Array.from({ length: 8 * body.length }, (_, bit) => {
        const flipped = Buffer.from(body)
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
        return flipped
      }),
    ]
    for (const variant of variants) {
      const code = await codeOf(() => decodeBody(variant, ORIGIN))
      if (code === undefined) continue
      refused++
      if (!/^VARVE_(INVALID_TAG|INVALID_BLOCK|UNSUPPORTED)$/.test(code)) t.fail(code)
    }
  }
  t.ok(refused > 200)
})

t.test('a batch that promises more than it holds takes no memory for it', async (t) => {
  const body = bodyOf(batchRequest(new WriteBatch().insert('a', '1')), 1)
  body.writeUInt32LE(0xffff_ffff, 9)
  t.equal(await codeOf(() => decodeBody(body, ORIGIN)), 'VARVE_INVALID_BLOCK')
})
