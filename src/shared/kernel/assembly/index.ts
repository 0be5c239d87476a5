// The kernel module: every export of every kernel file. Stateless: no globals, no data segment, no allocation.
