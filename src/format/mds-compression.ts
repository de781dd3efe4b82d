import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { shardUnpackedBytesMax } from '../core/limits.js';
import { bzip2Decompress } from './bzip2.js';
import { codecFor } from './codec.js';
import { snappySize } from './snappy-size.js';
import { checkUnpackedSize } from './unpacked-size.js';

/** A compression of whole shards. */
export type MdsCompression = 'br' | 'bz2' | 'gz' | 'snappy' | 'zstd';

/** Unpacks; allocates no more than about `size` bytes. @throws Error */
type Unpack = (bytes: Uint8Array, size: number) => Promise<Uint8Array>;

const unbrotli = promisify(brotliDecompress);
const ungzip = promisify(gunzip);

const families: Readonly<Record<MdsCompression, Unpack>> = {
  br: (bytes, size) => unbrotli(bytes, { maxOutputLength: Math.max(1, size) }),
  bz2: bzip2Decompress,
  gz: async (bytes, size) => {
    checkUnpackedSize('gz', bytes, size);
    return ungzip(bytes, { maxOutputLength: Math.max(1, size) });
  },
  snappy: unsnappy,
  zstd: async (bytes, size) => (await codecFor('zstd')).decompress(bytes, size),
};

/** Every {@link MdsCompression}. */
export const mdsCompressions: readonly MdsCompression[] = Object.keys(families) as MdsCompression[];

async function unsnappy(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  const found = snappySize(bytes);
  if (found !== size) throw new Error(`${found} bytes compressed with snappy`);
  checkUnpackedSize('snappy', bytes, size);
  const { uncompress } = await import('snappy');
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (await uncompress(source, { asBuffer: true })) as Buffer;
}

/**
 * The `size` bytes that `bytes` are compressed of. @throws SpiralError `corrupt_file`, naming `where`, unless they are
 * exactly that many; `limit_exceeded` where that is more than is ever unpacked.
 */
export async function decompressShard(
  family: MdsCompression,
  bytes: Uint8Array,
  size: number,
  where: string,
): Promise<Uint8Array> {
  checkShardSize(size, where);
  let [found, cause]: [string, unknown] = ['damaged data', undefined];
  try {
    const whole = await families[family](bytes, size);
    if (whole.byteLength === size) return whole;
    found = `${whole.byteLength} bytes`;
  } catch (error) {
    if (isSpiralError(error) && error.code !== 'corrupt_file') throw error;
    cause = error;
  }
  throw new SpiralError(
    'corrupt_file',
    `Expected ${where} to be ${size} bytes compressed with ${family}, found ${found}. Restore the file from a copy.`,
    { details: { file: where, expected: size, compression: family }, cause },
  );
}

/** Returns if a file of `size` bytes may be unpacked, which is done in memory. @throws SpiralError `limit_exceeded`. */
export function checkShardSize(size: number, where: string): void {
  if (size <= shardUnpackedBytesMax) return;
  throw new SpiralError(
    'limit_exceeded',
    `Expected ${where} to be at most ${shardUnpackedBytesMax} bytes without its compression, as it is unpacked in memory, found ` +
      `${size} in its index. Write the data set again with smaller shards (\`sizeLimit\`), or uncompressed.`,
    { details: { file: where, size, max: shardUnpackedBytesMax } },
  );
}
