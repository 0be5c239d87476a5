/**
 * The few WebAssembly names that the engine uses: Node's type package of our lowest Node version leaves them to the
 * browser library, which would bring a whole browser along.
 */
export {}

declare global {
  namespace WebAssembly {
    class Memory {
      constructor(descriptor: { initial: number; maximum: number; shared: true })
      readonly buffer: SharedArrayBuffer
    }
    class Module {
      constructor(bytes: Uint8Array)
      static exports(module: Module): { name: string; kind: string }[]
      static imports(module: Module): { module: string; name: string; kind: string }[]
    }
    class Instance {
      constructor(module: Module, imports: Record<string, Record<string, unknown>>)
      readonly exports: Record<string, unknown>
    }
  }
}
