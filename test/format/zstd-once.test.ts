import { expect, test, vi } from 'vitest';
import { codecFor } from '../../src/format/codec.js';
import { compressShard, parseCompression } from '../../src/format/mds-compress.js';
import { decompressShard } from '../../src/format/mds-compression.js';
import { readyZstd } from '../../src/format/zstd-once.js';

const text = new TextEncoder().encode('one memory for all who compress, '.repeat(500));

test('a process that loads this package twice compresses and reads with both, whoever is first', async () => {
  for (const first of [0, 1, 2]) {
    vi.resetModules();
    const { codecFor: other } = await import('../../src/format/codec.js');
    expect(other).not.toBe(codecFor);
    const codecs = await Promise.all([codecFor('zstd'), other('zstd')]);
    for (const writer of codecs) {
      const packed = writer.compress(text);
      for (const reader of codecs)
        expect(Buffer.compare(reader.decompress(packed, text.length), text), `${first}`).toBe(0);
    }
    const shard = await compressShard(parseCompression('zstd'), text);
    expect(Buffer.compare(await decompressShard('zstd', shard, text.length, 'a shard'), text)).toBe(0);
  }
});

test('whoever uses the same library in the same process does not take its memory from us, nor we theirs', async () => {
  const ours = await codecFor('zstd');
  const packed = ours.compress(text);
  // By the name that users import it by; once, as other files of tests in this process use it too.
  const theirs = await import('@bokuweb/zstd-wasm');
  await readyZstd(theirs);
  expect(Buffer.compare(ours.decompress(packed, text.length), text)).toBe(0);
  expect(Buffer.compare(theirs.decompress(theirs.compress(text)), text)).toBe(0);
  expect(Buffer.compare(theirs.decompress(ours.compress(text)), text)).toBe(0);
});
