import { describe, expect, it } from 'vitest';
import { toSchema } from '../../src/arrow/schema.js';
import type { ArrowFile } from '../../src/format/arrow-file.js';
import { FileCache } from '../../src/format/file-cache.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { batchOf, fileBytes, refusal } from './stored-file.js';

const narrow = toSchema({ n: 'int32' }, 'the test');
const wide = toSchema(
  Array.from({ length: 200 }, (_, at) => [`a column with a name ${at}`, 'int32'] as const),
  'the test',
);
const words = toSchema({ word: 'dictionary<int32, utf8>' }, 'the test');
const bounds = { countMax: 1000, bytesMax: 1_000_000, idleMsMax: 1000 };

/** A store of `count` files of one column each, and opens them by number. */
async function files(
  cache: FileCache,
  schema = narrow,
  values: readonly unknown[] = [1, 2, 3],
  count = 30,
): Promise<{ store: ObjectStore; open(number: number): Promise<ArrowFile> }> {
  const store = memoryStore();
  const { bytes } = await fileBytes(schema, [
    batchOf(
      schema,
      schema.fields.map(() => values),
    ),
  ]);
  for (let number = 0; number < count; number++) await store.put(`${number}.arrow`, bytes);
  return { store, open: (number) => cache.open(store, `${number}.arrow`, bytes.byteLength) };
}

describe('files that a process keeps open', () => {
  it('are opened once each, and again once they were let go', async () => {
    const cache = new FileCache(0, { ...bounds, countMax: 3 });
    const { open } = await files(cache);
    const first = await open(0);
    expect(await open(0)).toBe(first);
    for (let number = 1; number < 4; number++) await open(number);
    expect(cache.held.files).toBe(3);
    const again = await open(0);
    expect(again).not.toBe(first);
    expect(again.rows).toBe(first.rows);
  });

  it('are fewer where they are of wide tables: their bytes are bounded', async () => {
    const cache = new FileCache(0, bounds);
    const [small, large] = [await files(cache), await files(cache, wide)];
    for (let number = 0; number < 30; number++) await small.open(number);
    expect(cache.held.files).toBe(30);
    for (let number = 0; number < 30; number++) await large.open(number);
    expect(cache.held.bytes).toBeLessThanOrEqual(1_000_000);
    expect(cache.held.files).toBeLessThan(20);
    expect(cache.held.files).toBeGreaterThan(2);
  });

  it('count the dictionaries that were read of them', async () => {
    const cache = new FileCache(0, bounds);
    const texts = Array.from({ length: 2000 }, (_, at) => `${at} ${'x'.repeat(200)}`);
    const { open } = await files(cache, words, texts);
    const before = (await open(0)).bytes;
    for (let number = 0; number < 30; number++) {
      const file = await open(number);
      await file.dictionary(0);
      expect(file.bytes).toBeGreaterThan(before + 400_000);
      expect(cache.held.bytes).toBeLessThanOrEqual(1_000_000);
    }
    expect(cache.held.files).toBe(2);
  });

  it('are let go once nobody asked for them for long: those of versions that nobody reads any more', async () => {
    let now = 0;
    const cache = new FileCache(0, bounds, () => now);
    const { open } = await files(cache);
    const used = await open(29);
    for (let number = 0; number < 20; number++) {
      now += 300;
      await open(number);
      expect(await open(29)).toBe(used);
    }
    expect(cache.held.files).toBe(5);
  });

  it('are not kept where they cannot be opened', async () => {
    const cache = new FileCache(0, bounds);
    const { store, open } = await files(cache);
    await store.delete('0.arrow');
    expect((await refusal(open(0))).code).toBe('not_found');
    expect(cache.held).toEqual({ files: 0, bytes: 0 });
  });
});
