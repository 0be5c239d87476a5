/**
 * A kernel that can be stopped: the module with a call of a hook around atomic accesses (all but loads and exchanges of 64
 * bits). In the hook a test runs
 * other operations on the same memory, which makes any interleaving of writer and reader a plain, repeatable program
 * of one thread. (It shows orders of whole accesses, not what a weaker memory might reorder.)
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { Kernel } from '../../src/shared/kernel/kernel.js'

/** The little of binaryen, the compiler's own back end, that is needed. */
interface Binaryen {
  readBinary(bytes: Uint8Array): { emitText(): string; setFeatures(features: number): void }
  parseText(text: string): {
    setFeatures(features: number): void
    emitBinary(): Uint8Array
  }
  Features: { All: number }
}

export interface Hooks {
  /** After each atomic store. */
  stored(): void
  /** After each atomic load, and each exchange. */
  loaded(): void
}

const compilerRequire = createRequire(
  createRequire(import.meta.url).resolve('assemblyscript/package.json'),
)

/** The index right behind the expression that opens at `start`. */
function expressionEnd(text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    if (text[i] === '(') depth++
    if (text[i] === ')' && --depth === 0) return i + 1
  }
  throw new RangeError('unbalanced module text')
}

/** Wraps every atomic load and store, the inner ones of nested ones too. */
function wrapAtomics(text: string): string {
  const pattern = /\((?:i32\.atomic\.(?:rmw\.)?|i64\.atomic\.(?=store))(load|store|cmpxchg)\b/g
  let out = ''
  let from = 0
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const end = expressionEnd(text, match.index)
    // Without its opening parenthesis, so that the search goes on inside it.
    const access = `(${wrapAtomics(text.slice(match.index + 1, end))}`
    out += text.slice(from, match.index)
    out += match[1] === 'store' ? `(block ${access} (call $stored))` : `(call $loaded ${access})`
    from = end
    pattern.lastIndex = end
  }
  return out + text.slice(from)
}

/** An instance of the kernel over `memory` that calls `hooks`. */
export async function pausedKernel(memory: WebAssembly.Memory, hooks: Hooks): Promise<Kernel> {
  const url = pathToFileURL(compilerRequire.resolve('binaryen')).href
  const binaryen = ((await import(url)) as { default: Binaryen }).default
  const wasm = readFileSync(new URL('../../src/shared/kernel/kernel.wasm', import.meta.url))
  const original = binaryen.readBinary(wasm)
  original.setFeatures(binaryen.Features.All)
  const imports =
    '(import "env" "stored" (func $stored)) ' +
    '(import "env" "loaded" (func $loaded (param i32) (result i32)))'
  const text = wrapAtomics(original.emitText()).replace('(import ', `${imports} (import `)
  const changed = binaryen.parseText(text)
  changed.setFeatures(binaryen.Features.All)
  const module = new WebAssembly.Module(changed.emitBinary())
  const env = {
    memory,
    stored: () => hooks.stored(),
    loaded: (value: number) => {
      hooks.loaded()
      return value
    },
  }
  return new WebAssembly.Instance(module, { env }).exports as unknown as Kernel
}
