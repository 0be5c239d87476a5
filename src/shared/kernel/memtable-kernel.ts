/** The typed contract of the memtable kernel (`assembly/memtable.ts`). */
export type MemtableKernel = Record<never, never>
