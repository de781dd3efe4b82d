/** A compression of which it is known how much a byte of it can become at most. */
export type BoundedCompression = 'gz' | 'lz4' | 'snappy' | 'zstd';

/**
 * The most bytes that one becomes: deflate has 258 for two bits, LZ4 255 for a byte of a length, Snappy 64 for a copy of three
 * bytes, and a block of Zstandard, which takes four bytes, 128 KiB.
 */
const growth: Readonly<Record<BoundedCompression, number>> = { gz: 1032, lz4: 255, snappy: 22, zstd: 32 * 1024 };

/**
 * Refuses a size that so few bytes cannot have had before: whoever unpacks them then never sets memory aside for a size that
 * is merely told.
 *
 * @throws Error
 */
export function checkUnpackedSize(compression: BoundedCompression, bytes: Uint8Array, size: number): void {
  const most = growth[compression] * bytes.byteLength;
  if (size > most) throw new Error(`${bytes.byteLength} bytes of ${compression} cannot be ${size}`);
}
