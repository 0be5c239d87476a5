/** The typed contract of the hash kernels (`assembly/xxh3.ts`). */
export type HashKernel = Record<never, never>
