import { DataType, type RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { columnsToBatch } from '../../src/arrow/build.js';
import { batchRows } from '../../src/arrow/rows.js';
import { toSchema } from '../../src/arrow/schema.js';
import { isSpiralError } from '../../src/core/errors.js';
import { ParquetEncoder } from '../../src/format/parquet-encoder.js';
import { parquetReader } from '../../src/format/parquet-values.js';
import { arbBatch, expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';

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
      [0, 79_999],
      [80_000, 80_009],
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
