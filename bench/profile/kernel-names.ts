/**
 * Gives the functions of the kernel modules their names in a profile. The modules that ship have none; the build keeps them
 * beside the benches (`scripts/build.mjs`). Which of the modules a frame is of, its function count and the profile do not
 * tell, so the first one, which nearly all work runs in, is taken for all that are not known otherwise.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { CallFrame, CpuProfile } from './thread-profiler.js'

const UNNAMED = /^(?:wasm-function\[)?(\d+)\]?$/

/** Names by function number, as the build left them; none where it was not built. */
function kernelNames(): ReadonlyMap<number, string> {
  const file = new URL('../kernel-names/kernel.json', import.meta.url)
  if (!existsSync(file)) return new Map()
  const names = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>
  return new Map(Object.entries(names).map(([number, name]) => [Number(number), name]))
}

/** The profile with every kernel function under its name in the sources. */
export function withKernelNames(profile: CpuProfile): CpuProfile {
  const names = kernelNames()
  const named = (frame: CallFrame): CallFrame => {
    if (!frame.url.startsWith('wasm://')) return frame
    const number = UNNAMED.exec(frame.functionName)?.[1]
    const name = number === undefined ? undefined : names.get(Number(number))
    return name === undefined ? frame : { ...frame, functionName: name }
  }
  return {
    ...profile,
    nodes: profile.nodes.map((node) => ({ ...node, callFrame: named(node.callFrame) })),
  }
}
