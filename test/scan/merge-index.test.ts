import type { Data } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { buildColumn } from '../../src/arrow/build.js';
import { parseType } from '../../src/arrow/words.js';
import type { Memory } from '../../src/core/memory-pool.js';
import { BatchCache } from '../../src/scan/batch-cache.js';
import { MergeCache, MergeIndex } from '../../src/scan/merge-index.js';
import type { MergePiece } from '../../src/table/key-merge.js';
import { newTable, spiralAt } from '../client/spiral-at.js';

const piece = (rows: number, key: number): MergePiece => ({
  rows,
  begin: Uint8Array.of(key),
  from: Float64Array.of(0),
  to: Float64Array.of(0),
  lane: -1,
});

describe('the pieces of merged rows', () => {
  const index = new MergeIndex([], [piece(10, 1), piece(3, 2), piece(20, 3), piece(5, 4)], true);

  it('are found by row, and put together up to a number of rows', () => {
    expect(index.rows).toBe(38);
    expect([0, 9, 10, 12, 13, 37].map((row) => index.endOf(row))).toEqual([10, 10, 13, 13, 33, 38]);
    expect([0, 13, 33].map((row) => index.keyOf(row)[0])).toEqual([1, 3, 4]);
    expect(index.endWithin(0, 13)).toBe(13);
    expect(index.endWithin(0, 5)).toBe(10);
    expect(index.endWithin(10, 23)).toBe(33);
    expect(index.endWithin(13, 1000)).toBe(38);
  });

  it('are remembered within a bound, the least recently used forgotten first', async () => {
    const cache = new MergeCache(2, 100);
    const made: string[] = [];
    const get = (name: string): Promise<MergeIndex> =>
      cache.index(name, async () => {
        made.push(name);
        if (name === 'bad') throw new Error('no');
        return index;
      });
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await get(name);
    expect(made).toEqual(['a', 'b', 'c', 'b']);
    for (let tries = 0; tries < 2; tries++) await expect(get('bad')).rejects.toThrow('no');
    expect(made.filter((name) => name === 'bad')).toHaveLength(2);
    const [first, second] = index.pieces as [MergePiece, MergePiece];
    cache.keep(first, new Uint16Array(30));
    cache.keep(second, new Uint16Array(30).fill(1));
    const again = (async (): Promise<never> => {
      throw new Error('asked again');
    }) as never;
    expect((await cache.entries([], second, again))[0]).toBe(1);
    // Nothing is left to merge it from: that it is tried is all there is to see.
    await expect(cache.entries([], first, again)).rejects.toThrow();
  });
});

describe('record batches that are kept', () => {
  it('are read once by all who want them, and their memory is used again once nobody does', async () => {
    const cache = new BatchCache(150_000);
    const taken: Uint8Array[] = [];
    let reads = 0;
    const read = async (memory: Memory): Promise<Data[]> => {
      reads++;
      taken.push(memory.allocate(100_000));
      return [buildColumn('c', parseType('uint8'), new Uint8Array(100_000), 100_000, 'a test')];
    };
    const [first, second] = await Promise.all([cache.get('a', read), cache.get('a', read)]);
    expect(reads).toBe(1);
    expect(first.columns).toBe(second.columns);
    first.release();
    (await cache.get('b', read)).release();
    await Promise.resolve();
    expect(cache.has('a')).toBe(false);
    (await cache.get('c', read)).release();
    // 'a' was let go, but somebody still holds it: its memory is not that of 'c', nor is that of 'b', kept until then.
    expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(3);
    second.release();
    (await cache.get('d', read)).release();
    expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(3);
    await expect(cache.get('e', async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    (await cache.get('e', read)).release();
  });
});

describe('a table whose writes overlap', () => {
  it('has the same shards and pieces for ever: states count by them', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    const ids = (from: number, to: number, step: number): { id: bigint; n: number }[] =>
      Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => ({ id: BigInt(from + at * step), n: at }));
    await table.write(ids(0, 200, 2), { batchRows: 10 });
    await table.write(ids(0, 100, 3), { batchRows: 10 });
    await table.deleteKeys(ids(50, 70, 1).map(({ id }) => ({ id })));
    await table.write(ids(90, 110, 5), { batchRows: 10 });
    await table.write(ids(1000, 1030, 1), { batchRows: 10 });
    const source = await (await spiral.scan(table)).openSource();
    const stretches = source.shards.map((shard) => {
      const ends: number[] = [];
      for (let row = 0; row < shard.physicalRows; row = ends.at(-1)!) ends.push(source.blockEnd(shard, row));
      return ends;
    });
    expect(stretches).toMatchInlineSnapshot(`
      [
        [
          30,
          60,
          95,
          105,
        ],
        [
          10,
          20,
          30,
        ],
      ]
    `);
  });

  it('ends a reading by its signal', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([{ id: 1n }, { id: 3n }]);
    await table.write([{ id: 2n }, { id: 3n }]);
    const abort = new AbortController();
    const scan = await spiral.scan(table);
    const rows = scan.toRows({ signal: abort.signal });
    abort.abort();
    await expect(rows).rejects.toMatchObject({ code: 'cancelled' });
    expect(await scan.toRows()).toHaveLength(3);
  });
});
