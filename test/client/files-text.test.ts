import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const at = (...path: string[]): string => join(folder.path, ...path);
const spiral = spiralAt(at('warehouse'));
afterAll(() => spiral.close());

const rowsOfFile = 4500;
const total = 2 * rowsOfFile;
const ids = Array.from({ length: total }, (_, id) => id);
const text = (id: number): string | null => (id % 5 === 0 ? null : `line ${id},\n"é"`);
const row = (id: number): Record<string, unknown> => ({ id: BigInt(id), text: text(id), score: id + 0.5 });
const fileOf = (id: number): string => `part-${Math.floor(id / rowsOfFile)}`;

const jsonLine = (id: number): string => `${JSON.stringify({ id, text: text(id), score: id + 0.5 })}\n`;
const csvLine = (id: number): string =>
  `${id},${text(id) === null ? '' : `"${text(id)!.replaceAll('"', '""')}"`},${id + 0.5}\r\n`;

/** Two files of 4,500 rows, each of two groups, in each format. */
beforeAll(async () => {
  for (const [name, line, head] of [
    ['jsonl', jsonLine, ''],
    ['csv', csvLine, 'id,text,score\r\n'],
  ] as const) {
    await mkdir(at(name));
    const files = new Map<string, string>();
    for (const id of ids) files.set(fileOf(id), (files.get(fileOf(id)) ?? head) + line(id));
    for (const [file, lines] of files) await writeFile(at(name, `${file}.${name}`), lines);
  }
});

async function loaded(scan: Scan, options: DataLoaderOptions<RecordBatch>): Promise<number[]> {
  await using loader = scan.toDataLoader(options);
  return await idsOf(loader);
}

async function idsOf(loader: AsyncIterable<RecordBatch>): Promise<number[]> {
  const found: number[] = [];
  for await (const batch of loader) found.push(...batchIds(batch));
  return found;
}

const batchIds = (batch: RecordBatch): number[] => Array.from(batch.getChild('id')!.toArray() as BigInt64Array, Number);
const open = async (format: string, client: Spiral = spiral): Promise<Scan> =>
  client.scan(await client.files(at(format)));

describe.each(['jsonl', 'csv'])('files of %s', (format) => {
  it('are one table, with types found out, in the order of their rows', async () => {
    const files = await spiral.files(at(format));
    expect(files).toMatchObject({ format, rows: total });
    expect(files.schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id Int64',
      'text Utf8',
      'score Float64',
    ]);
    expect(await (await spiral.scan(files)).toRows()).toEqual(ids.map(row));
    const keyed = await (await spiral.scan(files.select('file', 'row', 'id'))).toRows();
    expect(keyed).toEqual(
      ids.map((id) => ({ file: `${fileOf(id)}.${format}`, row: BigInt(id % rowsOfFile), id: BigInt(id) })),
    );
  });

  it('give a loader the same shuffled order on every road, each row once', async () => {
    const scan = await open(format);
    for (const options of [{ shuffle: 'epoch' }, { shuffleBufferSize: 500, interleaveShards: 2 }] as const) {
      const inPlace = await loaded(scan, { ...options, batchSize: 100, feeder: false });
      expect(inPlace).not.toEqual(ids);
      expect([...inPlace].sort((a, b) => a - b)).toEqual(ids);
      expect(await loaded(scan, { ...options, batchSize: 100 })).toEqual(inPlace);
    }
  });

  it('go on where a loader stopped, anywhere, also by another client', async () => {
    const options = { shuffle: 'epoch', batchSize: 64, seed: 7 } as const;
    const scan = await open(format);
    const whole = await loaded(scan, { ...options, feeder: false });
    for (const batches of [0, 77, 141]) {
      await using first = scan.toDataLoader({ ...options, feeder: false });
      const begun: number[] = [];
      for await (const batch of first.step === batches ? [] : first) {
        begun.push(...batchIds(batch));
        if (first.step === batches) break;
      }
      const state = JSON.parse(JSON.stringify({ scan: scan.stateJson(), loader: first.stateDict() }));
      await using other = spiralAt(at('warehouse'));
      await using rest = (await other.resumeScan(state.scan)).resumeDataLoader<RecordBatch>(state.loader);
      const found = begun.length === total ? [] : await idsOf(rest);
      expect([...begun, ...found]).toEqual(whole);
    }
  });

  it('are imported into a table', async () => {
    const table = await newTable(spiral, { id: 'int64' });
    await table.write(await open(format));
    const rows = await (await spiral.scan(table.select('id', 'text'))).toRows();
    expect(rows).toEqual(ids.map((id) => ({ id: BigInt(id), text: text(id) })));
  });

  it('are refused once one of them has changed', async () => {
    const path = at(`changing.${format}`);
    const lines = await readFile(at(format, `part-0.${format}`), 'utf8');
    await writeFile(path, lines);
    const scan = await spiral.scan(await spiral.files(path));
    await writeFile(path, lines.replace('line 1,', 'LINE 1,'));
    await utimes(path, new Date(0), new Date(1000));
    expect((await refusal(() => scan.toRows())).code).toBe('file_changed');
    await using other = spiralAt(at('warehouse'));
    expect((await refusal(() => other.resumeScan(scan.stateJson()))).code).toBe('file_changed');
  });

  it('lose just their bad rows, where rows may be bad, on every road', async () => {
    const path = at(`bad.${format}`);
    const lines = ids.slice(0, rowsOfFile).map(format === 'csv' ? csvLine : jsonLine);
    const bad = [0, 17, 18, 4095, 4096, 4499];
    for (const id of bad) lines[id] = format === 'csv' ? `${id},no number\r\n` : `{"id":${id},"score":\n`;
    lines[2000] = lines[2000]!.replace('2000', '"x"');
    const head = format === 'csv' ? 'id,text,score\r\n' : '';
    await writeFile(path, head + lines.join(''));
    const refused = await refusal(() => spiral.files(path));
    // Without a schema all of it has to be understood.
    expect(refused.details).toMatchObject({ row: 0, file: expect.stringContaining(path) });
    const files = await spiral.files(path, { schema: { id: 'int64', score: 'float64' } });
    const scan = await spiral.scan(files);
    expect((await refusal(() => scan.toRows())).code).toBe('corrupt_file');
    const good = ids.slice(0, rowsOfFile).filter((id) => ![...bad, 2000].includes(id));
    for (const options of [{ feeder: false }, {}]) {
      const report = at(`report-${format}-${JSON.stringify(options).length}.jsonl`);
      const rowErrors = { max: 10, report };
      expect(await loaded(scan, { ...options, shuffleShards: false, rowErrors })).toEqual(good);
      const reported = (await readFile(report, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(reported).toHaveLength(7);
      expect(reported.find(({ cause }) => /row 2000 /.test(cause))).toMatchObject({ column: 'id' });
    }
  });
});

describe('text files', () => {
  it('are opened in another process by what the warehouse keeps of them', async () => {
    const scan = await open('csv');
    const shard = (await scan.shards())[1]!;
    const script = fileURLToPath(new URL('../scan/resume-scan.ts', import.meta.url));
    const args = [...typescript, script, at('warehouse'), scan.stateJson(), JSON.stringify(shard)];
    const run = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
    expect(run.stderr).toBe('');
    const found = JSON.parse(run.stdout) as { rows: unknown[]; some: unknown[] };
    expect(found.rows).toEqual(ids.map((id) => ({ ...row(id), id: `${id}n` })));
    expect(found.some).toHaveLength(shard.cardinality!);
    const kept = (await readdir(at('warehouse'), { recursive: true })).filter((path) =>
      /text-index.[0-9a-f]+$/.test(path),
    );
    expect(kept.length).toBeGreaterThanOrEqual(4);
  });

  it('of types that differ are refused with the remedy, which works', async () => {
    await mkdir(at('mixed'));
    await writeFile(at('mixed', 'a.csv'), 'x\n1\n');
    await writeFile(at('mixed', 'b.csv'), 'x\n1.5\n');
    await writeFile(at('mixed', 'empty.csv'), '');
    await writeFile(at('mixed', 'header.csv'), 'x\n');
    expect(await refusal(() => spiral.files(at('mixed')))).toMatchObject({
      code: 'type_mismatch',
      message: expect.stringContaining('`schema`'),
      details: { files: ['a.csv', 'b.csv'], column: 'x' },
    });
    const files = await spiral.files(at('mixed'), { schema: { x: 'float64' } });
    expect(await (await spiral.scan(files)).toRows()).toEqual([{ x: 1 }, { x: 1.5 }]);
  });

  it('keep their schema in states', async () => {
    await writeFile(at('codes.csv'), 'code\n1\n2\n');
    const scan = await spiral.scan(await spiral.files(at('codes.csv'), { schema: { code: 'utf8' } }));
    await using other = spiralAt();
    expect(await (await other.resumeScan(scan.stateJson())).toRows()).toEqual([{ code: '1' }, { code: '2' }]);
  });

  it('of CSV have the delimiter and the columns that are told, in states as well', async () => {
    await writeFile(at('plain.csv'), '1;"x;y"\n2;\n');
    const csv = { delimiter: ';', header: false };
    const scan = await spiral.scan(await spiral.files(at('plain.csv'), { csv, schema: { n: 'int32', s: 'utf8' } }));
    await using other = spiralAt();
    expect(await (await other.resumeScan(scan.stateJson())).toRows()).toEqual([
      { n: 1, s: 'x;y' },
      { n: 2, s: null },
    ]);
    expect((await refusal(() => spiral.files(at('plain.csv'), { csv: { delimiter: '""' } }))).code).toBe(
      'invalid_argument',
    );
  });

  it('take a format that their name does not tell', async () => {
    await writeFile(at('log.txt'), '{"a":1}\n');
    const files = await spiral.files(at('log.txt'), { format: 'jsonl' });
    expect(await (await spiral.scan(files)).toRows()).toEqual([{ a: 1n }]);
  });

  it('that are compressed are refused', async () => {
    await writeFile(at('rows.jsonl.gz'), Buffer.from('1f8b08000000', 'hex'));
    expect((await refusal(() => spiral.files(at('rows.jsonl.gz'), { format: 'jsonl' }))).code).toBe('unsupported');
  });
});
