import { Int32, makeData } from 'apache-arrow';
import { expect, it } from 'vitest';
import { BatchCache, type HeldBatch } from '../../src/scan/batch-cache.js';

const bytesOfBatch = 400;

/** A cache with room for two batches, and how often each name was read. */
function counted(): { cache: BatchCache; get: (name: string) => Promise<HeldBatch>; reads: Map<string, number> } {
  const cache = new BatchCache(2 * bytesOfBatch);
  const reads = new Map<string, number>();
  const get = (name: string): Promise<HeldBatch> =>
    cache.get(name, async (memory) => {
      reads.set(name, (reads.get(name) ?? 0) + 1);
      const bytes = memory.allocate(bytesOfBatch);
      const values = new Int32Array(bytes.buffer, bytes.byteOffset, bytesOfBatch / 4).fill(reads.size);
      return [makeData({ type: new Int32(), length: values.length, nullCount: 0, data: values })];
    });
  return { cache, get, reads };
}

it('a batch that is held is there for the next who wants it, however many were read since', async () => {
  const { cache, get, reads } = counted();
  const names = ['a', 'b', 'c', 'd', 'e'];
  const held = await Promise.all(names.map(get));
  for (const name of names) (await get(name)).release();
  expect([...reads.values()]).toEqual(names.map(() => 1));
  const values = held.map(({ columns }) => columns[0]!.values[0]);
  expect(values).toEqual([1, 2, 3, 4, 5]);
  for (const { release } of held) release();
  expect(names.filter((name) => cache.has(name))).toHaveLength(2);
});

it('of batches that nobody holds the least recently used are let go', async () => {
  const { cache, get, reads } = counted();
  for (const name of ['a', 'b', 'a', 'c', 'a']) (await get(name)).release();
  expect(['a', 'b', 'c'].map((name) => cache.has(name))).toEqual([true, false, true]);
  expect(reads.get('a')).toBe(1);
});

it('a batch that could not be read is read anew for the next', async () => {
  const { cache, get } = counted();
  const failure = new Error('no such file');
  const broken = cache.get('a', async (memory) => {
    memory.allocate(bytesOfBatch);
    throw failure;
  });
  await expect(broken).rejects.toBe(failure);
  const { columns, release } = await get('a');
  expect(columns[0]!.length).toBe(bytesOfBatch / 4);
  release();
});
