import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { SpiralError, shown } from '../core/errors.js';
import { bzip2Compress } from './bzip2.js';
import { decompressShard, type MdsCompression, mdsCompressions } from './mds-compression.js';
import { snappyCompress } from './snappy-block.js';
import { readyZstd } from './zstd-once.js';

/** A compression as a writer is asked for it. */
export interface CompressionChoice {
  /** As it was asked for: `zstd`, `gz:6`. */
  readonly text: string;
  readonly family: MdsCompression;
  readonly level: number;
}

/** Levels of each family, as MosaicML has them; snappy has none. */
const levels: Readonly<Record<MdsCompression, { readonly min: number; readonly max: number; readonly usual: number }>> =
  {
    br: { min: 0, max: 11, usual: 11 },
    bz2: { min: 1, max: 9, usual: 9 },
    gz: { min: 0, max: 9, usual: 9 },
    snappy: { min: 0, max: -1, usual: 0 },
    zstd: { min: 1, max: 22, usual: 3 },
  };

/** What `text` asks for. @throws SpiralError `invalid_argument`. */
export function parseCompression(text: unknown): CompressionChoice {
  const [name = '', level, more] = typeof text === 'string' ? text.split(':') : [];
  const family = mdsCompressions.find((known) => known === name);
  if (family !== undefined && more === undefined) {
    const { min, max, usual } = levels[family];
    if (level === undefined) return { text: name, family, level: usual };
    const value = /^\d{1,2}$/.test(level) ? Number(level) : Number.NaN;
    if (value >= min && value <= max) return { text: text as string, family, level: value };
  }
  const known = mdsCompressions.map((one) => {
    const { min, max } = levels[one];
    return max < min ? `'${one}'` : `'${one}' (levels ${min} to ${max}, as in '${one}:${max}')`;
  });
  throw new SpiralError(
    'invalid_argument',
    `Expected \`compression\` to be one of ${known.join(', ')}, got ${shown(text)}. Leave it out for none.`,
    { details: { name: 'compression', found: shown(text) } },
  );
}

const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

/** `bytes` compressed. `docs/mds.md` says where they are the very bytes that MosaicML's writers make. */
export async function compressShard({ family, level }: CompressionChoice, bytes: Uint8Array): Promise<Uint8Array> {
  switch (family) {
    case 'br':
      return toBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: level } });
    case 'bz2':
      return bzip2Compress(bytes, level);
    case 'gz':
      return toGzip(bytes, { level });
    case 'snappy':
      return snappyCompress(bytes);
    case 'zstd':
      return toZstd(bytes, level);
  }
}

/** Level above which this version of the library, from before 1.5.5, has a rare fault that loses data. */
const soundLevelMax = 12;

/** Not the version that reads: newer ones compress a little otherwise, and the bytes are to be MosaicML's. */
type Zstd = typeof import('zstd-wasm-0-0-16');
let loaded: Promise<Zstd> | undefined;

async function loadZstd(): Promise<Zstd> {
  const zstd = await import('zstd-wasm-0-0-16');
  await readyZstd(zstd);
  return zstd;
}

async function toZstd(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  loaded ??= loadZstd();
  const zstd = await loaded;
  // It takes views, whatever its types say.
  const zipped = zstd.compress(bytes as unknown as ArrayBuffer, level);
  if (level <= soundLevelMax) return zipped;
  const again = await decompressShard('zstd', zipped, bytes.length, 'a shard that was just compressed');
  if (Buffer.compare(again, bytes) === 0) return zipped;
  throw new SpiralError('internal', `Zstandard at level ${level} lost data of a shard. Write it at another level.`);
}
