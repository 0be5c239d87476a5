/**
 * JSON Merge Patch (RFC 7396) on bytes, with patches joined where one patch can say what several do. Pure; every thread.
 *
 * I1: the bytes of a result depend on its value alone: members are sorted, nothing is between them.
 */

type Json = null | boolean | number | string | Json[] | JsonObject
type JsonObject = Map<string, Json>

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Members in maps: a name may be `__proto__`. @throws SyntaxError, TypeError for what is not JSON in UTF-8 */
function parse(bytes: Uint8Array): Json {
  return fromPlain(JSON.parse(decoder.decode(bytes)))
}

function fromPlain(value: unknown): Json {
  if (Array.isArray(value)) return value.map(fromPlain)
  if (typeof value !== 'object' || value === null) return value as Json
  return new Map(Object.entries(value).map(([name, member]) => [name, fromPlain(member)]))
}

function serialize(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(serialize).join(',')}]`
  if (!(value instanceof Map)) return JSON.stringify(value)
  const names = [...value.keys()].sort()
  const members = names.map(
    (name) => `${JSON.stringify(name)}:${serialize(value.get(name) as Json)}`,
  )
  return `{${members.join(',')}}`
}

/** MergePatch of RFC 7396, section 2. */
function apply(target: Json | undefined, patch: Json): Json {
  if (!(patch instanceof Map)) return patch
  const out: JsonObject = target instanceof Map ? new Map(target) : new Map()
  for (const [name, member] of patch) {
    if (member === null) out.delete(name)
    else out.set(name, apply(out.get(name), member))
  }
  return out
}

/** The patch that does what `first` and then `second` do to any document; undefined where there is none. */
function compose(first: Json, second: Json): Json | undefined {
  if (!(second instanceof Map)) return second
  // The first one puts something in place that the second one changes: a patch of objects only adds to what is there.
  if (!(first instanceof Map)) return undefined
  const out: JsonObject = new Map(first)
  for (const [name, member] of second) {
    const earlier = out.get(name)
    const joined =
      earlier === undefined || !(member instanceof Map) ? member : compose(earlier, member)
    if (joined === undefined) return undefined
    out.set(name, joined)
  }
  return out
}

/** The document that the patches make of `base`. @throws SyntaxError, TypeError for what is not JSON */
export function mergePatch(
  base: Uint8Array | undefined,
  patches: readonly Uint8Array[],
): Uint8Array {
  let document = base === undefined ? undefined : parse(base)
  for (const patch of patches) document = apply(document, parse(patch))
  return Buffer.from(serialize(document as Json))
}

/** One patch for several; undefined where none does the same. @throws SyntaxError, TypeError for what is not JSON */
export function partialPatch(patches: readonly Uint8Array[]): Uint8Array | undefined {
  let joined: Json | undefined
  for (const [i, patch] of patches.entries()) {
    joined = i === 0 ? parse(patch) : compose(joined as Json, parse(patch))
    if (joined === undefined) return undefined
  }
  return Buffer.from(serialize(joined as Json))
}
