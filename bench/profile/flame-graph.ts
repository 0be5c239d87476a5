/**
 * A CPU profile as a flame graph: one SVG, readable in any browser without a script. Each box is a function under its
 * caller, as wide as the time in it and in what it called; hovering shows how much. Libraries that draw such graphs bring a
 * browser application, which a file in a report is not; the `.cpuprofile` beside it opens in those.
 */
import type { CallFrame, CpuProfile } from './thread-profiler.js'

const WIDTH = 1600
const ROW = 17
const MARGIN = 8
/** Boxes that are narrower tell nothing. */
const WIDTH_MIN = 0.7
const LETTER = 6.6
/** Waiting, which is no work. */
const IDLE = new Set(['(idle)', '(program)', 'atomicsWaitLoop'])

/** A function in one place of the tree, all its samples together. */
export interface Frame {
  readonly name: string
  readonly source: string
  /** Samples in it and in what it called; those in it alone. */
  total: number
  self: number
  readonly children: Map<string, Frame>
}

function sourceOf({ url, lineNumber }: CallFrame): string {
  if (url.startsWith('wasm://')) return 'kernel'
  const short = url.replace(/^.*\/(?=(?:build|node_modules)\/)/, '').replace(/^build\//, '')
  return short === '' ? '' : `${short}:${lineNumber + 1}`
}

/** The tree of a profile without the time that the thread waited. Recursion by the same place stays nested. */
export function frameTree({ nodes, samples = [] }: CpuProfile, name: string): Frame {
  const hits = new Map<number, number>()
  for (const id of samples) hits.set(id, (hits.get(id) ?? 0) + 1)
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const root: Frame = { name, source: '', total: 0, self: 0, children: new Map() }
  const add = (id: number, parent: Frame): void => {
    const node = byId.get(id)
    if (node === undefined || IDLE.has(node.callFrame.functionName)) return
    const { callFrame } = node
    const source = sourceOf(callFrame)
    const label = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName
    const key = `${label} ${source}`
    const fresh = { name: label, source, total: 0, self: 0, children: new Map() }
    const frame = parent.children.get(key) ?? fresh
    parent.children.set(key, frame)
    const self = hits.get(id) ?? 0
    frame.self += self
    for (const child of node.children ?? []) add(child, frame)
  }
  const [top] = nodes
  for (const child of top?.children ?? []) add(child, root)
  sum(root)
  return root
}

function sum(frame: Frame): number {
  frame.total = frame.self
  for (const child of frame.children.values()) frame.total += sum(child)
  return frame.total
}

/** The functions with the most time of their own, over all places that call them. */
export function hottest(
  root: Frame,
  count: number,
): { name: string; source: string; share: number }[] {
  const found = new Map<string, { name: string; source: string; self: number }>()
  const visit = (frame: Frame): void => {
    const key = `${frame.name} ${frame.source}`
    const entry = found.get(key) ?? { name: frame.name, source: frame.source, self: 0 }
    entry.self += frame.self
    found.set(key, entry)
    for (const child of frame.children.values()) visit(child)
  }
  visit(root)
  return [...found.values()]
    .sort((a, b) => b.self - a.self)
    .slice(0, count)
    .map(({ name, source, self }) => ({ name, source, share: self / Math.max(1, root.total) }))
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

/** Kernels blue, the engine warm, Node and packages grey. */
function colourOf({ name, source }: Frame): string {
  let hash = 0
  for (const letter of name) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0
  const light = 62 + (hash % 14)
  if (source === 'kernel') return `hsl(${205 + (hash % 20)} 70% ${light}%)`
  if (source.startsWith('src/')) return `hsl(${20 + (hash % 30)} 85% ${light}%)`
  if (source.startsWith('bench/')) return `hsl(120 30% ${light}%)`
  return `hsl(0 0% ${light + 12}%)`
}

/** One graph for each tree, one above the other. */
export function flameGraph(trees: readonly Frame[], title: string): string {
  const boxes: string[] = []
  let top = 2 * ROW
  for (const root of trees) {
    let deepest = 0
    const draw = (frame: Frame, x: number, depth: number): void => {
      const width = (frame.total / Math.max(1, root.total)) * (WIDTH - 2 * MARGIN)
      if (width < WIDTH_MIN) return
      deepest = Math.max(deepest, depth)
      const y = top + depth * ROW
      const share = ((100 * frame.total) / Math.max(1, root.total)).toFixed(1)
      const letters = Math.floor(width / LETTER)
      const label = letters < 3 ? '' : escaped(frame.name.slice(0, letters))
      boxes.push(
        `<g><title>${escaped(`${frame.name} ${frame.source}`)} ${share} %</title>` +
          `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" ` +
          `fill="${depth === 0 ? '#ddd' : colourOf(frame)}"/>` +
          `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${label}</text></g>`,
      )
      let left = x
      const children = [...frame.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
      for (const child of children) {
        draw(child, left, depth + 1)
        left += (child.total / Math.max(1, root.total)) * (WIDTH - 2 * MARGIN)
      }
    }
    draw(root, MARGIN, 0)
    top += (deepest + 2) * ROW
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" `,
    'font-family="monospace" font-size="11">\n',
    `<rect width="100%" height="100%" fill="#fff"/><text x="${MARGIN}" y="16" `,
    `font-size="13">${escaped(title)}</text>\n${boxes.join('\n')}\n</svg>\n`,
  ].join('')
}
