/**
 * Several positional reads in one go: by the file system's own batch call where it has one, else one after the other. The
 * thread that reads.
 */
import { DescribedFile } from './descriptor-table.js'
import type { FileSystem, ReadableFile, ReadRequest } from './file-system.js'

/** True where the file's system reads many pieces in one call. */
export function canReadMany(file: ReadableFile): boolean {
  return file instanceof DescribedFile && file.fs.readMany !== undefined
}

/** Runs `requests`: the bytes that each read, fewer than asked for only at the end of its file. */
export function readMany(requests: readonly ReadRequest[]): number[] {
  const counts = new Array<number>(requests.length)
  const batches = new Map<FileSystem, number[]>()
  requests.forEach(({ file, target, offset }, i) => {
    const { fs } = file instanceof DescribedFile ? file : { fs: undefined }
    if (fs?.readMany === undefined) {
      counts[i] = file.read(target, offset)
      return
    }
    const batch = batches.get(fs)
    if (batch === undefined) batches.set(fs, [i])
    else batch.push(i)
  })
  for (const [fs, numbers] of batches) runBatch(fs, numbers, requests, counts)
  return counts
}

/** Runs the requests of one file system, in pieces for which its descriptor table can keep all files open. */
function runBatch(
  fs: FileSystem,
  numbers: readonly number[],
  requests: readonly ReadRequest[],
  counts: number[],
): void {
  for (let at = 0; at < numbers.length; ) {
    const opened = new Map<DescribedFile, ReadableFile>()
    const piece: number[] = []
    const batch: ReadRequest[] = []
    for (; at < numbers.length; at++) {
      const number = numbers[at] as number
      const request = requests[number] as ReadRequest
      const file = request.file as DescribedFile
      if (!opened.has(file)) {
        if (opened.size === file.capacity) break
        opened.set(file, file.open())
      }
      piece.push(number)
      batch.push({ ...request, file: opened.get(file) as ReadableFile })
    }
    const read = fs.readMany?.(batch) ?? []
    piece.forEach((number, i) => {
      counts[number] = read[i] as number
    })
  }
}
