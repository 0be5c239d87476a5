/** Draws by vega, without a browser: an SVG for each chart. Nothing but drawing needs the package. */

/** What the benches use of vega. */
interface Vega {
  readonly parse: (spec: object) => object
  readonly View: new (
    runtime: object,
    options: object,
  ) => { toSVG(): Promise<string>; finalize(): void }
}

/** A variable, so that the build does not ask for the package either. */
const PLOTTER: string = 'vega'

/** @throws where `npm install` has not brought vega */
export async function draw(spec: object): Promise<string> {
  const { parse, View } = (await import(PLOTTER)) as Vega
  const view = new View(parse(spec), { renderer: 'none' })
  const svg = await view.toSVG()
  view.finalize()
  return svg
}

export interface Titles {
  readonly title: string
  /** The command line, the machine and the date. */
  readonly subtitle: readonly string[]
}

const FRAME = { padding: 8, background: 'white' }

function titleOf({ title, subtitle }: Titles): object {
  return { text: title, subtitle, anchor: 'start', subtitleFontSize: 9, subtitleColor: '#666' }
}

export interface Bar {
  readonly group: string
  readonly series: string
  readonly value: number
}

/** Groups of horizontal bars on a logarithmic scale. */
export function barChart(titles: Titles, axis: string, bars: readonly Bar[]): object {
  const series = [...new Set(bars.map((bar) => bar.series))]
  const groups = [...new Set(bars.map((bar) => bar.group))]
  return {
    ...FRAME,
    width: 560,
    height: Math.max(40, groups.length * (series.length * 12 + 10)),
    title: titleOf(titles),
    data: [{ name: 'bars', values: bars }],
    scales: [
      { name: 'y', type: 'band', range: 'height', domain: groups, padding: 0.15 },
      {
        ...{ name: 'x', type: 'log', range: 'width', nice: true },
        domain: { data: 'bars', field: 'value' },
      },
      { name: 'color', type: 'ordinal', range: { scheme: 'tableau10' }, domain: series },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: axis, grid: true, tickCount: 6, format: '~s' },
      { orient: 'left', scale: 'y' },
    ],
    legends: [{ fill: 'color', labelLimit: 200 }],
    marks: [
      {
        type: 'group',
        from: { facet: { data: 'bars', name: 'facet', groupby: 'group' } },
        encode: { enter: { y: { scale: 'y', field: 'group' } } },
        signals: [{ name: 'height', update: "bandwidth('y')" }],
        scales: [{ name: 'position', type: 'band', range: 'height', domain: series }],
        marks: [
          {
            type: 'rect',
            from: { data: 'facet' },
            encode: {
              enter: {
                y: { scale: 'position', field: 'series' },
                height: { scale: 'position', band: 0.9 },
                x: { value: 0 },
                x2: { scale: 'x', field: 'value' },
                fill: { scale: 'color', field: 'series' },
              },
            },
          },
        ],
      },
    ],
  }
}

export interface Point {
  readonly series: string
  readonly x: number
  readonly y: number
}

/** Lines with points, both scales logarithmic. */
export function lineChart(
  titles: Titles,
  axes: { readonly x: string; readonly y: string },
  points: readonly Point[],
): object {
  const series = [...new Set(points.map((point) => point.series))]
  const scale = (name: string, range: string): object => ({
    ...{ name, type: 'log', range, nice: true },
    domain: { data: 'points', field: name },
  })
  const encoding = {
    x: { scale: 'x', field: 'x' },
    y: { scale: 'y', field: 'y' },
  }
  const color = { scale: 'color', field: 'series' }
  return {
    ...{ ...FRAME, width: 520, height: 300, title: titleOf(titles) },
    data: [{ name: 'points', values: points }],
    scales: [
      scale('x', 'width'),
      scale('y', 'height'),
      { name: 'color', type: 'ordinal', range: { scheme: 'tableau10' }, domain: series },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: axes.x, tickCount: 4, format: '~s' },
      { orient: 'left', scale: 'y', title: axes.y, grid: true, tickCount: 6, format: '~s' },
    ],
    legends: [{ stroke: 'color', symbolType: 'stroke', labelLimit: 300 }],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'lines', data: 'points', groupby: 'series' } },
        marks: [
          {
            type: 'line',
            from: { data: 'lines' },
            encode: { enter: { ...encoding, stroke: color, strokeWidth: { value: 1.5 } } },
          },
          {
            type: 'symbol',
            from: { data: 'lines' },
            encode: { enter: { ...encoding, fill: color, size: { value: 25 } } },
          },
        ],
      },
    ],
  }
}
