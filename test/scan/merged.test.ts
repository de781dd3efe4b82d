import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { isSpiralError } from '../../src/core/errors.js';
import { randomStream, shuffle } from '../../src/core/random.js';
import { fileStore } from '../../src/storage/file-store.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const idsFrom = (from: number, to: number, step = 1): bigint[] =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => BigInt(from + at * step));

const rowsOf = async (spiral: Spiral, table: Table): Promise<unknown[]> => (await spiral.scan(table)).toRows();

describe('deleted keys', () => {
  const kept = async (data: unknown): Promise<unknown[]> => {
    await using spiral = spiralAt();
    const table = await newTable(spiral, { shelf: 'utf8', id: 'int64' });
    await table.write([1, 2, 3].map((id) => ({ shelf: 'a', id: BigInt(id), text: `t${id}` })));
    await table.deleteKeys(data as never);
    return (await rowsOf(spiral, table)).map((row) => Number((row as { id: bigint }).id));
  };

  it.each<[string, unknown]>([
    ['rows', [{ shelf: 'a', id: 2n }]],
    ['rows with the columns in another order', [{ id: 2n, shelf: 'a' }]],
    [
      'rows with a key twice',
      [
        { shelf: 'a', id: 2n },
        { shelf: 'a', id: 2n },
      ],
    ],
    ['rows with keys that are not there', [1n, 2n, 3n, 9n].map((id) => ({ shelf: id === 2n ? 'a' : 'b', id }))],
    ['columns', { shelf: ['a'], id: BigInt64Array.of(2n) }],
    ['vectors', { id: vectorFromArray([2n]), shelf: ['a'] }],
  ])('are taken as %s', async (_, data) => {
    expect(await kept(data)).toEqual([1, 3]);
  });

  it('are taken as Arrow data, of a scan of the keys, and an empty one deletes nothing', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write({ id: idsFrom(0, 10), text: idsFrom(0, 10).map(String) });
    const before = await table.snapshot().asof();
    const keys = (await spiral.scan(table.select('id'))).toTable();
    await table.deleteKeys([]);
    expect(await table.snapshot().asof()).toBe(before);
    await table.deleteKeys((await keys).slice(0, 4));
    expect(await rowsOf(spiral, table)).toHaveLength(6);
    await table.deleteKeys(await keys);
    const scan = await spiral.scan(table);
    expect(await scan.isEmpty()).toBe(true);
    expect(await scan.shards()).toEqual([]);
    expect(await (await spiral.scan(table, { asof: before })).toRows()).toHaveLength(10);
  });

  it('come back with what is then written, and nothing else', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([
      { id: 1n, a: 1, s: { x: 1 } },
      { id: 2n, a: 2, s: { x: 2 } },
    ]);
    await table.deleteKeys([{ id: 1n }, { id: 5n }]);
    await table.write([{ id: 1n, b: 'new' }]);
    await table.write([{ id: 5n, s: { y: 5 } }]);
    expect(await rowsOf(spiral, table)).toEqual([
      { id: 1n, a: null, s: { x: null, y: null }, b: 'new' },
      { id: 2n, a: 2, s: { x: 2, y: null }, b: null },
      { id: 5n, a: null, s: { x: null, y: 5 }, b: null },
    ]);
  });

  it.each<[string, unknown]>([
    ['invalid_rows', [{ id: 1n, text: 'x' }]],
    ['invalid_rows', 'id'],
    ['invalid_key', { other: [] as unknown[], id: [null] }],
    ['invalid_key', [{ id: null }]],
    ['type_mismatch', [{ id: 'one' }]],
  ])('are refused with %s for %o', async (code, data) => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([{ id: 1n }]);
    const before = await table.snapshot().asof();
    const error = await refusal(table.deleteKeys(data as never));
    expect(['invalid_rows', code]).toContain(error.code);
    expect(error.message.length).toBeGreaterThan(40);
    expect(await table.snapshot().asof()).toBe(before);
  });
});

describe('a small write over a large one', () => {
  it('leaves the batches that it does not touch as they are, and reads nothing twice', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    const wide = idsFrom(0, 20_000).map((id) => `${id}`.padEnd(100, '.'));
    await table.write({ id: idsFrom(0, 20_000), wide }, { batchRows: 1000 });
    const plain = await spiral.scan(table);
    await plain.toTable();
    const bytes = plain.metrics.bytes;
    await table.write([
      { id: 5_500n, wide: 'changed' },
      { id: 19_999n, wide: 'changed' },
      { id: 50_000n, wide: 'added' },
    ]);
    const scan = await spiral.scan(table);
    // The keys of two batches: they are in memory no more, but in the page cache.
    expect(scan.metrics.bytes).toBeLessThan(100_000);
    const rows = (await scan.toRows()) as { id: bigint; wide: string }[];
    expect(rows).toHaveLength(20_001);
    expect(rows.filter(({ id, wide }) => wide !== `${id}`.padEnd(100, '.')).map(({ id }) => Number(id))).toEqual([
      5_500, 19_999, 50_000,
    ]);
    expect(scan.metrics.bytes).toBeLessThan(bytes * 1.1);
  });
});

describe('many writes over one another', () => {
  it('are merged, more than fit into 16 bits of lanes or not', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    for (let turn = 0; turn < 70; turn++) {
      await table.write({ id: idsFrom(turn, 500, 7), [`c${turn % 5}`]: idsFrom(turn, 500, 7).map(() => turn) });
    }
    const expected = idsFrom(0, 500).map((id) => {
      const row: Record<string, unknown> = { id, c0: null, c1: null, c2: null, c3: null, c4: null };
      for (let turn = 0; turn < 70; turn++) {
        if (Number(id) >= turn && (Number(id) - turn) % 7 === 0) row[`c${turn % 5}`] = turn;
      }
      return row;
    });
    expect(await rowsOf(spiral, table)).toEqual(expected);
  });
});

describe('a table of 10,000 columns', () => {
  it('is written, written over in part, and read by a few of them or by all', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    const columns = Array.from({ length: 10_000 }, (_, at) => `c${at}`);
    const ofAll = (ids: bigint[], value: number): Record<string, unknown> =>
      Object.fromEntries([['id', ids], ...columns.map((name, at) => [name, Float32Array.from(ids, () => value + at)])]);
    await table.write(ofAll(idsFrom(0, 6, 2), 0) as never);
    await table.write({ id: [1n, 2n], c7: [0.5, null], c9999: [1.5, 2.5] } as never);
    const few = await spiral.scan(table.select('c9999', 'id', 'c7'));
    expect(await few.toRows()).toEqual([
      { c9999: 9999, id: 0n, c7: 7 },
      { c9999: 1.5, id: 1n, c7: 0.5 },
      { c9999: 2.5, id: 2n, c7: null },
      { c9999: 9999, id: 4n, c7: 7 },
    ]);
    const [, , third] = await (await spiral.scan(table)).toRows();
    expect(third).toMatchObject({ id: 2n, c0: 0, c7: null, c9998: 9998, c9999: 2.5 });
    expect(Object.keys(third!)).toHaveLength(10_001);
  });
});

describe('a damaged file of a table whose writes overlap (law 22)', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let tableId: string;
  /** In the order in which they were written. */
  let files: string[];
  let expected: unknown[];

  beforeAll(async () => {
    folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    tableId = table.id;
    const store = fileStore(folder.path);
    files = [];
    for (let turn = 0; turn < 4; turn++) {
      const ids = shuffle(idsFrom(0, 60), randomStream('damage', turn)).slice(0, 40);
      if (turn === 2) await table.deleteKeys({ id: ids.slice(0, 12) });
      else await table.write({ id: ids, [`c${turn % 2}`]: ids.map((id) => `${turn} ${id}`) }, { batchRows: 8 });
      for await (const { path } of store.list(`tables/${tableId}/data/`)) if (!files.includes(path)) files.push(path);
    }
    await store.close();
    expected = await rowsOf(spiral, table);
  });
  afterAll(() => folder[Symbol.asyncDispose]());

  /** Reads part by part, in an order of its own. */
  async function read(): Promise<unknown[]> {
    await using spiral = spiralAt(folder.path);
    const scan: Scan = await spiral.scan(await spiral.table(tableId));
    const rows: unknown[] = [];
    for (const shard of await scan.shards()) rows.push(...(await scan.toRows({ shards: [shard] })));
    return rows;
  }

  it('gives the rows that were written or an error that names it, whatever byte was changed', async () => {
    expect(await read()).toEqual(expected);
    let errors = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (file, at, bits) => {
        const path = files[file % files.length]!;
        const place = join(folder.path, path);
        const good = await readFile(place);
        const bad = Buffer.from(good);
        bad[at % bad.length]! ^= bits;
        await writeFile(place, bad);
        try {
          expect(await read()).toEqual(expected);
        } catch (error) {
          if (!isSpiralError(error)) throw error;
          errors++;
          expect(['corrupt_file', 'unsupported']).toContain(error.code);
          expect(error.message).toContain(path);
        } finally {
          await writeFile(place, good);
        }
      }),
      { numRuns: lawRuns(60, 4000), endOnFailure: true },
    );
    expect(errors).toBeGreaterThan(0);
  });

  it('is found out in its keys even where no checksum is looked at, and by who looks at them later', async () => {
    await using spiral = spiralAt(folder.path, { verify: 'never' });
    const table = await spiral.table(tableId);
    const place = join(folder.path, files.at(-1)!);
    const good = await readFile(place);
    const { index } = await (await import('../../src/format/arrow-file.js')).ArrowFile.open(
      fileStore(folder.path),
      files.at(-1)!,
    );
    const [batch] = index.batches;
    const bad = Buffer.from(good);
    // The last but one key of the first batch, far above the last.
    bad[batch!.bodyOffset + batch!.offsets[1]! + 6 * 8 + 3]! ^= 0x40;
    await writeFile(place, bad);
    try {
      expect(await refusal(spiral.scan(table))).toMatchObject({ code: 'corrupt_file' });
      // A cell of another kind: nobody looks, so it is read as it is, until somebody looks.
      bad.set(good);
      bad[batch!.bodyOffset + batch!.offsets.at(-1)!]! ^= 0x01;
      await writeFile(place, bad);
      await using later = spiralAt(folder.path, { verify: 'never' });
      const scan = await later.scan(await later.table(tableId));
      expect(await scan.toRows()).not.toEqual(expected);
      expect(await refusal(scan.toRows({ verify: 'always' }))).toMatchObject({ code: 'corrupt_file' });
      expect(await refusal(scan.toRows({ verify: 'first' }))).toMatchObject({ code: 'corrupt_file' });
    } finally {
      await writeFile(place, good);
    }
  });

  it('fails whole pieces, the same for every way of reading them', async () => {
    const place = join(folder.path, files.at(-1)!);
    const good = await readFile(place);
    const { index } = await (await import('../../src/format/arrow-file.js')).ArrowFile.open(
      fileStore(folder.path),
      files.at(-1)!,
    );
    const column = index.batches[0]!;
    const bad = Buffer.from(good);
    bad[column.bodyOffset + column.offsets.at(-1)!]! ^= 0x01;
    await writeFile(place, bad);
    try {
      await using spiral = spiralAt(folder.path);
      const scan = await spiral.scan(await spiral.table(tableId));
      const given = new Set<string>();
      for (const batchSize of [1, 7]) {
        await using loader = scan.toDataLoader({
          batchSize,
          shuffleBufferSize: 0,
          shuffleShards: false,
          feeder: false,
          rowErrors: { max: 60 },
        });
        const rows: unknown[] = [];
        for await (const batch of loader) rows.push(...batchRows(batch).map(({ id }) => Number(id)));
        expect(rows.length).toBeGreaterThan(0);
        expect(rows.length).toBeLessThan(expected.length);
        given.add(JSON.stringify(rows));
      }
      expect(given.size).toBe(1);
    } finally {
      await writeFile(place, good);
    }
  });
});
