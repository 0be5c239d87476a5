/** The result of the peer bench as a page: the targets, the plots and the figures; and the plots alone, for other pages. */
import type { PeerOptions, PeerRow } from '../peers.js'
import type { Verdict } from '../targets.js'
import { type Bar, barChart, draw } from './charts.js'
import { detailLines, mediansByEngine, peerLines, verdictLines } from './peer-tables.js'
import { align, markdown } from './report.js'

export interface About {
  readonly command: string
  readonly machine: string
  readonly date: string
  readonly samplingNs: number
  readonly options: PeerOptions
}

/** What belongs into one picture, of the workloads of the main part. */
const PICTURES = {
  'peers-write': {
    title: 'writes',
    workloads: ['fillseq', 'fillrandom', 'fillrandom+idle', 'overwrite'],
  },
  'peers-read': {
    title: 'reads of single keys',
    workloads: [
      ...['readrandom', 'readmissing', 'multiget', 'readrandom-small-cache'],
      ...['readwhilewriting', 'readrandomwriterandom'],
    ],
  },
  'peers-scan': { title: 'scans', workloads: ['readseq', 'readreverse', 'seekrandom'] },
} as const

/** The files of the page, by name. @throws where vega is not installed */
export async function peersPage(
  about: About,
  rows: readonly PeerRow[],
  verdicts: readonly Verdict[],
): Promise<[name: string, content: string][]> {
  const pictures: [string, string][] = []
  const medians = mediansByEngine(rows)
  for (const [name, { title, workloads }] of Object.entries(PICTURES)) {
    const bars: Bar[] = workloads.flatMap((workload) =>
      Array.from(medians.get(`main: ${workload}`) ?? [], ([series, row]) => ({
        ...{ group: workload, series },
        value: 1e9 / row.wallNs,
      })),
    )
    if (bars.length === 0) continue
    const titles = {
      title: `${title}: operations a second, more is better`,
      subtitle: [about.command, `${about.machine}, ${about.date}`],
    }
    pictures.push([`${name}.svg`, await draw(barChart(titles, 'operations a second', bars))])
  }
  return [
    ...pictures,
    ['peers.html', html(about, rows, verdicts, pictures)],
    ['peers.md', page(about, rows, verdicts, pictures)],
  ]
}

function setting({ options, samplingNs }: About): string {
  const { num, numSteady, rounds, cacheBytes } = options
  const [entries, steady] = [num, numSteady].map((count) => count.toLocaleString('en-US'))
  return (
    `${entries} entries of 16 + 100 bytes (steady: ${steady}), block cache ${cacheBytes / 2 ** 20} MiB, medians of ` +
    `${rounds} rounds, nothing synced on a write; sampling latencies adds ${samplingNs.toFixed(0)} ns to an operation.`
  )
}

/** The page that other pages of the documentation link to. */
function page(
  about: About,
  rows: readonly PeerRow[],
  verdicts: readonly Verdict[],
  pictures: readonly [string, string][],
): string {
  return `# varve and its peers

\`${about.command}\`, ${about.machine}, ${about.date}. ${setting(about)}

## Targets

A ratio is the median of the rounds' ratios; above 1 varve is better.

${markdown(verdictLines(verdicts))}

## Side by side

${markdown(peerLines(rows))}

${pictures.map(([name]) => `![${name.replace('.svg', '')}](${name})`).join('\n')}

## Latencies, memory, bytes

${markdown(detailLines(rows))}
`
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function html(
  about: About,
  rows: readonly PeerRow[],
  verdicts: readonly Verdict[],
  pictures: readonly [string, string][],
): string {
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>varve and its peers</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: 0.1rem 0.8rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr:nth-child(even) { background: #f4f4f4 }
pre { overflow-x: auto; font-size: 12px }
</style>
<h1>varve and its peers</h1>
<p><code>${escaped(about.command)}</code><br>${escaped(about.machine)}, ${about.date}</p>
<p>${setting(about)}</p>
<h2>Targets</h2>
<table>
${verdictLines(verdicts)
  .map((cells, i) => row(cells, i === 0 ? 'th' : 'td'))
  .join('\n')}
</table>
<h2>Pictures</h2>
${pictures.map(([, svg]) => svg).join('\n')}
<h2>Figures</h2>
<pre>${escaped(align(peerLines(rows)))}</pre>
<pre>${escaped(align(detailLines(rows)))}</pre>
</html>
`
}
