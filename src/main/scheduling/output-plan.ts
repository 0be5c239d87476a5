/**
 * Turns a tree's settings into the plan by which a job writes tables of one level (semantics.md 16.4). Pure but for the
 * ids it takes. Main thread.
 */
import { LEVEL_COUNT } from '../../shared/base/limits.js'
import type { OutputPlan } from '../../shared/jobs/jobs.js'
import type { TableShape } from '../../shared/table/table-writer.js'
import { atLevel } from '../options.js'
import type { TreeCore } from '../tree-core.js'

/** What a table's meta block names as its writer. */
const WRITER_VERSION = 'varve 0.1.0'

/** Ids beyond what the input's size asks for: outputs may come out larger, or end early for their filters. */
const SPARE_TABLE_IDS = 16

/** The shape of tables for `destination`; most policies are looked up at the logical level `canonical`. */
export function tableShape(core: TreeCore, destination: number, canonical: number): TableShape {
  const { settings, runtime } = core
  const isLast = destination === LEVEL_COUNT - 1
  const bits = atLevel(settings.filterBits, destination)
  return {
    blockSize: atLevel(settings.blockSize, canonical),
    restartInterval: atLevel(settings.restartInterval, canonical),
    indexRestartInterval: atLevel(settings.indexRestartInterval, canonical),
    hashRatio: atLevel(settings.hashRatio, canonical),
    compression: atLevel(settings.compression, canonical),
    indexCompression: atLevel(settings.indexCompression, canonical),
    filter: {
      bits: isLast && settings.expectPointReadHits ? 0 : bits,
      format: settings.filterFormat,
      isPartitioned: atLevel(settings.filterPartitioning, canonical),
    },
    indexSpillBytes: runtime.indexPartitionSpillThreshold,
    hasSeqnoBounds: runtime.seqnoInIndex,
    hasZoneMap: runtime.zoneMap,
    initialLevel: destination,
    writerVersion: WRITER_VERSION,
    syncMode: settings.syncMode,
  }
}

/** The plan for a job that reads about `inputBytes`. */
export function outputPlan(
  core: TreeCore,
  level: { readonly destination: number; readonly canonical: number },
  targetBytes: number,
  inputBytes: number,
): OutputPlan {
  const tableIdCount = SPARE_TABLE_IDS + 2 * Math.ceil(inputBytes / targetBytes)
  return {
    folder: core.tablesFolder(),
    firstTableId: core.takeTableIds(tableIdCount),
    tableIdCount,
    targetBytes,
    shape: tableShape(core, level.destination, level.canonical),
    createdAtNs: BigInt(Math.trunc(core.settings.clock())) * 1_000_000n,
  }
}
