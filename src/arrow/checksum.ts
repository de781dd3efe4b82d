import { crc32 } from 'node:zlib';

/** The CRC-32 (IEEE 802.3, as in zlib) of `bytes`, or of what came before with checksum `before` and then `bytes`. */
export function checksum(bytes: Uint8Array, before = 0): number {
  return crc32(bytes, before);
}
