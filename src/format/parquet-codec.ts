import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { SpiralError } from '../core/errors.js';
import { codecFor } from './codec.js';
import { lz4Block, lz4Page } from './lz4-page.js';
import { snappySize } from './snappy-size.js';
import { checkUnpackedSize } from './unpacked-size.js';

/** Decompresses a page to exactly `size` bytes, or throws. */
export type PageCodec = (bytes: Uint8Array, size: number) => Uint8Array;

const loaded = new Map<CompressionCodec, Promise<PageCodec>>();

/**
 * The decompressor of `codec`, loaded on first use: Node's own for gzip and brotli, that of table files for zstd, those of
 * MDS for snappy and of Arrow for LZ4. None allocates more than the `size` that a page's header has.
 *
 * @throws SpiralError `unsupported` for LZO and codecs unknown.
 */
export function pageCodec(codec: CompressionCodec, where: string): Promise<PageCodec> {
  let found = loaded.get(codec);
  if (found === undefined) {
    found = load(codec, where);
    loaded.set(codec, found);
    found.catch(() => loaded.delete(codec));
  }
  return found;
}

async function load(codec: CompressionCodec, where: string): Promise<PageCodec> {
  switch (codec) {
    case 'UNCOMPRESSED':
      return (bytes) => bytes;
    case 'GZIP':
      return (bytes, size) => gunzipSync(bytes, { maxOutputLength: Math.max(1, size) });
    case 'BROTLI':
      return (bytes, size) => brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, size) });
    case 'ZSTD': {
      const { decompress } = await codecFor('zstd');
      return decompress;
    }
    case 'SNAPPY': {
      const { uncompressSync } = await import('snappy');
      return (bytes, size) => {
        const found = snappySize(bytes);
        if (found !== size) throw new Error(`a snappy block of ${found} bytes where its page has ${size}`);
        checkUnpackedSize('snappy', bytes, size);
        return uncompressSync(asBuffer(bytes), { asBuffer: true }) as Buffer;
      };
    }
    case 'LZ4':
    case 'LZ4_RAW': {
      const { uncompressSync } = await import('lz4-napi');
      return codec === 'LZ4_RAW'
        ? (bytes, size) => lz4Block(bytes, size, uncompressSync)
        : (bytes, size) => lz4Page(bytes, size, uncompressSync);
    }
    default:
      throw new SpiralError(
        'unsupported',
        `Expected ${where} to be compressed with snappy, gzip, brotli, zstd or lz4, found ${codec ?? 'an unknown codec'}. ` +
          'Write it again with one of these.',
        { details: { file: where, codec: codec ?? null } },
      );
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
