import type { Data } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildColumn } from '../../src/arrow/build.js';
import { parseType } from '../../src/arrow/words.js';
import type { Memory } from '../../src/core/memory-pool.js';
import { BatchCache } from '../../src/scan/batch-cache.js';
import { type MergeBounds, MergeCache, MergeIndex } from '../../src/scan/merge-index.js';
import type { Lane } from '../../src/table/key-lane.js';
import type { MergePiece } from '../../src/table/key-merge.js';
import { joinedRuns, type Layer } from '../../src/table/key-run.js';
import type { LoadKeys } from '../../src/table/lane-cursor.js';
import type { Fragment } from '../../src/table/version.js';
import { newTable, spiralAt } from '../client/spiral-at.js';
import { collectGarbage } from '../collect-garbage.js';
import { lawRuns } from '../laws.js';

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

  it('are cut into record batches of about the rows wanted, all of about the same size', () => {
    const property = fc.property(
      fc.array(fc.record({ rows: fc.integer({ min: 1, max: 200 }), alone: fc.boolean() }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.integer({ min: 1, max: 250 }),
      (sizes, rowsMax) => {
        const pieces = sizes.map(({ rows, alone }, at) => ({ ...piece(rows, at), lane: alone ? 0 : -1 }));
        const cut = new MergeIndex([], pieces, true);
        for (const [at, { rows, alone }] of sizes.entries()) {
          const [start, end] = [cut.starts[at]!, cut.starts[at + 1]!];
          const counts: number[] = [];
          for (let from = start; from < end; ) {
            const to = cut.batchEndOf(from, rowsMax);
            for (let row = from; row < to; row++) expect(cut.batchEndOf(row, rowsMax)).toBe(to);
            counts.push(to - from);
            from = to;
          }
          expect(counts.reduce((sum, count) => sum + count, 0)).toBe(rows);
          expect(counts).toHaveLength(alone ? 1 : Math.max(1, Math.round(rows / rowsMax)));
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      },
    );
    fc.assert(property, { numRuns: lawRuns(100, 2000) });
  });
});

/** One lane of one set of `layers` layers: what an index weighs by. */
function lanes(layers: number): Lane[] {
  const fragment = {} as Fragment;
  const set = { layers: Array.from({ length: layers }, (_, order): Layer => ({ fragment, order, table: 0 })) };
  return [{ sets: [set], starts: Float64Array.of(0, 1), tables: 1 }];
}

describe('the orders that a process keeps', () => {
  const bounds: MergeBounds = {
    indexes: { countMax: 2, bytesMax: 1_000_000, idleMsMax: 1000 },
    entriesBytesMax: 100,
  };
  const pieces = [piece(10, 1), piece(3, 2)] as const;
  // Nothing is there to merge entries from: that it is tried is all there is to see.
  const load = (async (): Promise<never> => {
    throw new Error('merged again');
  }) as LoadKeys;

  /** An index of both pieces, with entries of `counts` rows. */
  const make =
    (counts: readonly number[], layers = 1) =>
    async (keep: (piece: MergePiece, entries: Uint16Array<ArrayBuffer>) => void): Promise<MergeIndex> => {
      const own = pieces.map((each) => ({ ...each }));
      for (const [at, count] of counts.entries()) keep(own[at]!, new Uint16Array(count).fill(count));
      return new MergeIndex(lanes(layers), own, true);
    };

  it('are found once each, the least recently used forgotten first', async () => {
    const cache = new MergeCache(bounds);
    const made: string[] = [];
    const get = (name: string): Promise<MergeIndex> =>
      cache.index(name, async (keep) => {
        made.push(name);
        if (name === 'bad') throw new Error('no');
        return make([])(keep);
      });
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await get(name);
    expect(made).toEqual(['a', 'b', 'c', 'b']);
    for (let tries = 0; tries < 2; tries++) await expect(get('bad')).rejects.toThrow('no');
    expect(made.filter((name) => name === 'bad')).toHaveLength(2);
  });

  it('have entries within bytes, those of the piece least recently used forgotten first', async () => {
    const cache = new MergeCache(bounds);
    const index = await cache.index('a', make([30, 15]));
    const [first, second] = index.pieces as [MergePiece, MergePiece];
    expect(cache.held.entriesBytes).toBe(90);
    expect((await cache.entries(index, first, load))[0]).toBe(30);
    await cache.index('b', make([6]));
    expect(cache.held.entriesBytes).toBe(72);
    await expect(cache.entries(index, second, load)).rejects.toThrow();
    expect((await cache.entries(index, first, load))[0]).toBe(30);
  });

  it('go with their entries, and come back when a scan that is still open reads by them', async () => {
    const cache = new MergeCache(bounds);
    const index = await cache.index('a', make([20]));
    await cache.index('b', make([5]));
    await cache.index('c', make([5]));
    expect(cache.held).toMatchObject({ indexes: 2, entriesBytes: 20 });
    const again = await cache.index('a', make([10]));
    expect(again).not.toBe(index);
    // It brings its index back, though another one has its name.
    await expect(cache.entries(index, index.pieces[0]!, load)).rejects.toThrow();
    expect((await cache.entries(again, again.pieces[0]!, load))[0]).toBe(10);
    expect(cache.held).toMatchObject({ indexes: 2, entriesBytes: 20 });
    expect(await cache.index('a', make([]))).toBe(again);
  });

  it('are forgotten by their bytes, however few they are', async () => {
    const cache = new MergeCache({ ...bounds, indexes: { ...bounds.indexes, countMax: 100, bytesMax: 1_000_000 } });
    for (let at = 0; at < 20; at++) await cache.index(`${at}`, make([], 200));
    expect(cache.held.indexBytes).toBeLessThanOrEqual(1_000_000);
    expect(cache.held.indexes).toBeLessThan(20);
    expect(cache.held.indexes).toBeGreaterThan(1);
  });

  it('are forgotten once nobody asked for them for long: those of versions that nobody reads any more', async () => {
    let now = 0;
    const cache = new MergeCache({ ...bounds, indexes: { ...bounds.indexes, countMax: 100 } }, () => now);
    const index = await cache.index('a', make([1]));
    for (let version = 0; version < 20; version++) {
      now += 300;
      await cache.index(`${version}`, make([1]));
      await cache.entries(index, index.pieces[0]!, load);
    }
    expect(cache.held).toMatchObject({ indexes: 5, entriesBytes: 10 });
  });

  it('take no more memory than they are weighed by', async () => {
    const runs = Array.from({ length: 20 }, (_, at) => joinedRuns([overlapping(500, at)])[0]!);
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const held = runs.map(({ sets }) => joinedRuns([sets.flatMap(({ layers }) => layers.map((l) => l.fragment))]));
    collectGarbage();
    const perLayer = (process.memoryUsage().heapUsed - before) / (20 * 500);
    expect(held).toHaveLength(20);
    // Its object, its set and its places in lists. Made by a spread each took 200 bytes more, for a shape of its own.
    expect(perLayer).toBeLessThan(260);
  });
});

/** Fragments with the same keys at their ends and others between, so that each is a set of its own. */
function overlapping(count: number, seed: number): Fragment[] {
  return Array.from({ length: count }, (_, at) => ({
    rows: 3,
    batchRows: 3,
    keyMin: Uint8Array.of(1),
    keyMax: Uint8Array.of(9),
    keyDigest: Uint8Array.of(seed, at >> 8, at & 255),
    batchKeys: [Uint8Array.of(1)],
    files: [],
    version: at + 1,
    commit: at + 1,
    ordinal: 0,
    deletes: false,
  }));
}

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
    // Somebody still holds 'a', so it is 'b' that has to go, and its memory is that of 'c'.
    expect(['a', 'b'].map((name) => cache.has(name))).toEqual([true, false]);
    (await cache.get('c', read)).release();
    const places = (): number =>
      new Set(taken.map(({ buffer, byteOffset }) => `${buffers.indexOf(buffer)} ${byteOffset}`)).size;
    const buffers = [...new Set(taken.map(({ buffer }) => buffer))];
    expect(places()).toBe(2);
    second.release();
    (await cache.get('d', read)).release();
    expect(reads).toBe(4);
    expect(places()).toBe(2);
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
