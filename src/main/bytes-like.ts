/** Keys and values as users give them. */

/** A string is its UTF-8 bytes. */
export type BytesLike = string | Uint8Array
