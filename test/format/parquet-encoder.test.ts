import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { DataType, type RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { columnsToBatch, rowsToBatch } from '../../src/arrow/build.js';
import { batchRows } from '../../src/arrow/rows.js';
import { toSchema } from '../../src/arrow/schema.js';
import { isSpiralError } from '../../src/core/errors.js';
import { ParquetEncoder } from '../../src/format/parquet-encoder.js';
import { parquetReader } from '../../src/format/parquet-values.js';
import { arbBatch, expectSameValues } from '../arrow/arbitrary.js';
import { collectGarbage } from '../collect-garbage.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

async function encoded(batches: readonly RecordBatch[]): Promise<ArrayBuffer> {
  const encoder = await ParquetEncoder.create(batches[0]!.schema);
  const pieces = [encoder.start(), ...batches.map((batch) => encoder.batch(batch)), encoder.finish()].flat();
  const bytes = Buffer.concat(pieces);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

const asIs = <T>(value: T): T => value;

/** The rows of a file, with times as the integers that are stored, and text as its bytes. */
const stored = (file: ArrayBuffer): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({
    file,
    parsers: {
      timestampFromMilliseconds: asIs as never,
      timestampFromMicroseconds: asIs as never,
      timestampFromNanoseconds: asIs as never,
      dateFromDays: asIs as never,
      stringFromBytes: (bytes: Uint8Array | undefined) => (bytes ? Uint8Array.from(bytes) : bytes) as never,
    },
    utf8: false,
  });

/** A value as any reader may give it: numbers of any kind alike, bytes as hexadecimal digits. */
function plain(type: DataType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (DataType.isDictionary(type)) return plain(type.dictionary, value);
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    return Array.from(value as ArrayLike<unknown>, (inner) => plain(type.children[0]!.type, inner));
  }
  if (DataType.isStruct(type)) {
    return type.children.map(({ name, type: inner }) => plain(inner, new Map(Object.entries(value)).get(name)));
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  // hyparquet reads decimals as doubles.
  if (DataType.isDecimal(type)) {
    const number = typeof value === 'bigint' ? Number(value) * 10 ** -type.scale : (value as number);
    return number.toPrecision(12);
  }
  if (DataType.isFloat(type)) return Object.is(value, -0) ? '-0' : String(value);
  return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : value;
}

describe('a Parquet file', () => {
  it('holds every value of every type that Parquet has, as another reader finds it', async () => {
    let written = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbBatch({ depth: 2 }), { minLength: 1, maxLength: 1 }),
        fc.boolean(),
        async ([only], twice) => {
          const { batch } = only!;
          // A name that hyparquet's reader cannot make objects with.
          fc.pre(!String(batch.schema).includes('__proto__'));
          const batches = twice ? [batch, batch] : [batch];
          let file: ArrayBuffer;
          try {
            file = await encoded(batches);
          } catch (error) {
            if (!isSpiralError(error, 'unsupported_type', 'value_out_of_range')) throw error;
            return;
          }
          written++;
          const expected = batches.flatMap(({ schema, data, numRows }) =>
            Array.from({ length: numRows }, (_, row) =>
              schema.fields.map(({ type }, at) => plain(type, parquetReader(data.children[at]!)(row))),
            ),
          );
          const rows = await stored(file);
          const { fields } = batch.schema;
          expectSameValues(
            rows.map((row) => fields.map(({ name, type }) => plain(type, row[name]))),
            expected,
          );
        },
      ),
      { numRuns: lawRuns(150, 3000) },
    );
    expect(written).toBeGreaterThan(lawRuns(50, 1000));
  });

  it('has row groups with statistics, and none for no rows', async () => {
    const batch = (from: number, rows: number): RecordBatch =>
      columnsToBatch(
        { id: Int32Array.from({ length: rows }, (_, at) => from + at) },
        toSchema({ id: 'int32' }, 'a test'),
      );
    const metadata = parquetMetadata(await encoded([batch(0, 40_000), batch(40_000, 40_000), batch(80_000, 10)]));
    expect(metadata.num_rows).toBe(80_010n);
    const bounds = metadata.row_groups.map(({ columns }) => columns[0]!.meta_data!.statistics);
    expect(bounds.map((found) => [found?.min_value, found?.max_value])).toEqual([
      [0, 32_767],
      [32_768, 65_535],
      [65_536, 80_009],
    ]);
    const empty = await encoded([batch(0, 0)]);
    expect(await parquetReadObjects({ file: empty })).toEqual([]);
    expect(batchRows(batch(0, 0))).toEqual([]);
  });

  it.each([
    ['duration[us]', 'unsupported_type'],
    ['list<duration[s]>', 'unsupported_type'],
    ['decimal128(5, -2)', 'unsupported_type'],
  ])('refuses %s by name', async (words, code) => {
    const schema = toSchema({ when: words }, 'a test');
    await expect(ParquetEncoder.create(schema)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('when'),
    });
  });

  it('refuses no columns at all, and seconds beyond the milliseconds of 64 bits', async () => {
    await expect(ParquetEncoder.create(toSchema({}, 'a test'))).rejects.toMatchObject({ code: 'invalid_schema' });
    const far = columnsToBatch({ at: BigInt64Array.of(2n ** 62n) }, toSchema({ at: 'timestamp[s]' }, 'a test'));
    await expect(encoded([far])).rejects.toMatchObject({ code: 'value_out_of_range' });
  });
});

/** A value of each type, and how DuckDB writes it as JSON. */
const everyType: readonly (readonly [words: string, value: unknown, json: unknown])[] = [
  ['bool', true, true],
  ['int8', -128, -128],
  ['uint8', 255, 255],
  ['uint16', 65_535, 65_535],
  ['uint32', 4_294_967_295, 4_294_967_295],
  ['int64', -(2n ** 63n), '-9223372036854775808'],
  ['uint64', 2n ** 64n - 1n, '18446744073709551615'],
  ['float16', 1.5, 1.5],
  ['float32', 0.25, 0.25],
  ['float64', Number.NaN, 'NaN'],
  ['utf8', 'é\u{1f600}', 'é\u{1f600}'],
  ['binary', Uint8Array.of(0, 255), '\\x00\\xFF'],
  ['fixed_size_binary[2]', Uint8Array.of(1, 2), '\\x01\\x02'],
  ['date32', new Date('2024-02-29'), '2024-02-29'],
  ['date64', new Date('1999-12-31'), '1999-12-31 00:00:00'],
  ['time32[s]', 86_399, '23:59:59'],
  ['time64[us]', 1n, '00:00:00.000001'],
  ['timestamp[s]', new Date('1900-01-01T00:00:01Z'), '1900-01-01 00:00:01'],
  ['timestamp[us]', -1n, '1969-12-31 23:59:59.999999'],
  ['timestamp[ns]', 1n, '1970-01-01 00:00:00.000000001'],
  ['decimal128(38, 10)', '-1234567890123456789012345678.0123456789', '-1234567890123456789012345678.0123456789'],
  ['list<int32>', [1, null, 3], [1, null, 3]],
  ['fixed_size_list<float32>[2]', [1, 2], [1, 2]],
  [
    'list<struct<{a: int64, b: list<utf8>}>>',
    [{ a: 1n, b: ['x', null] }, null, { a: null, b: [] }],
    [{ a: '1', b: ['x', null] }, null, { a: null, b: [] }],
  ],
  ['dictionary<int8, utf8>', 'k', 'k'],
  ['struct<{x: int32, y: struct<{z: utf8}>}>', { x: 1, y: { z: 'q' } }, { x: 1, y: { z: 'q' } }],
];

it('is read by DuckDB, every type, with bounds that lose no row', async () => {
  await using folder = await temporaryFolder();
  const schema = toSchema(Object.fromEntries(everyType.map(([words], at) => [`c${at}`, words])), 'a test');
  const values = Object.fromEntries(everyType.map(([, value], at) => [`c${at}`, value]));
  const nulls = Object.fromEntries(everyType.map((_, at) => [`c${at}`, null]));
  const place = join(folder.path, 'every.parquet');
  await writeFile(place, Buffer.from(await encoded([rowsToBatch([values, nulls], schema)])));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const read = await connection.runAndReadAll(`SELECT * FROM read_parquet('${place}')`);
    expect(read.getRowsJson()).toEqual([everyType.map(([, , json]) => json), everyType.map(() => null)]);
    const where = "c4 = 4294967295 AND c5 < 0 AND c6 > 9 AND c10 > 'a' AND c13 = DATE '2024-02-29' AND c20 < 0";
    const found = await connection.runAndReadAll(`SELECT count(*) FROM read_parquet('${place}') WHERE ${where}`);
    expect(found.getRowsJson()).toEqual([['1']]);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
});

describe('the memory of a Parquet writer', () => {
  it('keeps nothing of the batches that it has written, whatever their size', async () => {
    const text = (from: number): string[] => Array.from({ length: 33_000 }, (_, row) => `text ${from + row}`);
    const encoder = await ParquetEncoder.create(columnsToBatch({ text: text(0) }).schema);
    let groups = 0;
    const written = Array.from({ length: 6 }, (_, at) => {
      const batch = columnsToBatch({ text: text(at) });
      groups += encoder.batch(batch).length;
      return new WeakRef((batch.data.children[0]!.values as Uint8Array).buffer);
    });
    expect(groups).toBeGreaterThan(4);
    await new Promise(setImmediate);
    collectGarbage();
    expect(written.slice(0, 4).map((buffer) => buffer.deref())).toEqual([undefined, undefined, undefined, undefined]);
    expect(encoder.finish().length).toBeGreaterThan(0);
  });

  it('cuts batches that are larger than a row group, and leaves out bounds of long values', async () => {
    const long = 'x'.repeat(5000);
    const ids = Int32Array.from({ length: 100_000 }, (_, row) => row);
    const batch = columnsToBatch({ id: ids, text: Array.from(ids, (row) => (row < 50 ? long : `t${row % 7}`)) });
    const file = await encoded([batch]);
    const { row_groups: groups } = parquetMetadata(file);
    expect(groups.map(({ num_rows }) => Number(num_rows))).toEqual([32_768, 32_768, 32_768, 1696]);
    const bounds = groups.map(({ columns }) => columns[1]!.meta_data!.statistics!);
    expect(bounds.map(({ min_value, max_value }) => [min_value, max_value])).toEqual([
      ['t0', undefined],
      ['t0', 't6'],
      ['t0', 't6'],
      ['t0', 't6'],
    ]);
    expect(groups.map(({ columns }) => columns[0]!.meta_data!.statistics!.max_value)).toEqual([
      32767, 65535, 98303, 99999,
    ]);
    expect(await parquetReadObjects({ file })).toEqual(batchRows(batch));
  });
});
