import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { shardUnpackedBytesMax } from '../../src/core/limits.js';
import { bzip2Compress } from '../../src/format/bzip2.js';
import { codecFor } from '../../src/format/codec.js';
import { decompressShard, type MdsCompression } from '../../src/format/mds-compression.js';
import { pageCodec } from '../../src/format/parquet-codec.js';
import { snappyCompress } from '../../src/format/snappy-block.js';
import { checkUnpackedSize } from '../../src/format/unpacked-size.js';
import { refusal } from './stored-file.js';

const whole = new Uint8Array(3_000_000);

/** What compresses best of all: nothing but zeros. */
async function packed(): Promise<[MdsCompression, Uint8Array][]> {
  const zstd = await codecFor('zstd');
  return [
    ['br', brotliCompressSync(whole)],
    ['bz2', await bzip2Compress(whole, 9)],
    ['gz', gzipSync(whole)],
    ['snappy', snappyCompress(whole)],
    ['zstd', zstd.compress(whole)],
  ];
}

describe('what is compressed', () => {
  it('is unpacked however much it was compressed', async () => {
    for (const [family, bytes] of await packed()) {
      expect(Buffer.compare(await decompressShard(family, bytes, whole.length, 'a shard'), whole), family).toBe(0);
    }
    const lz4 = await codecFor('lz4');
    expect(Buffer.compare(lz4.decompress(lz4.compress(whole), whole.length), whole)).toBe(0);
  });

  it('is refused for a size that it cannot have, before memory is set aside for that', async () => {
    for (const [family, bytes] of await packed()) {
      const before = process.memoryUsage();
      const error = await refusal(decompressShard(family, bytes, shardUnpackedBytesMax, 'a shard'));
      const after = process.memoryUsage();
      expect(error.code, family).toBe('corrupt_file');
      expect(after.arrayBuffers - before.arrayBuffers, family).toBeLessThan(2 ** 28);
    }
    expect(() => checkUnpackedSize('lz4', new Uint8Array(10), 2551)).toThrow('cannot be 2551');
    expect(() => checkUnpackedSize('lz4', new Uint8Array(10), 2550)).not.toThrow();
  });

  it('ends where blocks as Hadoop writes them have a negative size', async () => {
    const lz4 = await pageCodec('LZ4', 'a file');
    const endless = Uint8Array.of(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xf8, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    expect(() => lz4(endless, 20)).toThrow();
  });
});
