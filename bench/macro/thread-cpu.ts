/**
 * CPU seconds of the threads of this process, and of the whole machine, where the system tells them (Linux): what wall time
 * cannot say on a machine that others use too.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

const TICKS_A_SECOND = 100

/** CPU seconds of each thread so far, by its id; empty where nobody tells. */
function threadSeconds(): Map<string, number> {
  const seconds = new Map<string, number>()
  try {
    for (const id of readdirSync('/proc/self/task')) {
      const text = readFileSync(`/proc/self/task/${id}/stat`, 'latin1')
      // Behind the name, which may hold anything: fields 14 and 15 are user and system time.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
      seconds.set(id, (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND)
    }
  } catch {
    // Another system, or a thread that has just ended.
  }
  return seconds
}

function machineSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0) / 1000
}

export interface CpuUse {
  /** Of the thread that measures. */
  readonly main: number
  /** Of all other threads of the process. */
  readonly others: number
  /** Of the thread that used most among them. */
  readonly busiest: number
  /** Of other processes. */
  readonly strangers: number
}

/** Begins to measure; the result ends it. */
export function measureCpu(): () => CpuUse {
  const threads = threadSeconds()
  const machine = machineSeconds()
  return () => {
    const mainId = String(process.pid)
    const uses = [...threadSeconds()].map(
      ([id, seconds]) => [id, seconds - (threads.get(id) ?? 0)] as const,
    )
    const main = uses.find(([id]) => id === mainId)?.[1] ?? 0
    const others = uses.filter(([id]) => id !== mainId).map(([, seconds]) => seconds)
    const sum = others.reduce((total, seconds) => total + seconds, 0)
    const strangers = Math.max(0, machineSeconds() - machine - main - sum)
    return { main, others: sum, busiest: Math.max(0, ...others), strangers }
  }
}
