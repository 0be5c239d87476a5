/** The typed contract of the comparisons that instances of the second build import (`assembly/key-order.ts`). */
export interface OrderKernel {
  /** The reverse of the order of bytes: negative, zero or positive. */
  compare_reverse(a: number, aLength: number, b: number, bLength: number): number
}
