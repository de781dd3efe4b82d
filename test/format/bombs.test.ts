import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { compressFrameSync, compressSync as lz4Compress } from 'lz4-napi';
import { compressSync as snappyCompress } from 'snappy';
import { afterAll, describe, expect, it } from 'vitest';
import { shardUnpackedBytesMax } from '../../src/core/limits.js';
import { bzip2Compress } from '../../src/format/bzip2.js';
import { codecFor } from '../../src/format/codec.js';
import { decompressShard, type MdsCompression } from '../../src/format/mds-compression.js';
import { mdsFormat } from '../../src/format/mds-file.js';
import { parseMdsIndex } from '../../src/format/mds-index.js';
import { pageCodec } from '../../src/format/parquet-codec.js';
import { denseValues } from '../../src/format/parquet-dense.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { refusal } from '../client/spiral-at.js';

const MiB = 2 ** 20;
/** What is packed in each bomb; what it claims to be is less. */
const zeros = Buffer.alloc(64 * MiB);
const claimed = 100_000;

/** LZ4 without the size before it. */
const lz4Block = (bytes: Buffer): Buffer => lz4Compress(bytes).subarray(4);
/** As Hadoop writes it. */
const hadoop = (bytes: Buffer): Buffer => {
  const [block, head] = [lz4Block(bytes), Buffer.alloc(8)];
  head.writeUInt32BE(bytes.length, 0);
  head.writeUInt32BE(block.length, 4);
  return Buffer.concat([head, block]);
};
const zstd = async (bytes: Buffer): Promise<Uint8Array> => (await codecFor('zstd')).compress(bytes);
const brotli = (bytes: Buffer): Buffer =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

const packers: Record<string, (bytes: Buffer) => Uint8Array | Promise<Uint8Array>> = {
  br: brotli,
  bz2: (bytes) => bzip2Compress(bytes, 9),
  gz: (bytes) => gzipSync(bytes),
  snappy: (bytes) => snappyCompress(bytes),
  zstd,
  BROTLI: brotli,
  GZIP: (bytes) => gzipSync(bytes),
  SNAPPY: (bytes) => snappyCompress(bytes),
  ZSTD: zstd,
  LZ4: hadoop,
  LZ4_RAW: lz4Block,
  frame: (bytes) => compressFrameSync(bytes),
  arrow: zstd,
};

/** Unpacks what claims to be `size` bytes, by the name of its packer. */
async function unpack(name: string, bytes: Uint8Array, size: number): Promise<Uint8Array> {
  if (name === 'frame') return (await codecFor('lz4')).decompress(bytes, size);
  if (name === 'arrow') return (await codecFor('zstd')).decompress(bytes, size);
  if (name === name.toLowerCase()) return decompressShard(name as MdsCompression, bytes, size, 'the shard');
  return (await pageCodec(name as 'SNAPPY', 'the file'))(bytes, size);
}

const before = process.memoryUsage().rss;
afterAll(() => {
  // All that was unpacked would be 13 × 64 MiB in each of the tests below; what packs it takes memory too.
  expect(process.memoryUsage().rss - before).toBeLessThan(600 * MiB);
});

describe.each(Object.keys(packers))('%s', (name) => {
  it('gives just what was packed', async () => {
    const bytes = Buffer.from('a sentence that comes again and again. '.repeat(1000));
    const packed = await packers[name]!(bytes);
    expect(Buffer.compare(await unpack(name, packed, bytes.length), bytes)).toBe(0);
  });

  it('stops where more comes than was claimed, and refuses less', async () => {
    const bomb = await packers[name]!(zeros);
    expect(bomb.length).toBeLessThan(4 * MiB);
    const small = await packers[name]!(zeros.subarray(0, claimed - 1));
    for (const bytes of [bomb, small, bomb.subarray(0, 40), new Uint8Array(0)]) {
      const found = await unpack(name, bytes, claimed).then(
        (whole) => whole.length,
        (error: Error) => error,
      );
      // What of a page is too short, its reader refuses.
      if (found instanceof Error) continue;
      expect([name, found]).not.toEqual([name, claimed]);
      expect(name).toBe(name.toUpperCase());
    }
  });
});

describe('what an index or a footer claims', () => {
  it('of a compressed shard is bounded, whatever the compression', async () => {
    for (const name of ['br', 'bz2', 'gz', 'snappy', 'zstd'] as const) {
      const bytes = await packers[name]!(Buffer.alloc(10));
      const error = await refusal(decompressShard(name, bytes, shardUnpackedBytesMax + 1, 'the shard'));
      expect([error.code, error.message]).toEqual(['limit_exceeded', expect.stringContaining('the shard')]);
      const large = await refusal(decompressShard(name, bytes, 2 ** 30, 'the shard'));
      expect([name, large.code]).toEqual([name, 'corrupt_file']);
    }
  });

  const file = (bytes: number, basename = 'shard.mds'): object => ({ basename, bytes, hashes: {} });
  const index = (samples: number, raw: object, shards = 1): string =>
    JSON.stringify({
      version: 2,
      shards: Array.from({ length: shards }, () => ({
        version: 2,
        format: 'mds',
        samples,
        column_names: ['n'],
        column_encodings: ['int'],
        column_sizes: [8],
        raw_data: raw,
        zip_data: null,
        compression: null,
      })),
    });

  it.each([
    ['samples', index(2 ** 40, file(2 ** 30))],
    ['bytes', index(10, file(2 ** 50))],
    ['fewer than none', index(-1, file(10))],
  ])('of a shard, %s, is refused before anything is made of it', async (_, text) => {
    expect((await refusal(() => parseMdsIndex(text, 'the index'))).code).toBe('corrupt_file');
  });

  it('of a data set, more blocks than memory would hold, is refused', async () => {
    const store = memoryStore();
    // Each shard claims nearly 2 ** 30 samples, for which its file has room; a block holds 4096.
    const text = Buffer.from(index(2 ** 30 - 4, file(2 ** 32 - 1), 100));
    await store.put('index.json', text);
    const error = await refusal(mdsFormat().open(store, 'index.json', text.length, { modifiedMs: 0 }));
    expect(error.code).toBe('limit_exceeded');
  });

  it.each(['../x', '/etc/passwd', 'a/../../x', 'a\\b', 'a\0b', '.tmp/x', 'C:\\x', '', 'a//b', '\ud800'])(
    'of a file to be called %j is refused',
    async (basename) => {
      expect((await refusal(() => parseMdsIndex(index(1, file(9, basename)), 'the index'))).code).toBe(
        'path_outside_root',
      );
    },
  );

  it.each([
    ['INT64', {}, 2 ** 28],
    ['BYTE_ARRAY', {}, 2 ** 30],
    ['FIXED_LEN_BYTE_ARRAY', { type_length: 2 ** 30 }, 2],
    ['BOOLEAN', {}, 2 ** 31],
  ] as const)('of a column of Parquet, %s, is refused before memory is taken', (type, more, entries) => {
    expect(() => denseValues({ name: 'c', type, ...more }, entries)).toThrow(/in one row group$/);
  });
});
