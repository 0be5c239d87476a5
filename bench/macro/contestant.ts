/**
 * Who takes part in the peer bench, and what its process is told: each engine of Node runs in a process of its own, so that
 * its memory, its garbage and its compiled code are its own.
 */
import type { Measurement } from './meter.js'
import type { StageOptions } from './stage.js'

export interface Contestant {
  readonly name: string
  /** @returns undefined where it is not installed, or cannot do this workload */
  run(workload: string, withLatencies: boolean): Promise<readonly Measurement[] | undefined>
  close(): Promise<void>
}

/** What the process is told first, and then for each turn. */
export interface ChildSetup {
  readonly engine: string
  readonly folder: string
  readonly options: StageOptions
}

export type ChildRequest = { readonly setup: ChildSetup } | { readonly run: string } | { end: true }

export type ChildAnswer =
  | { readonly rows: readonly Measurement[] | undefined }
  | { readonly error: string }
