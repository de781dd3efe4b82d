import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';

interface Told {
  readonly rows: number;
  readonly bytes: number;
  readonly grownBytes: number;
  readonly compactedBytes: number;
}

/** Writes `megabytes` of rows in a process of its own. */
async function written(
  megabytes: number,
  memoryBytesMax: number | '',
  order: 'random' | 'ascending',
  writes = 1,
): Promise<Told> {
  await using folder = await temporaryFolder();
  const script = fileURLToPath(new URL('write-much.ts', import.meta.url));
  const child = fork(script, [folder.path, `${megabytes}`, `${memoryBytesMax}`, order, `${writes}`], {
    execArgv: [...typescript],
  });
  const [told] = (await once(child, 'message')) as [Told];
  await once(child, 'exit');
  expect(told.rows).toBe(megabytes * 1000);
  return told;
}

const MB = 1_000_000;

describe('the memory of a write', () => {
  it.each(['random', 'ascending'] as const)('stays bounded for rows in %s order', async (order) => {
    const { grownBytes } = await written(lawRuns(160, 400), 8 * 1024 * 1024, order);
    // Far above the limit: most is garbage that is still to be collected. Unbounded it takes more than the rows.
    expect(grownBytes).toBeLessThan(lawRuns(135, 150) * MB);
  });

  it.runIf(lawRuns(0, 1) === 1)(
    'of 5 GB stays under 512 MB, all of the process, and so does compacting them',
    async () => {
      const told = await written(5000, '', 'random', 2);
      process.stdout.write(`5 GB written in two overlapping writes, then compacted: ${JSON.stringify(told)}\n`);
      expect(told.compactedBytes).toBeGreaterThan(5000 * MB);
      expect(told.bytes).toBeLessThan(512 * MB);
    },
    1_800_000,
  );
});

describe.runIf(lawRuns(0, 1) === 1)('the memory of a process that reads a gigabyte of files', () => {
  const rows = 4_000_000;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
    for (const format of ['parquet', 'csv']) {
      await mkdir(join(folder.path, format));
      const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
      const text = [1, 7, 13, 17, 19].map((factor) => `md5((range * ${factor})::VARCHAR)`).join(' || ');
      const columns = `range AS id, (hash(range) % 1000)::INTEGER AS label, random() AS value, ${text} AS text`;
      const vec = format === 'csv' ? '' : ', [random(), random(), random(), random()] AS vec';
      for (const part of [0, 1]) {
        const range = `range(${(part * rows) / 2}, ${((part + 1) * rows) / 2})`;
        const to = join(folder.path, format, `${part}.${format}`);
        await duckdb.run(`COPY (SELECT ${columns}${vec} FROM ${range}) TO '${to}' (FORMAT ${format})`);
      }
      duckdb.closeSync();
    }
  }, 600_000);
  afterAll(() => folder[Symbol.asyncDispose]());

  it.each(
    ['parquet', 'csv'].flatMap((from) => ['table', 'parquet', 'arrow', 'jsonl'].map((to) => [from, to] as const)),
  )(
    'from %s to %s stays under 512 MB',
    async (from, to) => {
      await using target = await temporaryFolder();
      const script = fileURLToPath(new URL('export-much.ts', import.meta.url));
      const child = fork(script, [join(folder.path, from), target.path, to], { execArgv: [...typescript] });
      const [told] = (await once(child, 'message')) as [{ rows: number; bytes: number }];
      await once(child, 'exit');
      process.stdout.write(`${rows} rows from ${from} to ${to}: ${Math.round(told.bytes / MB)} MB\n`);
      expect(told.rows).toBe(rows);
      expect(told.bytes).toBeLessThan(512 * 1024 * 1024);
    },
    900_000,
  );
});
