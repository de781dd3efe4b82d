import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { bzip2Decompress } from './bzip2.js';
import { codecFor } from './codec.js';
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

/** The length that a raw snappy block gives at its start. */
function snappySize(bytes: Uint8Array): number {
  let [size, at] = [0, 0];
  for (; at < 5 && at < bytes.length; at++) {
    size += (bytes[at]! & 0x7f) * 2 ** (7 * at);
    if (bytes[at]! < 0x80) return size;
  }
  return Number.NaN;
}

/**
 * The `size` bytes that `bytes` are compressed of. @throws SpiralError `corrupt_file`, naming `where`, unless they are
 * exactly that many.
 */
export async function decompressShard(
  family: MdsCompression,
  bytes: Uint8Array,
  size: number,
  where: string,
): Promise<Uint8Array> {
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
