import { SpiralError } from '../core/errors.js';
import { decompressFrame } from './lz4-frame.js';
import { checkUnpackedSize } from './unpacked-size.js';
import { readyZstd } from './zstd-once.js';

/** How the buffers of an Arrow file are compressed: `lz4` (frames) or `zstd`, as the specification has them. */
export type Compression = 'none' | 'lz4' | 'zstd';

/** Every {@link Compression}. */
export const compressions: readonly Compression[] = ['none', 'lz4', 'zstd'];

/** Compresses and decompresses whole buffers. */
export interface Codec {
  compress(bytes: Uint8Array): Uint8Array;
  /**
   * No more than `size` bytes are ever allocated for the outcome, whatever `bytes` say.
   *
   * @throws SpiralError `corrupt_file` unless `bytes` are exactly `size` bytes compressed.
   */
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
    decompress: (bytes, size) =>
      exactly(size, 'lz4', () => {
        checkUnpackedSize('lz4', bytes, size);
        return decompressFrame(bytes, size, lz4.uncompressSync);
      }),
  };
}

async function loadZstd(): Promise<Codec> {
  const zstd = await import('zstd-wasm-0-0-27');
  await readyZstd(zstd);
  return {
    compress: (bytes) => zstd.compress(bytes, zstdLevel),
    decompress: (bytes, size) =>
      exactly(size, 'zstd', () => {
        checkUnpackedSize('zstd', bytes, size);
        checkZstdSize(bytes, size);
        return zstd.decompress(bytes, { defaultHeapSize: size });
      }),
  };
}

/**
 * Refuses a Zstandard frame that gives another size than `size` (RFC 8878, 3.1.1.1). The library allocates what the
 * frame gives without a look, and writes to address 0 where it gets none.
 */
function checkZstdSize(bytes: Uint8Array, size: number): void {
  const frame = asBuffer(bytes);
  if (frame.byteLength < 6 || frame.readUInt32LE(0) !== 0xfd2f_b528) throw new Error('no Zstandard frame');
  const descriptor = frame[4]!;
  const single = (descriptor & 0x20) !== 0;
  const width = descriptor >> 6 === 0 ? (single ? 1 : 0) : 2 ** (descriptor >> 6);
  // Sizes that are not given: the library then allocates `size` bytes.
  if (width === 0) return;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  const given = width === 8 ? Number(frame.readBigUInt64LE(at)) : frame.readUIntLE(at, width) + (width === 2 ? 256 : 0);
  if (given !== size) throw new Error(`a Zstandard frame of ${given} bytes`);
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
