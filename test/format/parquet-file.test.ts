import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { parquetFormat } from '../../src/format/parquet-file.js';
import type { RowFile } from '../../src/format/row-file.js';
import { fileStore } from '../../src/storage/file-store.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { duck, duckRows, fileRows, firstDifference, openFile } from './duck.js';
import type { Plain } from './plain-value.js';

/** Columns of every type that DuckDB writes to Parquet, with nulls at all places; `i` counts the rows. */
const everyType = `
  i::bigint i64, case when i % 7 = 0 then null else i::int end i32, (i % 100)::tinyint i8, (i % 100)::smallint i16,
  (i % 200)::utinyint u8, (i % 60000)::usmallint u16, (i * 1400001)::uinteger u32, (i * 10000000000007)::ubigint u64,
  i / 3.0::double d, case when i % 5 = 0 then null else (i / 7.0)::float end f, case when i % 3 = 0 then null else i % 2 = 0 end b,
  case when i % 5 = 0 then null else 'text ' || i end t, ('x' || i)::blob bl, (i % 10)::varchar dict, ''::varchar hollow,
  date '2020-01-01' + i::int dt, timestamp '2020-01-01' + to_microseconds(i) ts,
  (timestamp '1960-01-01' + to_seconds(i))::timestamptz tz, (timestamp '2020-01-01' + to_milliseconds(i))::timestamp_ms tms,
  case when i % 4 = 0 then null else (timestamp '2020-01-01' + to_seconds(i))::timestamp_ns end tns, time '10:00:00' + to_seconds(i % 1000) tm,
  (i * 1.25)::decimal(9, 2) d9, (i * -1.25)::decimal(18, 4) d18, case when i % 3 = 0 then null else (i * -1.25)::decimal(38, 10) end d38,
  ((i % 100))::decimal(4, 1) d4, md5(i::varchar)::uuid u, to_days(i::int % 30) iv,
  case when i % 3 = 0 then null when i % 3 = 1 then [] else [i, null, i + 1] end li, [[i], [i, null], null, []] lli,
  {'a': i, 'b': case when i % 2 = 0 then null else 's' || i end} st,
  case when i % 4 = 0 then null else {'a': {'b': [{'c': i, 'd': 'q' || i}]}} end deep,
  map([i, i + 1], ['a', null]) mp, case when i % 2 = 0 then null else [{'x': i}, {'x': null}, null] end ls, null::int nn`;

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const write = async (name: string, select: string, options = ''): Promise<void> => {
  await (await duck()).run(`copy (${select}) to '${join(folder.path, name)}' (format parquet${options})`);
};
const open = (name: string): Promise<RowFile> => openFile(parquetFormat, fileStore(folder.path), name);
const theirs = (name: string): Promise<Plain[][]> =>
  duckRows(`select * from read_parquet('${join(folder.path, name)}')`);

describe('a Parquet file', () => {
  it.each([
    ['uncompressed', 'uncompressed', 'V1'],
    ['snappy', 'snappy', 'V1'],
    ['gzip', 'gzip', 'V2'],
    ['zstd', 'zstd', 'V2'],
    ['brotli', 'brotli', 'V1'],
    ['lz4', 'lz4_raw', 'V2'],
  ])('is read as DuckDB reads it: every type, in several row groups, %s', async (_, codec, version) => {
    const name = `all-${codec}.parquet`;
    await write(
      name,
      `select ${everyType} from range(3000) t(i)`,
      `, codec '${codec}', row_group_size 2048, parquet_version ${version}`,
    );
    const file = await open(name);
    expect(file.groups.map(({ rows }) => rows)).toEqual([2048, 952]);
    expect(firstDifference(await fileRows(file), await theirs(name))).toEqual([]);
  });

  it('without rows has its columns and no groups', async () => {
    await write('empty.parquet', `select ${everyType} from range(0) t(i)`);
    const file = await open('empty.parquet');
    expect(file.groups).toEqual([]);
    expect(file.schema.fields.length).toBe((await duckRows(`describe select ${everyType} from range(1) t(i)`)).length);
  });

  it('gives columns in the order asked for, one twice, and reads no others', async () => {
    await write(
      'columns.parquet',
      `select i a, repeat('x' || i, 100) wide, i * 2 b from range(10000) t(i)`,
      ", codec 'uncompressed'",
    );
    const file = await open('columns.parquet');
    const counters = { bytes: 0, requests: 0 };
    const [b, a, again] = await file.readGroup(0, [2, 0, 2], { counters });
    expect([b!.values[7], a!.values[7], again!.values[7]]).toEqual([14n, 7n, 14n]);
    expect(counters.bytes).toBeLessThan(200_000);
  });

  it('of random nested values is read as DuckDB reads it', async () => {
    const leaf = fc.oneof(fc.constant('null'), fc.integer({ min: -100, max: 100 }).map(String));
    const list = fc.oneof(
      fc.constant('null'),
      fc.array(leaf, { maxLength: 4 }).map((leaves) => `[${leaves.join(', ')}]::int[]`),
    );
    const nested = fc.oneof(
      fc.constant('null'),
      fc.array(list, { maxLength: 4 }).map((lists) => `[${lists.join(', ')}]::int[][]`),
    );
    const struct = fc.oneof(
      fc.constant('null'),
      fc.tuple(leaf, nested).map(([a, b]) => `{'a': ${a}::int, 'b': ${b}::int[][]}`),
    );
    const row = fc.tuple(leaf, nested, struct, fc.array(struct, { maxLength: 3 }));
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), async (rows) => {
        const type = 'struct(a int, b int[][])';
        const selects = rows.map(
          ([leaf, nested, struct, structs]) =>
            `select ${leaf}::int l, ${nested}::int[][] n, ${struct}::${type} s, [${structs.join(', ')}]::${type}[] ss`,
        );
        const name = `random-${number++}.parquet`;
        await write(name, selects.join(' union all '));
        expect(await fileRows(await open(name))).toEqual(await theirs(name));
      }),
      { numRuns: lawRuns(25, 400) },
    );
  });

  it('tells what it knows of the values of a row group, and never more', async () => {
    await write(
      'zones.parquet',
      `select i::bigint a, case when i % 2 = 0 then null else i::int end b, i / 2.0::double d, 'k' || (1000 + i) t, [i] l,
       date '2020-01-01' + i::int dt, i::decimal(9, 2) money from range(5000) t(i)`,
      ', row_group_size 2048',
    );
    const { groups } = await open('zones.parquet');
    const text = (zone: Uint8Array | null): string => Buffer.from(zone!).toString();
    expect(groups[1]!.zones).toMatchObject([
      { nulls: 0, min: 2048n, max: 4095n },
      { nulls: 1024, min: 2049, max: 4095 },
      { nulls: 0, min: 1024, max: 2047.5, nan: true },
      { nulls: 0 },
      undefined,
      { min: 18262 + 2048, max: 18262 + 4095 },
      { min: null, max: null },
    ]);
    const zone = groups[1]!.zones![3]!;
    expect([text(zone.min as Uint8Array), text(zone.max as Uint8Array)]).toEqual(['k3048', 'k5095']);
  });
});

describe('a damaged Parquet file', () => {
  let whole: Buffer;
  beforeAll(async () => {
    await write('whole.parquet', `select ${everyType} from range(300) t(i)`);
    whole = await readFile(join(folder.path, 'whole.parquet'));
  });

  it('is refused with its place, or its bytes do not matter; never a hang, a crash or another error', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= flip;
        await writeFile(join(folder.path, 'hurt.parquet'), bytes);
        try {
          await fileRows(await open('hurt.parquet'));
        } catch (error) {
          refused++;
          // A flip in the footer may also make a type or codec that is not read.
          if (!isSpiralError(error, 'corrupt_file', 'unsupported', 'unsupported_type', 'limit_exceeded')) throw error;
          expect(String(error.details['file'])).toContain('hurt.parquet');
        }
      }),
      { numRuns: lawRuns(150, 6000) },
    );
    expect(refused).toBeGreaterThan(0);
  });

  it.each([0, 3, 11, 12, 100, 5000])('cut to %i bytes is refused', async (length) => {
    await writeFile(join(folder.path, 'cut.parquet'), whole.subarray(0, length));
    expect((await refusal(() => open('cut.parquet'))).code).toBe('corrupt_file');
  });

  it('that is of another format is refused', async () => {
    await writeFile(join(folder.path, 'text.parquet'), 'a,b\n1,2\n'.repeat(100));
    const error = await refusal(() => open('text.parquet'));
    expect([error.code, error.message]).toEqual(['corrupt_file', expect.stringContaining("'PAR1'")]);
  });

  it('names the row group and the column', async () => {
    await write('groups.parquet', 'select i a, i * 2 b from range(5000) t(i)', ", row_group_size 2048, codec 'snappy'");
    const path = join(folder.path, 'groups.parquet');
    const bytes = await readFile(path);
    const file = await open('groups.parquet');
    const before = file.groups[0]!.bytes;
    // In the pages of the second row group's first column, whose bytes follow those of the first row group.
    bytes.fill(0xff, 4 + before + 40, 4 + before + 60);
    await writeFile(join(folder.path, 'second.parquet'), bytes);
    const hurt = await open('second.parquet');
    await hurt.readGroup(0, [0, 1]);
    const error = await refusal(() => hurt.readGroup(1, [0, 1]));
    expect(error).toMatchObject({ code: 'corrupt_file', details: { group: 1, column: 'a' } });
    await hurt.readGroup(1, [1]);
  });
});
