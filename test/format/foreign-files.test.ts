import { readdirSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Table, tableFromArrays, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { ipcFormat } from '../../src/format/ipc-file.js';
import { parquetFormat } from '../../src/format/parquet-file.js';
import { fileStore } from '../../src/storage/file-store.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { duckRows, fileRows, firstDifference, openFile } from './duck.js';
import type { Plain } from './plain-value.js';
import { arbSource, fileBytes } from './stored-file.js';

// Made by test/goldens/format/foreign.py, or taken from pyarrow's own tests.
const goldens = fileURLToPath(new URL('../goldens/format', import.meta.url));
const folder = (name: string): string => join(goldens, name);
const ours = async (name: string): Promise<Plain[][]> => {
  const isParquet = name.endsWith('.parquet');
  const [place, file] = name.split('/') as [string, string];
  return fileRows(await openFile(isParquet ? parquetFormat : ipcFormat, fileStore(folder(place)), file));
};

describe('a Parquet file of another writer', () => {
  const files = readdirSync(folder('parquet'));
  // DuckDB does not read this encoding for all types; the same rows are in another file.
  const unread = 'pyarrow-split.parquet';

  it.each(files.filter((name) => name !== unread))('is read as DuckDB reads it: %s', async (name) => {
    const theirs = await duckRows(`select * from read_parquet('${join(folder('parquet'), name)}')`);
    expect(firstDifference(await ours(`parquet/${name}`), theirs)).toEqual([]);
  });

  it('is read where DuckDB does not read its encoding', async () => {
    expect(await ours(`parquet/${unread}`)).toEqual(await ours('parquet/pyarrow-none.parquet'));
  });

  it('is read beyond 4 GiB', async () => {
    await using scratch = await temporaryFolder();
    const file = await open(join(scratch.path, 'large.parquet'), 'w');
    // The file system keeps no bytes for what lies before.
    await file.write(await readFile(join(goldens, 'behind-5-gib.parquet-part')), 0, undefined, 5 * 2 ** 30);
    await file.close();
    const large = await openFile(parquetFormat, fileStore(scratch.path), 'large.parquet');
    const near = await ours('parquet/fastparquet.parquet');
    expect(await fileRows(large)).toEqual(near.map((row) => row.slice(0, 3)));
  });

  it('is refused where its pages fail their checksums', async () => {
    await using scratch = await temporaryFolder();
    const bytes = await readFile(join(folder('parquet'), 'pyarrow-pages.parquet'));
    const store = fileStore(scratch.path);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 4, max: bytes.length - 20_000 }), async (at) => {
        const hurt = Buffer.from(bytes);
        hurt[at]! ^= 1;
        await writeFile(join(scratch.path, 'a.parquet'), hurt);
        try {
          await fileRows(await openFile(parquetFormat, store, 'a.parquet'));
        } catch (error) {
          if (!isSpiralError(error, 'corrupt_file', 'unsupported')) throw error;
          refused++;
        }
      }),
      { numRuns: lawRuns(40, 2000) },
    );
    expect(refused).toBeGreaterThan(0);
  });
});

describe('an Arrow file of another writer', () => {
  it.each(['pyarrow-uncompressed.feather', 'pyarrow-lz4.feather', 'pyarrow-zstd.feather'])(
    'holds the rows of its Parquet twin: %s',
    async (name) => {
      expect(await ours(`ipc/${name}`)).toEqual(await ours('ipc/pyarrow.parquet'));
    },
  );

  it('of nested types and maps holds the rows of its Parquet twin', async () => {
    expect(await ours('ipc/pyarrow-nested.arrow')).toEqual(await ours('parquet/pyarrow-nested.parquet'));
  });

  it('of polars is read', async () => {
    const whole = await ours('parquet/polars.parquet');
    expect(await ours('ipc/polars-zstd.arrow')).toEqual(whole.map((row) => [...row.slice(0, -2), row.at(-1)!]));
  });

  it('of 2020 is read', async () => {
    expect((await ours('ipc/v0.17.0.version.2-compression.lz4.feather')).length).toBeGreaterThan(0);
  });

  it.each([
    ['v1.feather', 'unsupported', 'Feather of version 1'],
    ['stream.arrow', 'unsupported', 'stream'],
    ['polars-views.arrow', 'unsupported_type', 'views'],
    ['pyarrow.parquet', 'corrupt_file', 'ARROW1'],
  ])('that cannot be read is refused with the reason: %s', async (name, code, reason) => {
    const error = await refusal(() => openFile(ipcFormat, fileStore(folder('ipc')), name));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(reason)]);
  });

  it('that is damaged is refused, or is read: never a hang, a crash or another error', async () => {
    await using scratch = await temporaryFolder();
    const store = fileStore(scratch.path);
    for (const name of ['pyarrow-zstd.feather', 'pyarrow-nested.arrow']) {
      const bytes = await readFile(join(folder('ipc'), name));
      await fc.assert(
        fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
          const hurt = Buffer.from(bytes);
          hurt[at]! ^= flip;
          await writeFile(join(scratch.path, 'a.arrow'), hurt);
          try {
            const file = await openFile(ipcFormat, store, 'a.arrow');
            for (const group of file.groups.keys()) await file.readGroup(group, [...file.schema.fields.keys()]);
          } catch (error) {
            if (!isSpiralError(error, 'corrupt_file', 'unsupported', 'unsupported_type')) throw error;
          }
        }),
        { numRuns: lawRuns(30, 5000) },
      );
    }
  });
});

describe('an Arrow file', () => {
  const scratch = temporaryFolder();
  afterAll(async () => (await scratch)[Symbol.asyncDispose]());

  it('of apache-arrow is read, batches without rows left out', async () => {
    const { path } = await scratch;
    const batch = tableFromArrays({ a: Int32Array.of(1, 2), t: ['x', null] }).batches[0]!;
    await writeFile(join(path, 'a.arrow'), tableToIPC(new Table([batch, batch.slice(0, 0), batch]), 'file'));
    const file = await openFile(ipcFormat, fileStore(path), 'a.arrow');
    expect(file.groups.map(({ rows }) => rows)).toEqual([2, 2]);
    const expected = [
      ['1', 'x'],
      ['2', null],
    ];
    expect(await fileRows(file)).toEqual([...expected, ...expected]);
  });

  it('of this package is verified, and tells its zones', async () => {
    const { path } = await scratch;
    const store = fileStore(path);
    await fc.assert(
      fc.asyncProperty(arbSource(), async ({ schema, batches }) => {
        const { bytes } = await fileBytes(schema, batches, 'none');
        await writeFile(join(path, 'own.arrow'), bytes);
        const file = await openFile(ipcFormat, store, 'own.arrow');
        const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
        expect(file.groups.reduce((sum, group) => sum + group.rows, 0)).toBe(rows);
        for (const { zones } of file.groups) expect(zones).toHaveLength(schema.fields.length);
      }),
      { numRuns: lawRuns(3, 200) },
    );
  });
});
