/** Recorded programs: fixed texts of the kinds of mixes that have gone wrong in such engines, against the model. */

import t, { type Test } from 'tap'
import { processEnvironment } from '../../src/main/environment.js'
import { MemoryFileSystem } from '../../src/shared/fs/memory-file-system.js'
import { play, record } from './recording.js'

const { heap } = processEnvironment()
const heapAtStart = heap.usedBytes

async function check(t: Test, text: string, deepest: number): Promise<void> {
  for (const options of [{}, { blockSize: 4096, compression: 'lz4' as const }]) {
    const report = await play(text, { fs: new MemoryFileSystem(), ...options })
    t.equal(report.deepest, deepest, `${report.steps} steps, ${report.comparisons} comparisons`)
    t.equal(heap.usedBytes, heapAtStart, 'the shared memory is given back')
  }
}

// Inserts, flushes and compactions in turns; a key that moves down level by level while it is written anew.
const FIRST = `
insert a 1
insert c 1
flush
insert b 1
flush
compact
insert a 2
insert z 1
flush
compact
remove c
flush
insert c 3
remove a
seal
insert a 4
flush
compact now
major now
insert c 5
remove z
flush now
reopen
remove a
flush
compact
major
`

// The same few keys over and over; tombstones between values, in buffers sealed one by one.
const SECOND = `
insert k 1
remove k
insert k 2
seal
remove k
seal
insert k 3
insert l 3
seal
remove l
flush
remove k
seal
insert l 4
flush
down 0 4
insert k 5
flush
remove k
remove l
flush
down 0 3
pin
insert k 6
flush
major now
unpin
major now
remove k
insert l 7
seal
remove l
flush now
reopen
major now
`

// Leveled steps under watermarks that rise behind the writes.
const THIRD = `
insert aaaaa first
insert bbbbb first
insert ccccc first
flush
insert aaaaa second
insert ddddd second
flush
compact 2
insert bbbbb third
remove ccccc
flush 4
compact 5
insert eeeee fourth
insert aaaaa fourth
flush 6
insert ccccc fifth
flush
compact 7
remove aaaaa
remove eeeee
flush 9
compact 10
insert aaaaa sixth
flush
compact 12
compact 12
major 13
reopen
insert bbbbb seventh
flush 14
compact now
major now
`

// Range deletes over levels, with what is written again in them, and operands on both sides of them.
const FOURTH = `
insert a 1
insert m 1
insert z 1
flush
down 0 6
merge m 2
merge n 2
flush
range b n
merge m 3
flush
down 0 4
merge m 4
insert c 4
flush
range a d
seal
insert b 5
merge a 5
flush
compact
range m zz
merge z 6
pin
flush
down 0 2
merge m 7
flush now
major now
unpin
range a b
flush
major
reopen
merge b 8
range b c
merge b 9
seal
merge b 10
flush now
major now
`

// Weak deletes, each of one insert, while snapshots come and go; clearing in the midst.
const FIFTH = `
insert q1 1
insert q2 1
insert q3 1
weak q1
flush
weak q2
seal
insert q4 2
pin
weak q3
flush now
insert q5 3
flush
weak q4
weak q5
down 0 5
pin
insert q1 4
flush
unpin
compact now
weak q1
unpin
flush now
major now
insert q1 5
insert q2 5
flush
clear
insert q2 6
weak q2
flush now
insert q3 6
reopen
weak q3
flush
insert q3 7
flush
major now
`

t.test('`model_1`: inserts, flushes and compactions', (t) => check(t, FIRST, 6))
t.test('`model_2`: few keys, many tombstones, sealed buffers', (t) => check(t, SECOND, 6))
t.test('`model_3`: leveled steps under rising watermarks', (t) => check(t, THIRD, 6))
t.test('`model_4`: range deletes and operands', (t) => check(t, FOURTH, 6))
t.test('`model_5`: weak deletes and snapshots', (t) => check(t, FIFTH, 6))

t.test('`model_6`: a very long one, and some more', async (t) => {
  for (const seed of [6, 66]) await check(t, record(seed, 900), 6)
})
