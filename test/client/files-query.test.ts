import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileTable } from '../../src/client/file-table.js';
import { se } from '../../src/index.js';
import { duck, duckRows } from '../format/duck.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { refusal, spiralAt } from './spiral-at.js';

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const spiral = spiralAt();
afterAll(() => spiral.close());
const rows = 20_480;
let files: FileTable;

/** Ten row groups in two files, with a wide column beside `id` and `score`. */
beforeAll(async () => {
  for (const [at, name] of ['a', 'b'].entries()) {
    const half = rows / 2;
    const select = `select i id, (i % 100)::int score, repeat('text ' || hash(i), 10) body
      from range(${at * half}, ${(at + 1) * half}) r(i)`;
    await (await duck()).run(
      `copy (${select}) to '${join(folder.path, `${name}.parquet`)}' (format parquet, row_group_size 2048, compression uncompressed)`,
    );
  }
  files = await spiral.files(folder.path);
});

describe('a query of files', () => {
  it('computes its columns and says what it reads', async () => {
    const where = files.col('id').gte(10_200n).and(files.col('score').eq(7));
    const double = files.col('score').multiply(2);
    const scan = await spiral.scan({ id: files.col('id'), double, file: files.col('file') }, { where });
    expect(await scan.toRows({ batchReadahead: 0 })).toEqual(
      Array.from({ length: 103 }, (_, at) => {
        const id = 10_207 + at * 100;
        return { id: BigInt(id), double: 14, file: id < rows / 2 ? 'a.parquet' : 'b.parquet' };
      }),
    );
    const text = await scan.explain();
    expect(text).toMatch(/^scan +files in file:/);
    expect(text).toContain('groups       10 groups, 4 ruled out by statistics');
    expect(text).toContain('reads first  id, score');
    expect(scan.metrics).toMatchObject({ filesOpened: 2, filesPruned: 0, batchesPruned: 4, rows: 103 });
  });

  it('reads of groups without survivors the columns of the filter alone, and of those ruled out nothing', async () => {
    const bytes = async (where: Parameters<typeof spiral.scan>[1]): Promise<number> => {
      const scan = await spiral.scan(files, where);
      const opened = scan.metrics.bytes;
      await scan.toTable();
      return scan.metrics.bytes - opened;
    };
    const all = await bytes({});
    // A hundredth of the rows, in one of ten groups.
    expect(await bytes({ where: files.col('id').lt(200n) })).toBeLessThan(0.12 * all);
    // Statistics do not tell, but no row survives: the wide column is not read.
    expect(await bytes({ where: files.col('score').multiply(2).eq(7) })).toBeLessThan(0.05 * all);
    expect(await bytes({ where: files.col('file').eq('c.parquet') })).toBe(0);
  });

  it('by the key alone rules out files, and knows when nothing is left', async () => {
    const scan = await spiral.scan(files.select('id'), { where: files.col('file').eq('b.parquet') });
    expect(await scan.toRows()).toHaveLength(rows / 2);
    expect(scan.metrics).toMatchObject({ filesOpened: 1, filesPruned: 1, batchesPruned: 5 });
    const none = await spiral.scan(files.select('id'), { where: files.col('row').gt(BigInt(rows)) });
    expect(await none.isEmpty()).toBe(true);
    expect(await none.toRows()).toEqual([]);
  });

  it('takes rows by file and number: in the order of the key table, as often as asked for, with its columns', async () => {
    const keyTable = [
      { file: 'b.parquet', row: 5n, bonus: 1 },
      { file: 'a.parquet', row: 10_239n, bonus: 2 },
      { file: 'a.parquet', row: 10_240n, bonus: 3 },
      { file: 'b.parquet', row: 5n, bonus: 4 },
      { file: 'c.parquet', row: 0n, bonus: 5 },
      { file: 'a.parquet', row: -1n, bonus: 6 },
      { file: 'a.parquet', row: 0n, bonus: 7 },
    ];
    const sum = files.col('score').add(se.aux('bonus', 'int32'));
    const scan = await spiral.scan({ id: files.col('id'), sum, row: files.col('row') });
    expect(await scan.toRows({ keyTable })).toEqual([
      { id: 10_245n, sum: 46, row: 5n },
      { id: 10_239n, sum: 41, row: 10_239n },
      { id: 10_245n, sum: 49, row: 5n },
      { id: 0n, sum: 7, row: 0n },
    ]);
    const filtered = await spiral.scan(files.select('id'), { where: files.col('score').gt(40) });
    expect(await filtered.toRows({ keyTable: keyTable.map(({ file, row }) => ({ file, row })) })).toEqual([
      { id: 10_245n },
      { id: 10_245n },
    ]);
    expect(await refusal(scan.toRows())).toMatchObject({ code: 'invalid_expression' });
    expect(await refusal(scan.toRows({ keyTable: [{ file: 'a.parquet', row: 1n }] }))).toMatchObject({
      code: 'invalid_expression',
    });
    expect(await refusal(filtered.toRows({ keyTable: [{ file: null, row: 1n }] }))).toMatchObject({
      code: 'invalid_key',
    });
  });

  it('is the same after its state crossed as JSON, and another filter is another scan', async () => {
    const where = files.col('score').lt(3);
    const scan = await spiral.scan(files.select('id'), { where });
    await using other = spiralAt();
    const resumed = await other.resumeScan(scan.stateJson());
    expect(await resumed.toRows()).toEqual(await scan.toRows());
    expect(resumed.identity).toEqual(scan.identity);
    const plain = await spiral.scan(files.select('id'));
    expect(scan.identity).not.toEqual(plain.identity);
  });

  it('goes to files, of Parquet and JSON lines, and these are read again', async () => {
    const where = files.col('score').eq(50);
    const scan = await spiral.scan(files.select('id', 'score'), { where });
    const expected = await scan.toRows();
    expect(expected).toHaveLength(205);
    for (const name of ['out.parquet', 'out.jsonl', 'out.arrow'] as const) {
      await using out = await temporaryFolder();
      const path = join(out.path, name);
      if (name === 'out.parquet') await scan.toParquet(path);
      else if (name === 'out.arrow') await scan.toArrowFile(path);
      else await scan.toJsonl(path);
      const again = await spiral.files(path, name === 'out.jsonl' ? { schema: { id: 'int64', score: 'int32' } } : {});
      const where = again.col('id').gt(1000n);
      expect(await (await spiral.scan(again, { where })).toRows()).toEqual(
        expected.filter(({ id }) => (id as bigint) > 1000n),
      );
    }
  });

  it.each<[string, () => Promise<unknown>, string, RegExp]>([
    [
      'an unknown column in the filter',
      () => spiral.scan(files, { where: files.col('scor').gt(1) }),
      'unknown_column',
      /score/,
    ],
    ['a filter that is not boolean', () => spiral.scan(files, { where: files.col('score') }), 'type_mismatch', /int32/],
    [
      'a filter of text against numbers',
      () => spiral.scan(files, { where: files.col('score').gt('x') }),
      'type_mismatch',
      /int32/,
    ],
    ['a bare column', () => spiral.scan(files.col('score')), 'invalid_expression', /select\('score'\)/],
    [
      'a time',
      () => spiral.scan(files, { where: files.col('score').gt(1), asof: 1 }),
      'invalid_argument',
      /no history/,
    ],
  ])('refuses %s', async (_, run, code, message) => {
    expect(await refusal(run())).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('meets a bad row of text wherever it is asked for, and only there', async () => {
    const path = join(folder.path, 'bad.jsonl');
    const line = (id: number): string => (id === 60 ? '{"id": 60, "x": "no"}' : `{"id": ${id}, "x": ${id}}`);
    await writeFile(path, Array.from({ length: 100 }, (_, id) => line(id)).join('\n'));
    const bad = await spiral.files(path, { schema: { id: 'int64', x: 'int64' } });
    const scan = await spiral.scan(bad.select('id'), { where: bad.col('x').gt(50n) });
    expect(await refusal(scan.toRows())).toMatchObject({ code: 'corrupt_file', details: { row: 60 } });
    const loader = scan.toDataLoader({ batchSize: 100, rowErrors: { max: 1 }, feeder: false });
    const ids: unknown[] = [];
    for await (const batch of loader) ids.push(...(batch.getChild('id')!.toArray() as BigInt64Array));
    expect(ids.map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 49 }, (_, at) => 51 + at).filter((id) => id !== 60),
    );
    await loader.close();
  });

  it('fails for every part of a group whose other columns are damaged, if any row of it survives, and for no other', async () => {
    await using own = await temporaryFolder();
    const path = join(own.path, 'damaged.parquet');
    const select = "select i id, 'text ' || hash(i) body from range(0, 8192) r(i)";
    await (await duck()).run(`copy (${select}) to '${path}' (format parquet, row_group_size 2048)`);
    const [[offset]] = (await duckRows(
      `select least(coalesce(dictionary_page_offset, data_page_offset), data_page_offset)
       from parquet_metadata('${path}') where row_group_id = 1 and path_in_schema = 'body'`,
    )) as [[unknown]];
    const file = await open(path, 'r+');
    await file.write(Buffer.alloc(24, 0xff), 0, 24, Number(offset));
    await file.close();
    const damaged = await spiral.files(path);
    const where = damaged.col('id').modulo(4096).lt(2100);
    const source = await (await spiral.scan(damaged.select('body'), { where })).openSource();
    const read = (at: number, from: number, to: number): Promise<unknown> =>
      source.readBlock(source.shards[at]!, from, to, new AbortController().signal);
    // Rows 2048 to 2099 survive: the last of the group do not, and fail with them.
    for (const [from, to] of [
      [0, 2048],
      [0, 10],
      [52, 2048],
      [2000, 2001],
    ] as const) {
      expect(await refusal(read(1, from, to))).toMatchObject({ code: 'corrupt_file' });
    }
    for (const at of [0, 2, 3]) await read(at, 0, 2048);
    const scan = await spiral.scan(damaged.select('id', 'body'), { where });
    await using loader = scan.toDataLoader({ batchSize: 64, rowErrors: { max: 2048 }, feeder: false });
    const ids: number[] = [];
    for await (const batch of loader) ids.push(...Array.from(batch.getChild('id')!.toArray() as BigInt64Array, Number));
    expect(ids.filter((id) => id >= 2048 && id < 4096)).toEqual([]);
    expect(ids).toHaveLength(2048 + 2048 + 52);
    const one = damaged.col('id').lt(2048n).or(damaged.col('id').modulo(4096).eq(4095));
    expect(await refusal((await spiral.scan(damaged.select('body'), { where: one })).toRows())).toMatchObject({
      code: 'corrupt_file',
    });
    // Where no row of it survives its other columns are not looked at.
    const others = damaged.col('id').add(1).gt(4096);
    expect(await (await spiral.scan(damaged.select('body'), { where: others })).toRows()).toHaveLength(4096);
  });
});
