import { SpiralError } from '../core/errors.js';

/** How the buffers of an Arrow file are compressed: `lz4` (frames) or `zstd`, as the specification has them. */
export type Compression = 'none' | 'lz4' | 'zstd';

/** Compresses and decompresses whole buffers. */
export interface Codec {
  compress(bytes: Uint8Array): Uint8Array;
  /** @throws SpiralError `corrupt_file` unless `bytes` are exactly `size` bytes compressed. */
  decompress(bytes: Uint8Array, size: number): Uint8Array;
}

const zstdLevel = 3;
const loaded = new Map<Compression, Promise<Codec>>();

/** The codec for `compression`, loaded on first use. */
export function codecFor(compression: 'lz4' | 'zstd'): Promise<Codec> {
  let codec = loaded.get(compression);
  if (codec === undefined) {
    codec = compression === 'lz4' ? loadLz4() : loadZstd();
    loaded.set(compression, codec);
  }
  return codec;
}

async function loadLz4(): Promise<Codec> {
  const lz4 = await import('lz4-napi');
  return {
    compress: (bytes) => lz4.compressFrameSync(asBuffer(bytes)),
    decompress: (bytes, size) => exactly(size, 'lz4', () => lz4.decompressFrameSync(asBuffer(bytes))),
  };
}

async function loadZstd(): Promise<Codec> {
  const zstd = await import('@bokuweb/zstd-wasm');
  await zstd.init();
  return {
    compress: (bytes) => zstd.compress(bytes, zstdLevel),
    decompress: (bytes, size) => exactly(size, 'zstd', () => zstd.decompress(bytes, { defaultHeapSize: size })),
  };
}

function exactly(size: number, name: string, decompress: () => Uint8Array): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = decompress();
  } catch (cause) {
    throw new SpiralError('corrupt_file', `Expected ${size} bytes compressed with ${name}, found damaged data.`, {
      details: { expected: size, compression: name },
      cause,
    });
  }
  if (bytes.byteLength !== size) {
    throw new SpiralError(
      'corrupt_file',
      `Expected ${size} bytes compressed with ${name}, found ${bytes.byteLength} bytes.`,
      { details: { expected: size, found: bytes.byteLength, compression: name } },
    );
  }
  return bytes;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
