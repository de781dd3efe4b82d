import { execFile } from 'node:child_process';
import { readdir, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { randomStream, shuffle } from '../../src/core/random.js';
import type { Shard } from '../../src/sharding/shard.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';

const row = (id: number): Record<string, unknown> => ({
  id: BigInt(id),
  text: `row ${id}`,
  wide: 'x'.repeat(100),
  meta: { size: id, deep: { flag: id % 2 === 0, name: `n${id}` } },
});
const rowsFrom = (from: number, to: number): Record<string, unknown>[] =>
  Array.from({ length: to - from }, (_, at) => row(from + at));

/** Three writes of 100 rows each, in batches of 10, written out of order. */
async function filled(spiral: Spiral): Promise<Table> {
  const table = await newTable(spiral);
  for (const from of [100, 0, 200]) {
    const rows = shuffle(rowsFrom(from, from + 100), randomStream('scan', from));
    await table.write(rows, { batchRows: 10 });
  }
  return table;
}

const all = rowsFrom(0, 300);

describe('a projection', () => {
  it.each<[string, (table: Table) => Parameters<Spiral['scan']>[0], Record<string, unknown>]>([
    ['a table', (table) => table, row(7)],
    ['columns by name, in that order', (table) => table.select('text', 'id'), { text: 'row 7', id: 7n }],
    [
      'parts of structs',
      (table) => table.select('meta.deep.name', 'meta.size'),
      { meta: { deep: { name: 'n7' }, size: 7 } },
    ],
    [
      'a struct and a part of it',
      (table) => table.select('meta.size', 'meta'),
      { meta: { size: 7, deep: { flag: false, name: 'n7' } } },
    ],
    [
      'all but some',
      (table) => table.select({ exclude: ['wide', 'meta.deep'] }),
      { id: 7n, text: 'row 7', meta: { size: 7 } },
    ],
    ['a struct as the row', (table) => table.col('meta.deep'), { flag: false, name: 'n7' }],
    [
      'a dict',
      (table) => ({ a: table.col('id'), b: table.col('meta') }),
      { a: 7n, b: { size: 7, deep: { flag: false, name: 'n7' } } },
    ],
    [
      'a dict of dotted names',
      (table) => ({ 'x.y': table.col('id'), 'x.z.w': table.col('text') }),
      { x: { y: 7n, z: { w: 'row 7' } } },
    ],
    ['one column twice', (table) => ({ a: table.col('id'), b: { c: table.col('id') } }), { a: 7n, b: { c: 7n } }],
    [
      'several, the last wins',
      (table) => [table.select('id', 'text'), { text: table.col('meta.deep.name') }],
      { id: 7n, text: 'n7' },
    ],
    [
      'structs merged in turn',
      (table) => [table.select('meta.size'), { 'meta.deep.name': table.col('id') }],
      { meta: { size: 7, deep: { name: 7n } } },
    ],
    [
      'of a projection',
      (table) => table.select('meta', 'id').select({ exclude: ['meta.deep'] }),
      { meta: { size: 7 }, id: 7n },
    ],
    ['nothing at all', (table) => table.select(), {}],
  ])('of %s', async (_, projection, expected) => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const scan = await spiral.scan(projection(table));
    const rows = await scan.toRows();
    expect(rows).toHaveLength(300);
    expect(rows[7]).toEqual(expected);
    expect(Object.keys(rows[7]!)).toEqual(Object.keys(expected));
    expect(scan.schema.fields.map(({ name }) => name)).toEqual(Object.keys(expected));
  });
});

describe('record batches', () => {
  it('come in key order and hold every row', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    expect(await scan.toRows()).toEqual(all);
    const table = await scan.toTable();
    expect(table.numRows).toBe(300);
    expect(table.getChild('id')!.get(299)).toBe(299n);
    const sizes: number[] = [];
    for await (const batch of scan.toRecordBatches({ batchReadahead: 0 })) sizes.push(batch.numRows);
    expect(sizes).toEqual(new Array(30).fill(10));
  });

  it('are of the version that was there, whatever is written after', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const scan = await spiral.scan(table.select('id', 'text'));
    await table.write(rowsFrom(0, 100).map(({ id }) => ({ id, text: 'newer' })));
    await table.write(rowsFrom(300, 400));
    await table.dropColumns(['text']);
    expect(await scan.toRows()).toEqual(all.map(({ id, text }) => ({ id, text })));
    expect(await spiral.scan(table).then((now) => now.toRows())).toHaveLength(400);
  });

  it('stop when the reader leaves: no file stays open, no read goes on', async () => {
    await using folder = await temporaryFolder();
    const spiral = spiralAt(folder.path);
    const scan = await spiral.scan(await filled(spiral));
    let seen = 0;
    for await (const batch of scan.toRecordBatches({ batchReadahead: 2 })) {
      seen += batch.numRows;
      if (seen >= 20) break;
    }
    const { batches } = scan.metrics;
    expect(batches).toBeLessThan(10);
    await new Promise((resolve) => setImmediate(resolve));
    expect(scan.metrics.batches).toBe(batches);
    await spiral.close();
    const open = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    expect(open.filter((place) => place.startsWith(folder.path))).toEqual([]);
  });

  it('end with `cancelled` when the signal says so, before or in the middle', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    const reason = new Error('enough');
    expect(await refusal(scan.toRows({ signal: AbortSignal.abort(reason) }))).toMatchObject({
      code: 'cancelled',
      cause: reason,
    });
    const controller = new AbortController();
    const reader = scan.toRecordBatches({ signal: controller.signal });
    const read = async (): Promise<void> => {
      for await (const _ of reader) controller.abort(reason);
    };
    expect(await refusal(read())).toMatchObject({ code: 'cancelled' });
    expect(await scan.toRows()).toHaveLength(300);
  });

  it('of one column read little of the files', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const whole = await spiral.scan(table);
    await whole.toRows();
    const one = await spiral.scan(table.select('meta.size'));
    await one.toRows();
    // The record batches of each of the three files are given as one.
    expect(one.metrics).toMatchObject({ rows: 300, requests: 30, batches: 3 });
    expect(one.metrics.bytes).toBeLessThanOrEqual(30 * 128);
    expect(one.metrics.bytes).toBeLessThan(whole.metrics.bytes / 10);
    const none = await spiral.scan(table.select());
    await none.toRows();
    expect(none.metrics.bytes).toBe(0);
  });

  it('of one row each are given 32 at a time, not all at once', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral, { id: 'int64' });
    const ids = BigInt64Array.from({ length: 200 }, (_, id) => BigInt(id));
    await table.write({ id: ids }, { batchRows: 1 });
    const scan = await spiral.scan(table);
    const sizes: number[] = [];
    for await (const batch of scan.toRecordBatches()) sizes.push(batch.numRows);
    expect(sizes).toEqual([...new Array<number>(6).fill(32), 8]);
    expect(scan.metrics.requests).toBe(200);
  });
});

/** That shards are in order, meet end to end, hold each row once and just the keys of their ranges. */
async function checkShards(spiral: Spiral, table: Table, shards: readonly Shard[]): Promise<void> {
  const scan = await spiral.scan(table);
  let next = 0;
  for (const [at, shard] of shards.entries()) {
    const rows = await scan.toRows({ shards: [shard] });
    expect(rows).toEqual(all.slice(next, next + rows.length));
    expect(shard.cardinality).toBe(rows.length);
    expect(shard.physicalRows).toBe(rows.length);
    next += rows.length;
    const { begin, end } = shard.keyRange;
    expect(Buffer.compare(begin!, end!)).toBe(-1);
    if (at > 0) expect(Buffer.from(begin!)).toEqual(Buffer.from(shards[at - 1]!.keyRange.end!));
    expect(Buffer.from(begin!)).toEqual(encoded(rows[0]!['id'] as bigint));
    expect(Buffer.compare(encoded(rows.at(-1)!['id'] as bigint), end!)).toBe(-1);
  }
  expect(next).toBe(all.length);
}

/** The key codec's form of an int64, worked out apart from it. */
function encoded(id: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, id) ^ (1n << 63n));
  return bytes;
}

describe('shards', () => {
  it('are contiguous, disjoint and hold every row; a write is one', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const shards = await (await spiral.scan(table)).shards();
    expect(shards.map(({ cardinality }) => cardinality)).toEqual([100, 100, 100]);
    await checkShards(spiral, table, shards);
  });

  it('are cut at record batches by limits.partition_max_bytes', async () => {
    for (const [bytes, counts] of [
      [1, 10],
      [7000, 30],
      [1e9, 100],
    ] as const) {
      await using spiral = spiralAt(undefined, { 'limits.partition_max_bytes': bytes });
      const table = await filled(spiral);
      const shards = await (await spiral.scan(table)).shards();
      expect(Math.max(...shards.map(({ cardinality }) => cardinality!))).toBeLessThanOrEqual(counts);
      if (bytes === 1) expect(shards).toHaveLength(30);
      await checkShards(spiral, table, shards);
    }
  });

  it('are read in key order, in whatever order they are given, and no others', async () => {
    await using spiral = spiralAt(undefined, { 'limits.partition_max_bytes': 1 });
    const scan = await spiral.scan(await filled(spiral));
    const shards = await scan.shards();
    const some = [shards[17]!, shards[3]!, shards[29]!];
    expect(await scan.toRows({ shards: some })).toEqual([
      ...all.slice(30, 40),
      ...all.slice(170, 180),
      ...all.slice(290, 300),
    ]);
    expect(some[0]).toBe(shards[17]);
    expect(await scan.toRows({ shards: [] })).toEqual([]);
    expect(scan.metrics).toMatchObject({ rows: 30, batches: 3 });
  });

  it('of a table without rows are none', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await newTable(spiral));
    expect(await scan.shards()).toEqual([]);
    expect(await scan.isEmpty()).toBe(true);
    expect(await scan.toRows()).toEqual([]);
    expect((await scan.toTable()).schema.fields.map(({ name }) => name)).toEqual(['id']);
  });
});

describe('stateJson', () => {
  it('opens the same scan and the same shards in another process', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path, { 'limits.partition_max_bytes': 7000 });
    const table = await filled(spiral);
    const scan = await spiral.scan([table.select('id', 'meta.deep'), { n: table.col('meta.size') }]);
    await table.write(rowsFrom(300, 310));
    const shards = await scan.shards();
    expect(scan.stateJson()).not.toContain(folder.path);
    const script = fileURLToPath(new URL('resume-scan.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...typescript, script, folder.path, scan.stateJson(), JSON.stringify(shards[4])],
      { maxBuffer: 2 ** 26 },
    );
    const asText = (rows: unknown): unknown =>
      JSON.parse(JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)));
    const found = JSON.parse(stdout) as { rows: unknown; some: unknown; shards: unknown };
    expect(found.rows).toEqual(asText(await scan.toRows()));
    expect(found.some).toEqual(asText(await scan.toRows({ shards: [shards[4]!] })));
    expect(found.shards).toEqual(JSON.parse(JSON.stringify(shards)));
  });

  it('holds no credentials, no place and no position', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const scan = await spiral.scan(table.select('id'));
    const state = scan.stateJson();
    await scan.toRows();
    expect(scan.stateJson()).toBe(state);
    expect(JSON.parse(state)).toEqual({
      format: 1,
      table: table.id,
      version: 4,
      projection: { kind: 'select', of: { kind: 'table', table: table.id }, paths: ['id'], exclude: false },
    });
  });
});
