/**
 * Runs the built tests: one line a file while they run, and at the end whatever a file that failed had to say, seeds
 * included. Arguments go to tap: `node scripts/test.mjs build/test/model/model.test.js`. The whole output is left in
 * `.tap/last.tap`.
 */
import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Ends the block of a file. */
const FILE_ENDS = /^(not )?ok \d+ - (\S+)(?:.*# time=([\d.]+)ms)?/

/** What passed, and plans: no news in a block that failed. */
const PASSED = /^\s*(ok \d+|1\.\.\d+$|# Subtest: |$)/

mkdirSync('.tap', { recursive: true })
const copy = createWriteStream('.tap/last.tap')
const args = ['--no-install', 'tap', '--reporter=tap', ...process.argv.slice(2)]
const tap = spawn('npx', args, { stdio: ['ignore', 'pipe', 'inherit'] })

const failed = []
let block = []
let files = 0
for await (const line of createInterface({
  input: tap.stdout,
  crlfDelay: Number.POSITIVE_INFINITY,
})) {
  copy.write(`${line}\n`)
  const [, isNot, file, time] = FILE_ENDS.exec(line) ?? []
  // Behind the last file comes the count of everything.
  if (/^# (?!Subtest: )/.test(line)) console.log(line)
  block.push(line)
  if (file === undefined) continue
  files++
  const seconds = time === undefined ? '' : `  ${(Number(time) / 1000).toFixed(1)} s`
  console.log(`${isNot === undefined ? 'ok    ' : 'FAILED'} ${file}${seconds}`)
  if (isNot !== undefined) failed.push(block)
  block = []
}

const code = await new Promise((resolve) => {
  if (tap.exitCode !== null || tap.signalCode !== null) resolve(tap.exitCode ?? 1)
  else tap.on('exit', (exit) => resolve(exit ?? 1))
})
copy.end()
for (const lines of failed) {
  console.log(`\n${'─'.repeat(100)}`)
  for (const line of lines) if (!PASSED.test(line)) console.log(line)
}
console.log(`\n${files} files, ${failed.length} failed`)
process.exitCode = files === 0 ? 1 : code
