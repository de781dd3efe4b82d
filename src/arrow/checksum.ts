import { crc32 } from 'node:zlib';

/** The CRC-32 (IEEE 802.3, as in zlib) of `bytes`, or of what came before with checksum `before` and then `bytes`. */
export function checksum(bytes: Uint8Array, before = 0): number {
  // For no bytes in a memory of no bytes zlib begins anew, with 0.
  return bytes.byteLength === 0 ? before : crc32(bytes, before);
}
