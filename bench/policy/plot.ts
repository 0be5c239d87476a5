/**
 * The three costs of compaction policies over time, as pictures: an SVG each, drawn by vega without a browser.
 */
import { draw } from '../macro/charts.js'
import type { PolicyPoint, PolicyRow } from './simulate.js'

type Cost = 'write' | 'space' | 'read'

const TITLES: Readonly<Record<Cost, string>> = {
  write: 'write amplification: bytes written per byte flushed',
  space: 'space amplification: bytes stored per byte of the newest entries',
  read: 'read amplification: sorted runs',
}

/** Flushes that one point of a line stands for, by its mean: single flushes only flicker. */
const FLUSHES_A_POINT = 10

function smoothed(
  points: readonly PolicyPoint[],
  cost: Cost,
): { flushes: number; value: number }[] {
  const step = Math.max(1, Math.min(FLUSHES_A_POINT, Math.floor(points.length / 4)))
  const found = []
  for (let from = 0; from + step <= points.length; from += step) {
    const part = points.slice(from, from + step)
    const value = part.reduce((sum, point) => sum + point[cost], 0) / step
    found.push({ flushes: from + step, value })
  }
  return found
}

function specOf(cost: Cost, rows: readonly PolicyRow[]): object {
  const values = rows.flatMap(({ policy, points }) =>
    smoothed(points, cost).map((point) => ({ policy, ...point })),
  )
  return {
    ...{ width: 560, height: 300, padding: 8, background: 'white' },
    title: {
      text: TITLES[cost],
      subtitle: 'node build/bench/policy/simulate.js docs/benchmarks',
      anchor: 'start',
    },
    data: [{ name: 'points', values }],
    scales: [
      { name: 'x', type: 'linear', range: 'width', domain: { data: 'points', field: 'flushes' } },
      {
        ...{ name: 'y', type: 'linear', range: 'height', nice: true, zero: true },
        domain: { data: 'points', field: 'value' },
      },
      {
        ...{ name: 'color', type: 'ordinal', range: { scheme: 'tableau10' } },
        domain: rows.map(({ policy }) => policy),
      },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'flushes' },
      { orient: 'left', scale: 'y', grid: true },
    ],
    legends: [{ stroke: 'color', symbolType: 'stroke', labelLimit: 300 }],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'lines', data: 'points', groupby: 'policy' } },
        marks: [
          {
            type: 'line',
            from: { data: 'lines' },
            encode: {
              enter: {
                x: { scale: 'x', field: 'flushes' },
                y: { scale: 'y', field: 'value' },
                stroke: { scale: 'color', field: 'policy' },
                strokeWidth: { value: 1.5 },
              },
            },
          },
        ],
      },
    ],
  }
}

/** One picture for each cost. @throws where `npm install` has not brought vega */
export async function plot(rows: readonly PolicyRow[]): Promise<[name: Cost, svg: string][]> {
  const pictures: [Cost, string][] = []
  for (const cost of ['write', 'space', 'read'] as const)
    pictures.push([cost, await draw(specOf(cost, rows))])
  return pictures
}
