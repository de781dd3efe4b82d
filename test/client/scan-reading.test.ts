import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Table as ArrowTable, RecordBatchReader } from 'apache-arrow';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { randomStream, shuffle } from '../../src/core/random.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const rowsFrom = (from: number, to: number): Record<string, unknown>[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), text: `row ${from + at}` }));

/** Three writes of 100 rows, in batches of 10. */
async function filled(spiral: Spiral): Promise<Table> {
  const table = await newTable(spiral);
  for (const from of [100, 0, 200]) {
    await table.write(shuffle(rowsFrom(from, from + 100), randomStream('reading', from)), { batchRows: 10 });
  }
  return table;
}

const idsOf = (rows: readonly Record<string, unknown>[]): number[] => rows.map(({ id }) => Number(id));
const sorted = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);
const all = Array.from({ length: 300 }, (_, at) => at);

async function taken(rows: AsyncIterable<Record<string, unknown>>, most: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of rows) if (ids.push(Number(id)) >= most) break;
  return ids;
}

describe('unordered record batches', () => {
  it('are the same rows as the ordered ones, however many are read ahead', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    for (const batchReadahead of [0, 1, 7, 100]) {
      expect(sorted(idsOf(await scan.toUnorderedRecordBatches({ batchReadahead }).toRows()))).toEqual(all);
    }
    const [, second] = await scan.shards();
    const some = await scan.toUnorderedRecordBatches({ shards: [second!] }).toRows();
    expect(sorted(idsOf(some))).toEqual(all.slice(100, 200));
  });

  it('end when left, when the signal aborts, and with the error of what cannot be read', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await filled(spiral);
    const scan = await spiral.scan(table);
    for await (const batch of scan.toUnorderedRecordBatches({ batchReadahead: 2 })) {
      expect(batch.numRows).toBe(10);
      break;
    }
    expect(scan.metrics.batches).toBeLessThan(10);
    const aborted = scan.toUnorderedRecordBatches({ signal: AbortSignal.abort() });
    expect(await refusal(aborted.toRows())).toMatchObject({ code: 'cancelled' });
    const data = join(folder.path, 'tables', table.id, 'data');
    const [file] = (await readdir(data)).filter((name) => name.endsWith('.arrow'));
    const bytes = await readFile(join(data, file!));
    bytes.fill(0xff, 512, 1024);
    await writeFile(join(data, file!), bytes);
    await using fresh = spiralAt(folder.path);
    const damaged = await fresh.scan(await fresh.table(table.id));
    expect(await refusal(damaged.toUnorderedRecordBatches().toRows())).toMatchObject({ code: 'corrupt_file' });
  });
});

describe('options of reading', () => {
  it('are refused where they are unknown or wrong', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    for (const [options, code] of [
      [{ batchsize: 1 }, 'invalid_argument'],
      [{ batchSize: 0 }, 'invalid_size'],
      [{ hideProgressBar: 'yes' }, 'invalid_argument'],
      [{ batchReadahead: -1 }, 'invalid_size'],
    ] as const) {
      expect(await refusal(() => scan.toRecordBatches(options as never))).toMatchObject({ code });
      expect(await refusal(() => scan.toUnorderedRecordBatches(options as never))).toMatchObject({ code });
    }
    expect(await scan.toRows({ batchSize: 7, hideProgressBar: true })).toHaveLength(300);
  });
});

describe('the iterable dataset', () => {
  it('gives rows shard by shard, as often as it is iterated', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    const dataset = scan.toIterableDataset();
    expect(await taken(dataset, 1000)).toEqual(all);
    expect(await taken(dataset, 5)).toEqual([0, 1, 2, 3, 4]);
    const [first, , third] = await scan.shards();
    expect(await taken(scan.toIterableDataset({ shards: [third!, first!] }), 1000)).toEqual([
      ...all.slice(200),
      ...all.slice(0, 100),
    ]);
  });

  it('shuffles by a seed, each pass of an infinite one anew, and within shards', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    const shuffled = (seed?: number, infinite = false): AsyncIterable<Record<string, unknown>> =>
      scan.toIterableDataset({ shuffle: { bufferSize: 50, ...(seed === undefined ? {} : { seed }) }, infinite });
    const once = await taken(shuffled(7), 1000);
    expect(once).not.toEqual(all);
    expect(sorted(once)).toEqual(all);
    expect(await taken(shuffled(7), 1000)).toEqual(once);
    expect(await taken(shuffled(8), 1000)).not.toEqual(once);
    expect(await taken(shuffled(), 1000)).not.toEqual(await taken(shuffled(), 1000));
    for (const at of [0, 100, 200])
      expect(new Set(once.slice(at, at + 100).map((id) => Math.floor(id / 100))).size).toBe(1);
    const twice = await taken(shuffled(7, true), 600);
    expect(twice.slice(0, 300)).toEqual(once);
    expect(sorted(twice.slice(300))).toEqual(all);
    expect(twice.slice(300)).not.toEqual(once);
    expect(await taken(scan.toIterableDataset({ infinite: true }), 310)).toEqual([...all, ...all.slice(0, 10)]);
  });

  it('of no rows ends at once, and an infinite one is refused', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await newTable(spiral));
    expect(await taken(scan.toIterableDataset(), 10)).toEqual([]);
    expect(await refusal(taken(scan.toIterableDataset({ infinite: true }), 10))).toMatchObject({ code: 'no_rows' });
  });

  it.each([
    { shuffle: {} },
    { shuffle: { bufferSize: 0 } },
    { shuffle: 5 },
    { shuffle: { bufferSize: 5, size: 1 } },
    { infinite: 1 },
    { batchReadahead: 0.5 },
    { seed: 1 },
  ])('refuses %j', async (options) => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await newTable(spiral));
    expect(await refusal(() => scan.toIterableDataset(options as never))).toMatchObject({ kind: 'invalid_argument' });
  });
});

describe('a scan written as a file', () => {
  const readBack = {
    toParquet: async (bytes: Buffer) =>
      (await parquetReadObjects({ file: Uint8Array.from(bytes).buffer })) as Record<string, unknown>[],
    toArrowFile: async (bytes: Buffer) => new ArrowTable(RecordBatchReader.from(bytes)).batches.flatMap(batchRows),
    toJsonl: async (bytes: Buffer) =>
      bytes
        .toString()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .map((row) => ({ ...row, id: BigInt(row['id'] as number) })),
  };
  const ways = Object.keys(readBack) as (keyof typeof readBack)[];
  const write = (scan: Scan, way: keyof typeof readBack, ...rest: Parameters<Scan['toParquet']>) => scan[way](...rest);

  it.each(ways)('%s: holds the rows in the order of their keys, in the place of what was there', async (way) => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    const place = join(folder.path, 'deep', 'a b');
    const written = await write(scan, way, place);
    const bytes = await readFile(place);
    expect(written).toEqual({ rows: 300, bytes: bytes.byteLength });
    expect(await readBack[way](bytes)).toEqual(rowsFrom(0, 300));
    const [, second] = await scan.shards();
    await write(scan, way, pathToFileURL(place).href, { shards: [second!] });
    expect(await readBack[way](await readFile(place))).toEqual(rowsFrom(100, 200));
    const none = await spiral.scan(await spiral.project('p').createTable('none', { keySchema: { id: 'int64' } }));
    expect((await write(none, way, place)).rows).toBe(0);
    expect(await readBack[way](await readFile(place))).toEqual([]);
  });

  it.each(ways)('%s: leaves what was there where reading fails or is cancelled', async (way) => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(join(folder.path, 'warehouse'));
    const table = await filled(spiral);
    const place = join(folder.path, 'out', 'rows');
    await mkdir(join(folder.path, 'out'));
    await writeFile(place, 'before');
    const scan = await spiral.scan(table);
    expect(await refusal(write(scan, way, place, { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'cancelled',
    });
    const data = join(folder.path, 'warehouse', 'tables', table.id, 'data');
    for (const file of await readdir(data)) {
      const bytes = await readFile(join(data, file));
      bytes.fill(0xff, 1024, 1100);
      await writeFile(join(data, file), bytes);
    }
    await using fresh = spiralAt(join(folder.path, 'warehouse'));
    const damaged = await fresh.scan(await fresh.table(table.id));
    expect(await refusal(write(damaged, way, place))).toMatchObject({ code: 'corrupt_file' });
    expect(await readFile(place, 'utf8')).toBe('before');
    expect(
      (await readdir(join(folder.path, 'out'))).filter((name) => name !== 'rows' && !name.startsWith('.')),
    ).toEqual([]);
  });

  it.each(['', 'folder/', 'memory://name', 'file://host/x', 'gopher://host/x', 5])(
    'refuses %j as its place',
    async (uri) => {
      await using spiral = spiralAt();
      const scan = await spiral.scan(await newTable(spiral));
      const { kind } = await refusal(scan.toJsonl(uri as string));
      expect(['invalid_argument', 'unsupported']).toContain(kind);
    },
  );

  it('refuses types that the format lacks, by column', async () => {
    await using spiral = spiralAt();
    const table = await spiral
      .createProject('q')
      .then((project) => project.createTable('t', { keySchema: { id: 'int64' } }));
    const { columnsToBatch } = await import('../../src/arrow/build.js');
    const { toSchema } = await import('../../src/arrow/schema.js');
    await table.write(
      columnsToBatch({ id: [1n], took: [5n] }, toSchema({ id: 'int64', took: 'duration[ms]' }, 'a test')),
    );
    const scan = await spiral.scan(table);
    expect(await refusal(scan.toParquet('memory://out/x.parquet'))).toMatchObject({
      code: 'unsupported_type',
      details: { column: 'took' },
    });
    expect(await scan.toJsonl('memory://out/x.jsonl')).toMatchObject({ rows: 1 });
  });
});
