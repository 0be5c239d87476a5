/** The result of the peer bench as a page: the targets, the plots and the figures; and the plots alone, for other pages. */
import type { PeerOptions, PeerRow } from '../peers.js'
import type { Verdict } from '../targets.js'
import { type Bar, barChart, draw } from './charts.js'
import {
  formatDetails,
  formatPeers,
  mediansByEngine,
  VERDICT_HEAD,
  verdictCells,
} from './peer-tables.js'

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
      ...['readrandom', 'readmissing', 'multiget', 'readrandom-small-cache', 'readwhilewriting'],
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
  return [...pictures, ['peers.html', html(about, rows, verdicts, pictures)]]
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
  const { num, numSteady, rounds, cacheBytes } = about.options
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
<p>${num.toLocaleString('en-US')} entries of 16 + 100 bytes (steady: ${numSteady.toLocaleString('en-US')}), block cache
${cacheBytes / 2 ** 20} MiB, medians of ${rounds} rounds, nothing synced on a write.</p>
<h2>Targets</h2>
<table>
${row(VERDICT_HEAD, 'th')}
${verdicts.map((verdict) => row(verdictCells(verdict), 'td')).join('\n')}
</table>
<h2>Pictures</h2>
${pictures.map(([, svg]) => svg).join('\n')}
<h2>Figures</h2>
<pre>${escaped(formatPeers(rows))}</pre>
<pre>${escaped(formatDetails(rows))}</pre>
</html>
`
}
