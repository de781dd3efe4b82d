import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { SpiralError } from '../core/errors.js';
import { codecFor } from './codec.js';
import { type BoundedCompression, checkUnpackedSize } from './unpacked-size.js';

/** Decompresses a page to exactly `size` bytes, or throws. */
export type PageCodec = (bytes: Uint8Array, size: number) => Uint8Array;

const loaded = new Map<CompressionCodec, Promise<PageCodec>>();

/**
 * The decompressor of `codec`, loaded on first use: Node's own for gzip and brotli, that of table files for zstd, and those
 * of hyparquet-compressors for the rest.
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
      const { compressors } = await import('hyparquet-compressors');
      return bounded('snappy', compressors.SNAPPY!);
    }
    case 'LZ4_RAW':
    case 'LZ4': {
      const { compressors } = await import('hyparquet-compressors');
      const raw = bounded('lz4', compressors.LZ4_RAW!);
      return codec === 'LZ4_RAW' ? raw : (bytes, size) => framedByHadoop(bytes, size, raw) ?? raw(bytes, size);
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

/** `codec`, but for sizes that so few bytes cannot become: it sets memory aside for whatever it is told. */
function bounded(compression: BoundedCompression, codec: (bytes: Uint8Array, size: number) => Uint8Array): PageCodec {
  return (bytes, size) => {
    checkUnpackedSize(compression, bytes, size);
    return codec(bytes, size);
  };
}

/**
 * What Hadoop's codec wrote: blocks, each behind its size and its stored size as big-endian numbers; undefined for other
 * bytes. hyparquet-compressors takes these sizes as signed, and goes back and forth for ever.
 */
function framedByHadoop(bytes: Uint8Array, size: number, raw: PageCodec): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: { readonly from: number; readonly to: number; readonly size: number }[] = [];
  let whole = 0;
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) return undefined;
    const block = { from: at + 8, to: at + 8 + view.getUint32(at + 4), size: view.getUint32(at) };
    whole += block.size;
    if (block.to > bytes.length || whole > size) return undefined;
    blocks.push(block);
    at = block.to;
  }
  if (whole !== size) return undefined;
  const pieces = blocks.map((block) => raw(bytes.subarray(block.from, block.to), block.size));
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}
