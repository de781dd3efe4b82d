import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataType, type RecordBatch, type Vector } from 'apache-arrow';
import { afterAll, describe, expect, it } from 'vitest';
import { type FileTable, isSpiralError, Spiral, se } from '../../src/index.js';
import { allMosaicFixtures, inFixtureWords, mosaicFixtures } from '../format/mosaic-fixtures.js';

const root = await mkdtemp(join(tmpdir(), 'spiral-mds-'));
const spiral = new Spiral({ overrides: { 'warehouse.uri': join(root, 'warehouse') } });
afterAll(async () => {
  await spiral.close();
  await rm(root, { recursive: true });
});

const open = (folder: string, mds?: { validateHash?: string; intsAsText?: boolean }): Promise<FileTable> =>
  spiral.files(folder, { format: 'mds', ...(mds === undefined ? {} : { mds }) });

async function rowsOf(table: FileTable, client = spiral): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  const scan = await client.scan(table);
  for await (const batch of scan.toRecordBatches() as AsyncIterable<RecordBatch>) {
    const fields = batch.schema.fields.map(({ name }, at) => [name, batch.getChildAt(at)!] as const);
    for (let row = 0; row < batch.numRows; row++) {
      rows.push(Object.fromEntries(fields.map(([name, vector]) => [name, valueAt(vector, row)])));
    }
  }
  return rows;
}

/** Text by its bytes: apache-arrow takes a BOM at the start of a value away. */
function valueAt(vector: Vector, row: number): unknown {
  if (!DataType.isUtf8(vector.type)) return vector.get(row);
  const { values, valueOffsets, offset } = vector.data[0]!;
  return Buffer.from(values as Uint8Array)
    .subarray(valueOffsets[offset + row]!, valueOffsets[offset + row + 1]!)
    .toString();
}

/** A copy of a fixture, to be damaged. */
async function copyOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(root, 'copy-'));
  await cp(join(mosaicFixtures!, 'mds', name), folder, { recursive: true });
  return folder;
}

async function changeIndex(folder: string, change: (text: string) => string): Promise<void> {
  const path = join(folder, 'index.json');
  await writeFile(path, change(await readFile(path, 'utf8')));
}

/** The rows as a client that has seen nothing of the files reads them. */
async function freshRowsOf(
  folder: string,
  mds: { validateHash?: string; intsAsText?: boolean } = {},
): Promise<unknown[]> {
  await using client = new Spiral({ overrides: { 'warehouse.uri': join(root, 'warehouse') } });
  return await rowsOf(await client.files(folder, { format: 'mds', mds }), client);
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 0x10;
  await writeFile(path, bytes);
}

async function failureOf(work: () => Promise<unknown>, about = ''): Promise<{ code: string; message: string }> {
  const error: unknown = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (isSpiralError(error)) return error;
  throw new Error(`Expected a SpiralError ${about}, got ${String(error)}`);
}

describe.skipIf(mosaicFixtures === undefined)('MDS data sets (skipped where SPIRAL_FIXTURES is not there)', () => {
  for (const { name, folder, columns, samples } of allMosaicFixtures()) {
    if (Object.values(columns).includes('pkl')) continue;
    it(`reads ${name} to the values that MosaicML Streaming reads`, async () => {
      const isText = !Object.values(columns).some((encoding) => !['str', 'int', 'float'].includes(encoding));
      const table = await open(folder, isText ? { intsAsText: true } : {});
      const rows = await rowsOf(table);
      expect(table.rows).toBe(samples.length);
      expect(rows.length).toBe(samples.length);
      for (const [at, sample] of samples.entries()) {
        expect(Object.keys(rows[at]!).sort()).toEqual(Object.keys(sample).sort());
        for (const [column, expected] of Object.entries(sample)) {
          const found = rows[at]![column];
          const isJson = columns[column] === 'json' && !JSON.stringify(expected).includes('"$int"');
          const words = isJson ? JSON.parse(found as string) : inFixtureWords(expected, found);
          expect(words, `${column} of sample ${at}`).toEqual(expected);
        }
      }
    });
  }

  it('keeps the order of a merged index, whose shards lie in sub-folders, and counts none twice', async () => {
    const rows = await rowsOf(await open(join(mosaicFixtures!, 'mds/ids_uneven')));
    expect(rows.length).toBeGreaterThan(0);
    const splits = await open(join(mosaicFixtures!, 'mds/splits'));
    expect(splits.files).toEqual(['train/index.json', 'val/index.json']);
    expect(splits.rows).toBe(37);
  });

  it('gives columns and rows by projection and filter', async () => {
    const table = await open(join(mosaicFixtures!, 'mds/comp_none'));
    const all = await rowsOf(table);
    const [column] = Object.keys(all[0]!).filter((name) => typeof all[0]![name] === 'bigint');
    const limit = all[50]![column!] as bigint;
    const scan = await spiral.scan(table.select('file', 'row', column!), {
      where: se.lift(limit).lt(table.col(column!)),
    });
    const found = await scan.toRows();
    expect(found.map((row) => row[column!])).toEqual(
      all.map((row) => row[column!]).filter((value) => (value as bigint) > limit),
    );
  });

  it.each(['comp_none', 'comp_zstd', 'json_none', 'csv_none', 'comp_bz2', 'json_snappy'])(
    'loads %s shuffled in a feeder thread, each sample once, and resumes where a state was taken',
    async (name) => {
      const table = await open(join(mosaicFixtures!, 'mds', name));
      const options = { batchSize: 8, shuffle: 'epoch', seed: 7 } as const;
      const scan = await spiral.scan(table.select('file', 'row'));
      const whole: unknown[] = [];
      await using loader = scan.toDataLoader(options);
      let state: unknown;
      for await (const batch of loader) {
        whole.push(...batch.getChild('row')!);
        if (whole.length === 24) state = JSON.parse(JSON.stringify(loader.stateDict()));
      }
      expect([...whole].map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: table.rows }, (_, row) => row));
      const rest: unknown[] = [];
      await using resumed = scan.resumeDataLoader(state as never);
      for await (const batch of resumed) rest.push(...batch.getChild('row')!);
      expect(rest).toEqual(whole.slice(24));
    },
  );

  it('accepts every hash by name, and refuses one that the index does not have', async () => {
    const folder = join(mosaicFixtures!, 'mds/hashes_all');
    const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
    for (const validateHash of index.shards[0].hashes as string[]) {
      expect((await rowsOf(await open(folder, { validateHash }))).length, validateHash).toBe(20);
    }
    const missing = await failureOf(async () => rowsOf(await open(folder, { validateHash: 'ripemd160' })));
    expect(missing.code).toBe('invalid_argument');
    expect((await failureOf(() => open(folder, { validateHash: 'crc32' }))).code).toBe('invalid_argument');
  });

  it('finds every flipped bit of compressed shards, and with validateHash of plain ones', async () => {
    const names = ['br', 'bz2', 'gz', 'snappy', 'zstd'].map((family) => `comp_${family}`);
    for (const name of [...names, 'comp_none', 'json_none', 'csv_zstd']) {
      const folder = await copyOf(name);
      const files = (await readdir(folder)).filter((file) => file.startsWith('shard.00000'));
      for (const file of files) {
        const path = join(folder, file);
        const sound = await readFile(path);
        for (const at of [0, sound.length >> 1, sound.length - 1]) {
          await flip(path, at);
          const hash = { intsAsText: true, ...(name.endsWith('none') ? { validateHash: 'sha1' } : {}) };
          const failure = await failureOf(() => freshRowsOf(folder, hash), `${file} of ${name} at ${at}`);
          expect(failure.code, `${file} of ${name} at ${at}`).toBe('corrupt_file');
          expect(failure.message).toContain(file);
          await writeFile(path, sound);
        }
      }
    }
  });

  it('refuses ints of more than 64 bits in shards of text, unless they are read as text', async () => {
    for (const name of ['json_none', 'csv_none']) {
      const failure = await failureOf(async () => rowsOf(await open(join(mosaicFixtures!, 'mds', name))));
      expect(failure.code).toBe('corrupt_file');
      expect(failure.message).toContain("column 'i' at row 3");
    }
  });

  it('refuses files that were cut short or are missing', async () => {
    for (const name of ['comp_none', 'comp_zstd', 'json_none', 'tsv_gz']) {
      const folder = await copyOf(name);
      const file = (await readdir(folder)).find((entry) => entry.startsWith('shard.00001'))!;
      const { length } = await readFile(join(folder, file));
      await truncate(join(folder, file), length - 1);
      expect((await failureOf(() => freshRowsOf(folder, { intsAsText: true }))).code, name).toBe('corrupt_file');
      await rm(join(folder, file));
      expect((await failureOf(() => freshRowsOf(folder, { intsAsText: true }))).code, name).toBe('not_found');
    }
  });

  it('never gives a wrong structure for a damaged plain shard: an error, or values of the right number and type', async () => {
    const folder = await copyOf('ndarray');
    const path = join(folder, 'shard.00000.mds');
    const sound = await readFile(path);
    for (let at = 0; at < sound.length; at += 997) {
      await flip(path, at);
      const rows = await freshRowsOf(folder).catch((error: unknown) => error);
      if (!isSpiralError(rows, 'corrupt_file')) expect((rows as unknown[]).length).toBe(27);
      await writeFile(path, sound);
    }
  });

  it('refuses pickles, other versions and formats, and paths out of the folder, by name', async () => {
    const pickled = await failureOf(() => open(join(mosaicFixtures!, 'mds/pkl')));
    expect(pickled.code).toBe('unsupported_type');
    expect(pickled.message).toContain("'pkl'");
    const cases = [
      [(text: string) => text.replace(/"version": 2\}$/, '"version": 1}'), 'unsupported'],
      [(text: string) => text.replace('"format": "mds"', '"format": "parquet"'), 'unsupported'],
      [(text: string) => text.replace('"basename": "shard', '"basename": "../../shard'), 'path_outside_root'],
      [(text: string) => text.replace('"basename": "shard', '"basename": "/shard'), 'path_outside_root'],
      [(text: string) => text.slice(0, -10), 'corrupt_file'],
      [() => '[]', 'corrupt_file'],
      [() => '{"version": 2, "shards": [7]}', 'corrupt_file'],
    ] as const;
    for (const [change, code] of cases) {
      const folder = await copyOf('comp_none');
      await changeIndex(folder, change);
      expect((await failureOf(() => open(folder))).code).toBe(code);
    }
    const folder = join(mosaicFixtures!, 'mds/comp_none');
    expect((await failureOf(() => open(join(folder, 'shard.00000.mds')))).code).toBe('invalid_argument');
    expect((await failureOf(() => open(join(mosaicFixtures!, 'orders')))).code).toBe('not_found');
  });

  it('reads an index without shards as no rows, and passes over empty shards', async () => {
    const none = await copyOf('comp_none');
    await changeIndex(none, () => '{"version": 2, "shards": []}');
    expect((await open(none)).rows).toBe(0);
    const empty = await copyOf('comp_none');
    await changeIndex(empty, (text) => {
      const index = JSON.parse(text) as { shards: { samples: number }[] };
      index.shards.unshift({ ...index.shards[0]!, samples: 0 });
      return JSON.stringify(index);
    });
    expect((await rowsOf(await open(empty))).length).toBe(100);
  });

  it('refuses to go on with a data set whose index has changed', async () => {
    const folder = await copyOf('comp_none');
    const scan = await spiral.scan(await open(folder));
    await changeIndex(folder, (text) => `${text} `);
    const failure = await failureOf(() => scan.toRows());
    expect(failure.code).toBe('file_changed');
  });
});
