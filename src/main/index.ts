/** The public surface of varve: everything a user imports from `'varve'`. */
export { MAX_SEQNO } from '../shared/base/limits.js'
