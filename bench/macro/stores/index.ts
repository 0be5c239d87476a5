/** The engines that run inside Node, varve first. */
import { classicLevel } from './classic-level.js'
import { lmdb } from './lmdb.js'
import { rocksdbPackage } from './rocksdb-package.js'
import { sqlite } from './sqlite.js'
import type { StoreKind } from './store.js'
import { varve } from './varve.js'

export const STORE_KINDS: readonly StoreKind[] = [varve, classicLevel, lmdb, sqlite, rocksdbPackage]
