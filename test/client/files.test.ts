import { cp, mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileTable } from '../../src/client/file-table.js';
import type { Scan } from '../../src/client/scan.js';
import { whichRows } from '../../src/loader/which-rows.js';
import { Shard } from '../../src/sharding/shard.js';
import { World } from '../../src/sharding/world.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { duck } from '../format/duck.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const at = (...path: string[]): string => join(folder.path, ...path);
const spiral = spiralAt();
afterAll(() => spiral.close());

const select = (from: number, to: number): string =>
  `select i id, case when i % 3 = 0 then null else 'text ' || i end t,
   case when i % 5 = 0 then null else {'size': i::int, 'deep': {'name': 'n' || i}} end meta, [i, i + 1] pair
   from range(${from}, ${to}) r(i)`;
const row = (id: number): Record<string, unknown> => ({
  id: BigInt(id),
  t: id % 3 === 0 ? null : `text ${id}`,
  meta: id % 5 === 0 ? null : { size: id, deep: { name: `n${id}` } },
  pair: BigInt64Array.of(BigInt(id), BigInt(id + 1)),
});
const write = async (path: string, sql: string, options = ', row_group_size 2048'): Promise<void> => {
  await (await duck()).run(`copy (${sql}) to '${path}' (format parquet${options})`);
};

/** 10,000 rows in four row groups of three files, `b/` sorted between the two beside it. */
beforeAll(async () => {
  await mkdir(at('data', 'b'), { recursive: true });
  await mkdir(at('data', '_old'), { recursive: true });
  await write(at('data', 'a.parquet'), select(0, 3000));
  await write(at('data', 'b', 'x.parquet'), select(3000, 5000));
  await write(at('data', 'c.parquet'), select(5000, 10_000));
  await write(at('data', '_old', 'a.parquet'), 'select 1 other');
  await write(at('data', '.hidden.parquet'), 'select 1 other');
  await writeFile(at('data', 'README.md'), 'No data.');
});

const all = (): Promise<FileTable> => spiral.files(at('data'));
const ids = async (scan: Scan): Promise<number[]> => (await scan.toRows()).map(({ id }) => Number(id));
const upTo = (rows: number): number[] => Array.from({ length: rows }, (_, id) => id);

describe('files', () => {
  it('in a folder are one table: in the order of their paths, hidden ones and other formats passed over', async () => {
    const files = await all();
    expect(files).toMatchObject({ files: ['a.parquet', 'b/x.parquet', 'c.parquet'], rows: 10_000, format: 'parquet' });
    expect(files.root).toBe(pathToFileURL(at('data')).href);
    const rows = await (await spiral.scan(files)).toRows();
    expect(rows).toEqual(upTo(10_000).map(row));
  });

  it.each<[string, () => string | string[], string[]]>([
    ['a file', () => at('data', 'c.parquet'), ['c.parquet']],
    ['a file:// URI', () => pathToFileURL(at('data', 'b')).href, ['x.parquet']],
    [
      'files and folders, some twice',
      () => [at('data', 'c.parquet'), at('data', 'b'), at('data', 'b', 'x.parquet')],
      ['b/x.parquet', 'c.parquet'],
    ],
    ['a pattern', () => at('data', '*.parquet'), ['a.parquet', 'c.parquet']],
    ['a pattern of folders', () => at('da?a', '**', '[ax].parquet'), ['data/a.parquet', 'data/b/x.parquet']],
    ['alternatives', () => at('data', '{a,b/x}.parquet'), ['a.parquet', 'b/x.parquet']],
    ['a hidden file that is named', () => at('data', '.hidden.parquet'), ['.hidden.parquet']],
    ['hidden files that a pattern names', () => at('data', '_old', '*'), ['a.parquet']],
  ])('are found by %s', async (_, uris, found) => {
    expect((await spiral.files(uris())).files).toEqual(found);
  });

  it('of a name like a pattern are found by it', async () => {
    await cp(at('data', 'a.parquet'), at('[a] {1}.parquet'));
    expect((await spiral.files(at('[a] {1}.parquet'))).files).toEqual(['[a] {1}.parquet']);
  });

  it('are read from memory as well, and by loaders over it', async () => {
    const store = memoryStore('files-test');
    await store.put('in/a.parquet', await readFile(at('data', 'a.parquet')));
    const files = await spiral.files('memory://files-test/in');
    const loader = (await spiral.scan(files.select('id'))).toDataLoader({ batchSize: 1000, shuffleShards: false });
    expect(await loaded(loader)).toEqual(upTo(3000));
    await loader.close();
  });

  it.each<[string, () => unknown, Record<string, unknown>?, string?, string?]>([
    ['nothing', () => []],
    ['no list', () => 7],
    ['no path', () => ['']],
    ['a folder that is not there', () => at('nowhere'), {}, 'not_found'],
    ['a pattern without a match, beside one with', () => [at('data'), at('data', '*.pq')], {}, 'not_found', '*.pq'],
    ['a folder without files of the format', () => at('data', '_old', '..', 'empty'), {}, 'not_found'],
    ['a scheme that is not read', () => 'ftp://example.org/a.parquet', {}, 'unsupported', 'ftp'],
    ['two stores', () => [at('data'), 'memory://files-test/in']],
    ['an unknown extension', () => at('data', 'README.md'), {}, 'invalid_argument', 'README.md'],
    ['an unknown option', () => at('data'), { formt: 'parquet' }, 'invalid_argument', 'format'],
    ['an unknown format', () => at('data'), { format: 'orc' }, 'invalid_argument', 'parquet'],
    ['a schema of typed files', () => at('data'), { schema: { id: 'int64' } }, 'invalid_argument', 'schema'],
    ['a format that it is not', () => at('data', 'README.md'), { format: 'parquet' }, 'corrupt_file', 'README.md'],
  ])('refuse %s', async (_, uris, options = {}, code = 'invalid_argument', named = '') => {
    const error = await refusal(() => spiral.files(uris() as string, options));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(named)]);
  });

  it('with other columns are refused, naming both files and the column', async () => {
    await mkdir(at('mixed'));
    await write(at('mixed', 'a.parquet'), 'select 1 id, 2 x');
    await write(at('mixed', 'b.parquet'), "select 1 id, 'two' x");
    expect(await refusal(() => spiral.files(at('mixed')))).toMatchObject({
      code: 'type_mismatch',
      message: expect.stringMatching(/'x' is Int32 in a\.parquet and Utf8 in b\.parquet/),
      details: { files: ['a.parquet', 'b.parquet'], column: 'x' },
    });
  });

  it('with the same columns in another order, and without rows, are one table', async () => {
    await mkdir(at('orders'));
    await write(at('orders', 'a.parquet'), 'select 1 id, 2 x');
    await write(at('orders', 'b.parquet'), 'select 4 x, 3 id');
    await write(at('orders', 'c.parquet'), 'select 4 x, 3 id limit 0');
    const rows = await (await spiral.scan(await spiral.files(at('orders')))).toRows();
    expect(rows).toEqual([
      { id: 1, x: 2 },
      { id: 3, x: 4 },
    ]);
  });

  it('that are all empty give no rows', async () => {
    await write(at('none.parquet'), 'select 1 id limit 0');
    const scan = await spiral.scan(await spiral.files(at('none.parquet')));
    expect([await scan.toRows(), await scan.isEmpty(), await scan.shards()]).toEqual([[], true, []]);
    const loader = scan.toDataLoader();
    expect((await refusal(() => loaded(loader))).code).toBe('no_rows');
  });
});

describe('a scan of files', () => {
  it.each<[string, (files: FileTable) => Parameters<typeof spiral.scan>[0], Record<string, unknown>[]]>([
    ['columns', (files) => files.select('t', 'id'), [5, 7].map((id) => ({ t: row(id)['t'], id: BigInt(id) }))],
    ['all but some', (files) => files.select({ exclude: ['meta', 'pair', 't'] }), [{ id: 5n }, { id: 7n }]],
    ['a dict', (files) => ({ 'a.b': files.col('id') }), [{ a: { b: 5n } }, { a: { b: 7n } }]],
    ['a struct as it is', (files) => ({ m: files.col('meta') }), [{ m: null }, { m: row(7)['meta'] }]],
    [
      'a part of a struct',
      (files) => files.select('meta.deep.name'),
      [{ meta: { deep: { name: null } } }, { meta: { deep: { name: 'n7' } } }],
    ],
    ['a struct within', (files) => ({ d: files.col('meta.deep') }), [{ d: null }, { d: { name: 'n7' } }]],
    [
      'the key',
      (files) => files.select('file', 'row'),
      [
        { file: 'a.parquet', row: 5n },
        { file: 'a.parquet', row: 7n },
      ],
    ],
    [
      'the key and all',
      (files) => [files, { at: files.col('row') }],
      [5, 7].map((id) => ({ ...row(id), at: BigInt(id) })),
    ],
    ['nothing', (files) => files.select(), [{}, {}]],
  ])('gives %s', async (_, projection, expected) => {
    const rows = await (await spiral.scan(projection(await all()))).toRows();
    expect(rows).toHaveLength(10_000);
    expect([rows[5], rows[7]]).toEqual(expected);
  });

  it('names a column that is not there, and a bare one', async () => {
    const files = await all();
    expect(await refusal(() => spiral.scan(files.select('idd')))).toMatchObject({
      code: 'unknown_column',
      message: expect.stringContaining("'id'"),
    });
    expect((await refusal(() => spiral.scan(files.col('id')))).code).toBe('invalid_expression');
    expect((await refusal(() => spiral.scan(files, { asof: 1 }))).code).toBe('invalid_argument');
    await using other = spiralAt();
    expect(await refusal(() => other.scan(files))).toMatchObject({
      code: 'unknown_table',
      message: expect.stringContaining('files()'),
    });
  });

  it('gives a column named as the key is, and the rest of the key', async () => {
    await write(at('named.parquet'), "select 'mine' file, 4 x");
    const files = await spiral.files(at('named.parquet'));
    expect(await (await spiral.scan(files)).toRows()).toEqual([{ file: 'mine', x: 4 }]);
    expect(await (await spiral.scan(files.select('file', 'row'))).toRows()).toEqual([{ file: 'mine', row: 0n }]);
  });

  it('has a shard for each row group, in order, that cover all rows, and reads them in any choice', async () => {
    const scan = await spiral.scan((await all()).select('id'));
    const shards = await scan.shards();
    expect(shards.map(({ cardinality }) => cardinality)).toEqual([2048, 952, 2000, 2048, 2048, 904]);
    for (const [at, shard] of shards.slice(1).entries()) {
      expect(Buffer.compare(shards[at]!.keyRange.end!, shard.keyRange.begin!)).toBe(0);
      expect(Buffer.compare(shard.keyRange.begin!, shard.keyRange.end!)).toBeLessThan(0);
    }
    const some = [shards[5]!, shards[1]!].map((shard) => Shard.fromJSON(JSON.parse(JSON.stringify(shard))));
    const rows = await scan.toRows({ shards: some });
    expect(rows.map(({ id }) => Number(id))).toEqual([...upTo(3000).slice(2048), ...upTo(10_000).slice(9096)]);
    const [stranger] = await (await spiral.scan(await spiral.files(at('data', 'c.parquet')))).shards();
    expect((await refusal(() => scan.toRows({ shards: [stranger!] }))).code).toBe('invalid_shards');
    expect((await refusal(() => scan.toRows({ shards: [some[0]!, some[0]!] }))).code).toBe('invalid_shards');
  });

  it('counts what it reads, and reads only the columns it gives', async () => {
    const files = await all();
    const read = async (scan: Scan): Promise<number> => {
      const before = scan.metrics.bytes;
      await scan.toTable();
      expect(scan.metrics).toMatchObject({ rows: 10_000, batches: 6 });
      return scan.metrics.bytes - before;
    };
    const whole = await read(await spiral.scan(files));
    expect(await read(await spiral.scan(files.select('id')))).toBeLessThan(whole / 2);
  });

  it('is made again from its JSON, by another client', async () => {
    const scan = await spiral.scan((await all()).select('id'));
    await using other = spiralAt();
    const again = await other.resumeScan(scan.stateJson());
    expect(again.identity).toEqual(scan.identity);
    expect(await ids(again)).toEqual(upTo(10_000));
    const forged = scan.stateJson().replace('"size":', '"size":1');
    expect((await refusal(() => other.resumeScan(forged))).code).toBe('invalid_state');
  });

  it('imports into a table, of which it is then a copy', async () => {
    const table = await newTable(spiral);
    const files = await all();
    await table.write(await spiral.scan(files), { pushDownNulls: true });
    const rows = await (await spiral.scan(table.select('id', 't'))).toRows();
    expect(rows).toEqual(upTo(10_000).map((id) => ({ id: BigInt(id), t: row(id)['t'] })));
  });

  it('is refused once a file has changed or gone, also while it is read', async () => {
    await mkdir(at('changing'));
    const path = at('changing', 'a.parquet');
    const fresh = async (): Promise<Scan> => {
      await write(path, select(0, 5000));
      return spiral.scan((await spiral.files(path)).select('id'));
    };
    let scan = await fresh();
    const json = scan.stateJson();
    await write(path, select(0, 6000));
    expect(await refusal(() => scan.toRows())).toMatchObject({
      code: 'file_changed',
      details: { file: expect.stringContaining('a.parquet') },
    });
    await using other = spiralAt();
    expect((await refusal(() => other.resumeScan(json))).code).toBe('file_changed');

    scan = await fresh();
    const batches = scan.toRecordBatches({ batchReadahead: 0 })[Symbol.asyncIterator]();
    await batches.next();
    await utimes(path, new Date(0), new Date(0));
    const rest = async (): Promise<void> => {
      for (let next = await batches.next(); !next.done; ) next = await batches.next();
    };
    expect((await refusal(rest)).code).toBe('file_changed');

    scan = await fresh();
    await rm(path);
    expect((await refusal(() => scan.toRows())).code).toBe('not_found');
  });

  it('is the same once the folder has moved', async () => {
    await mkdir(at('before'));
    await write(at('before', 'a.parquet'), select(0, 100));
    const first = await spiral.scan(await spiral.files(at('before')));
    await rename(at('before'), at('after'));
    const second = await spiral.scan(await spiral.files(at('after')));
    expect(second.identity).toEqual(first.identity);
  });
});

async function loaded(loader: AsyncIterable<RecordBatch>): Promise<number[]> {
  const found: number[] = [];
  for await (const batch of loader)
    for (const id of batch.getChild('id')!.toArray() as BigInt64Array) found.push(Number(id));
  return found;
}

describe('a loader over files', () => {
  const settings = { batchSize: 300, shuffleBufferSize: 700, interleaveShards: 2, seed: 5 };

  it.each([
    ['on this thread', { feeder: false }],
    ['with a feeder', {}],
    ['over small chunks', { shuffleChunkRows: 100 }],
  ])('gives each row once, in one order, and goes on where it stopped: %s', async (_, options) => {
    const scan = await spiral.scan((await all()).select('id'));
    const loader = scan.toDataLoader({ ...settings, ...options });
    const whole = await loaded(loader);
    await loader.close();
    expect(whole).not.toEqual(upTo(10_000));
    expect(whole.slice().sort((a, b) => a - b)).toEqual(upTo(10_000));
    const first = scan.toDataLoader({ ...settings, ...options, feeder: false });
    const begun: number[] = [];
    for await (const batch of first) {
      begun.push(...Array.from(batch.getChild('id')!.toArray() as BigInt64Array, Number));
      if (first.step === 12) break;
    }
    const state = JSON.parse(JSON.stringify(first.stateDict()));
    await first.close();
    const resumed = scan.resumeDataLoader(state, options);
    const rest = await loaded(resumed);
    await resumed.close();
    expect([...begun, ...rest]).toEqual(whole);
  });

  it('divides them among ranks, and tells which rows a batch is made of', async () => {
    const scan = await spiral.scan((await all()).select('id'));
    const starts = [0, 2048, 3000, 5000, 7048, 9096];
    const found: number[] = [];
    for (const rank of [0, 1]) {
      const world = new World({ rank, worldSize: 2 });
      const loader = scan.toDataLoader({ ...settings, world, uneven: 'split', feeder: false });
      const state = loader.stateDict();
      const whole = await loaded(loader);
      await loader.close();
      found.push(...whole);
      const { shards, rows } = await whichRows(scan, state, 3);
      const named = Array.from(shards, (shard, at) => starts[shard]! + rows[at]!);
      expect(named).toEqual(whole.slice(900, 1200));
    }
    expect(found.sort((a, b) => a - b)).toEqual(upTo(10_000));
  });

  it('refuses a state of other files, or of other versions of them', async () => {
    await mkdir(at('states'));
    await write(at('states', 'a.parquet'), select(0, 1000));
    const open = async (): Promise<Scan> => spiral.scan((await spiral.files(at('states'))).select('id'));
    const state = (await open()).toDataLoader().stateDict();
    await write(at('states', 'a.parquet'), select(0, 1001));
    const changed = await refusal(async () => loaded((await open()).resumeDataLoader(state)));
    expect(changed).toMatchObject({ code: 'state_mismatch', details: { differing: [{ field: 'contents' }] } });
    await write(at('states', 'b.parquet'), select(0, 10));
    const more = await refusal(async () => loaded((await open()).resumeDataLoader(state)));
    expect(more.details['differing']).toMatchObject([{ field: 'files' }, { field: 'contents' }]);
  });

  it('skips the row groups that are damaged, where rows may be bad', async () => {
    const bytes = await readFile(at('data', 'c.parquet'));
    // Among the pages of the second row group.
    const middle = Math.floor(bytes.length / 2);
    bytes.fill(0xff, middle, middle + 200);
    await writeFile(at('hurt.parquet'), bytes);
    const scan = await spiral.scan(await spiral.files(at('hurt.parquet')));
    const error = await refusal(() => scan.toRows());
    expect(error).toMatchObject({
      code: 'corrupt_file',
      details: { group: 1, file: expect.stringContaining('hurt.parquet') },
    });
    const loader = scan.toDataLoader({ shuffleShards: false, rowErrors: { max: '60%' } });
    expect(await loaded(loader)).toEqual([...upTo(10_000).slice(5000, 7048), ...upTo(10_000).slice(9096)]);
    await loader.close();
  });
});
