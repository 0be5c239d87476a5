/** The zone map there and back, against the suite's own decoder, and hostile bytes. */
import t from 'tap'
import {
  type BlockZone,
  decodeZoneMap,
  encodeZoneMap,
  zoneBytes,
} from '../../../../src/shared/format/zone-map.js'
import { compareBytes } from '../../../../src/shared/kernel/reference/memtable.js'
import { decodeZoneMap as decodeAgain } from '../../../support/decoder/side-sections.js'
import { Random } from '../../../support/random.js'
import { codeOf } from '../../../support/trees.js'

const key = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

const ZONES: readonly BlockZone[] = [
  { offset: 0, rowCount: 3, min: key('a'), max: key('cc') },
  { offset: 100, rowCount: 1, min: key('cc'), max: key('cc') },
  { offset: 250, rowCount: 40, min: key('d'), max: key('zebra') },
]

const place = (itemCount = 44) => ({
  file: '/db/tables/1',
  offset: 4096,
  dataBytes: 300,
  itemCount,
  compare: compareBytes,
})

t.test('there and back, as the suite’s own decoder reads it', async (t) => {
  const payload = encodeZoneMap(ZONES)
  t.equal(
    payload.length,
    ZONES.reduce((sum, zone) => sum + zoneBytes(zone), 4),
  )
  t.same(decodeZoneMap(payload, place()), ZONES)
  const again = decodeAgain(payload, 'zone map')
  t.same(
    again.map(({ offset, columns: [column] }) => [
      Number(offset),
      column?.rows,
      String(column?.max),
    ]),
    ZONES.map(({ offset, rowCount, max }) => [offset, rowCount, String(max)]),
  )
})

t.test('what does not fit the table is refused', async (t) => {
  const refused = (zones: readonly BlockZone[], items = 44) =>
    codeOf(() => decodeZoneMap(encodeZoneMap(zones), place(items)))
  const [a, b, c] = ZONES as [BlockZone, BlockZone, BlockZone]
  t.equal(await refused(ZONES, 45), 'VARVE_INVALID_BLOCK', 'rows that are not the table’s')
  t.equal(await refused([a, { ...b, offset: 0 }, c]), 'VARVE_INVALID_BLOCK', 'offsets')
  t.equal(await refused([a, b, { ...c, offset: 300 }]), 'VARVE_INVALID_BLOCK', 'behind the data')
  t.equal(await refused([b, { ...a, offset: 200 }, c]), 'VARVE_INVALID_BLOCK', 'keys descend')
  t.equal(await refused([{ ...a, min: key('d') }, b, c]), 'VARVE_INVALID_BLOCK', 'min above max')
  t.equal(await refused([{ ...a, rowCount: 0 }, b, c]), 'VARVE_INVALID_BLOCK', 'no rows')
})

t.test('every cut and every flipped bit decodes, or is a coded error', async (t) => {
  const payload = encodeZoneMap(ZONES)
  for (let length = 0; length < payload.length; length++) {
    const code = await codeOf(() => decodeZoneMap(payload.subarray(0, length), place()))
    if (code !== 'VARVE_INVALID_BLOCK') t.fail(`${length}: ${code}`)
  }
  for (let bit = 0; bit < 8 * payload.length; bit++) {
    const flipped = Uint8Array.from(payload)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    const code = await codeOf(() => decodeZoneMap(flipped, place()))
    if (code !== undefined && !/^VARVE_(INVALID_BLOCK|UNSUPPORTED)$/.test(code)) {
      t.fail(`${bit}: ${code}`)
    }
  }
  const random = new Random(1)
  for (let i = 0; i < 2000; i++) {
    const code = await codeOf(() => decodeZoneMap(random.bytes(random.below(80)), place()))
    if (code !== undefined && !/^VARVE_(INVALID_BLOCK|UNSUPPORTED)$/.test(code)) t.fail(code)
  }
  t.pass()
})
