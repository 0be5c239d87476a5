/**
 * Code of the user's that must run in worker threads: comparators, merge operators, compaction filters, prefix
 * extractors. It is named by a reference that every thread can import, or given as a plain object, which works on the
 * thread it was made on only: jobs that need one run there. Any thread.
 *
 * The ones that ship are objects that carry their own reference, so they run anywhere.
 *
 * I1: what a reference names is checked before it is used; a wrong one is a TypeError that says what was looked for.
 */
import { typeError, VarveError } from '../base/errors.js'

/**
 * Where code is found: a module, and the name of what it exports. An exported function is called with `options` and
 * returns the object; anything else that is exported is the object itself.
 *
 * @example
 * ```ts
 * { module: new URL('./my-op.js', import.meta.url), export: 'sum', options: { cap: 100 } }
 * ```
 */
export interface ModuleReference {
  readonly module: URL | string
  /** Default `'default'`. */
  readonly export?: string
  /** Plain data: it travels to the workers. */
  readonly options?: unknown
}

/** An object of the kind `T`, or where to import one. */
export type UserCode<T extends object> = T | ModuleReference

/** A reference as a job carries it. */
export interface PlainReference {
  readonly module: string
  readonly export: string
  readonly options: unknown
}

/** The property under which an object says how another thread gets the same one: a {@link ModuleReference}. */
export const REFERENCE = Symbol.for('varve.reference')

function isReference(value: object): value is ModuleReference {
  if (!('module' in value)) return false
  const { module } = value
  return typeof module === 'string' || module instanceof URL
}

/**
 * How a worker gets `code`; undefined where it is a plain object that cannot leave its thread.
 * @throws TypeError where the module is a relative path: nobody could tell what it is relative to
 */
export function referenceOf(code: object): PlainReference | undefined {
  const reference = isReference(code)
    ? code
    : (code as { [REFERENCE]?: ModuleReference })[REFERENCE]
  if (reference === undefined) return undefined
  const module = String(reference.module)
  if (!/^[a-z][a-z0-9+.-]*:/i.test(module)) {
    throw typeError(
      `the module of a reference must be a URL, not ${module}; use new URL('./file.js', import.meta.url)`,
    )
  }
  return { module, export: reference.export ?? 'default', options: reference.options }
}

/** What is asked of an object: its methods, and what it is called in errors. */
export interface UserCodeKind {
  /** With its article: `a merge operator`. */
  readonly what: string
  readonly methods: readonly string[]
}

/** @throws TypeError where `value` lacks a method */
export function requireMethods(
  value: unknown,
  { what, methods }: UserCodeKind,
  where: string,
): object {
  const isMet =
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  if (isMet) return value
  throw typeError(`${where} must be ${what}: an object with the method ${methods.join(', ')}`)
}

/**
 * Imports what a reference names.
 * @throws TypeError where the export is missing or of another kind; VARVE_UNSUPPORTED where the module cannot be loaded
 */
export async function loadReference<T extends object>(
  reference: PlainReference,
  kind: UserCodeKind,
): Promise<T> {
  const { module, export: name, options } = reference
  let loaded: Record<string, unknown>
  try {
    loaded = (await import(module)) as Record<string, unknown>
  } catch (cause) {
    throw new VarveError('VARVE_UNSUPPORTED', `${module} could not be loaded: ${String(cause)}`, {
      details: { module, export: name },
      cause,
    })
  }
  const exported = loaded[name]
  if (exported === undefined) throw typeError(`${module} exports nothing named ${name}`)
  const value = typeof exported === 'function' ? await exported(options) : exported
  return requireMethods(value, kind, `${name} of ${module}`) as T
}

/** The object itself, imported where `code` is a reference. @throws as {@link loadReference} */
export async function resolveUserCode<T extends object>(
  code: UserCode<T>,
  kind: UserCodeKind,
  option: string,
): Promise<T> {
  if (typeof code === 'object' && code !== null && isReference(code)) {
    return loadReference<T>(referenceOf(code) as PlainReference, kind)
  }
  return requireMethods(code, kind, option) as T
}
