/** What an actor hands to main for each table it wrote: enough to register it. Plain data that crosses threads. */
export interface TableProposal {
  readonly id: number
  /** XXH3-128 of the whole file, as stored. */
  readonly checksum: Uint8Array
  /** Length of the file. */
  readonly fileBytes: number
  readonly itemCount: number
  readonly keyMin: Uint8Array
  readonly keyMax: Uint8Array
}
