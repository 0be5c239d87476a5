/** The typed contract of the epoch kernels (assembly/epochs.ts). */
export interface EpochKernel {
  epochs_advance(epochs: number): number
  epochs_have_passed(epochs: number, stamp: number): number
}
