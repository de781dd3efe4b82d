import { Data, Float64, Int32, type RecordBatch, Table, Vector } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildColumn, columnsToBatch, columnsToBatches, rowsToBatch } from '../../src/arrow/build.js';
import { batchRows, valueAt } from '../../src/arrow/rows.js';
import { schemaWords, toSchema } from '../../src/arrow/schema.js';
import { parseType } from '../../src/arrow/words.js';
import { lawRuns } from '../laws.js';
import { arbValues, arbWords, canonical, expectSameValues } from './arbitrary.js';
import { errorOf } from './refusal.js';

function column(words: string, values: readonly unknown[]): Data {
  return buildColumn('x', parseType(words), values, values.length, 'the test');
}

const wordsOf = (batch: RecordBatch): Record<string, string> => Object.fromEntries(schemaWords(batch.schema));

describe('buildColumn', () => {
  test.each([
    ['int8', 128, 'value_out_of_range'],
    ['int8', 1.5, 'value_out_of_range'],
    ['uint8', -1, 'value_out_of_range'],
    ['uint32', 2 ** 32, 'value_out_of_range'],
    ['int32', Number.NaN, 'value_out_of_range'],
    ['int32', 2n ** 40n, 'value_out_of_range'],
    ['int32', '1', 'type_mismatch'],
    ['int32', true, 'type_mismatch'],
    ['int64', 2 ** 53, 'value_out_of_range'],
    ['int64', 2n ** 63n, 'value_out_of_range'],
    ['uint64', -1n, 'value_out_of_range'],
    ['uint64', -1, 'value_out_of_range'],
    ['float64', '1', 'type_mismatch'],
    ['float64', 1n, 'type_mismatch'],
    ['float32', 1e39, 'value_out_of_range'],
    ['float16', 65_520, 'value_out_of_range'],
    ['bool', 1, 'type_mismatch'],
    ['bool', 'true', 'type_mismatch'],
    ['utf8', 5, 'type_mismatch'],
    ['utf8', 'a\ud800b', 'value_out_of_range'],
    ['large_utf8', '\udc00', 'value_out_of_range'],
    ['binary', 'abc', 'type_mismatch'],
    ['binary', [1, 2], 'type_mismatch'],
    ['fixed_size_binary[2]', Uint8Array.of(1), 'value_out_of_range'],
    ['date32', new Date(1), 'value_out_of_range'],
    ['date32', new Date(Number.NaN), 'value_out_of_range'],
    ['date32', '2024-01-01', 'type_mismatch'],
    ['timestamp[s]', 1500, 'value_out_of_range'],
    ['timestamp[us]', 1.5, 'value_out_of_range'],
    ['timestamp[ns]', new Date('2300-01-01'), 'value_out_of_range'],
    ['timestamp[us]', 2n ** 63n, 'value_out_of_range'],
    ['time32[s]', 86_400, 'value_out_of_range'],
    ['time64[us]', -1n, 'value_out_of_range'],
    ['duration[s]', 0.5, 'value_out_of_range'],
    ['decimal128(3, 1)', '1.25', 'value_out_of_range'],
    ['decimal128(3, 1)', 100, 'value_out_of_range'],
    ['decimal128(3, 1)', '1e9999', 'value_out_of_range'],
    ['decimal128(3, 1)', 'one', 'type_mismatch'],
    ['decimal128(3, 1)', Number.NaN, 'type_mismatch'],
    ['decimal128(3, -1)', '15', 'value_out_of_range'],
    ['list<int8>', 5, 'type_mismatch'],
    ['list<int8>', 'ab', 'type_mismatch'],
    ['list<int8>', [300], 'value_out_of_range'],
    ['fixed_size_list<int8>[2]', [1], 'value_out_of_range'],
    ['struct<{a: int8}>', [1], 'type_mismatch'],
    ['struct<{a: int8}>', { a: 1, b: 2 }, 'type_mismatch'],
    ['struct<{a: int8}>', { a: 'x' }, 'type_mismatch'],
    ['dictionary<int8, utf8>', 5, 'type_mismatch'],
  ])('refuses for %s the value %o', (words, value, code) => {
    const error = errorOf(() => column(words, [null, value]));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/column 'x.*at row 1 of the test/);
    expect(error.details['row']).toBe(1);
  });

  test('names the row of a value deep inside', () => {
    const error = errorOf(() =>
      column('list<struct<{a: fixed_size_list<int8>[2]}>>', [[], [{ a: [1, 2] }], null, [{}, { a: [1, 'x'] }]]),
    );
    expect(error.message).toContain('column \'x[].a[]\' (int8) at row 3 of the test, got "x"');
    const dictionary = errorOf(() => column('dictionary<int8, int8>', [1, 1, 2, 1, 500]));
    expect(dictionary.details).toMatchObject({ row: 4, found: 500 });
  });

  test('counts the values of a dictionary against its index type', () => {
    const words = Array.from({ length: 129 }, (_, index) => `w${index}`);
    expect(valueAt(column('dictionary<int8, utf8>', words.slice(0, 128)), 127)).toBe('w127');
    expect(errorOf(() => column('dictionary<int8, utf8>', words)).message).toMatch(/at most 128 distinct.*at row 128/);
    const data = column('dictionary<uint8, binary>', [Uint8Array.of(1), Buffer.of(1), Uint8Array.of(2)]);
    expect(data.dictionary!.length).toBe(2);
  });

  test('refuses a number of values other than the length', () => {
    expect(errorOf(() => buildColumn('x', new Int32(), [1, 2], 3, 'the test')).code).toBe('invalid_rows');
    expect(valueAt(buildColumn('x', new Int32(), new Set([1, 2, 3]), 3, 'the test'), 2)).toBe(3);
  });

  test('keeps text whole across every growth of its memory', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 400 }), { maxLength: 40 }), (texts) => {
        const sound = texts.filter((text) => !/\p{Surrogate}/u.test(text));
        const data = column('utf8', sound);
        expectSameValues(
          sound.map((_, row) => valueAt(data, row)),
          sound,
        );
      }),
      { numRuns: lawRuns(100, 2000) },
    );
  });
});

describe('columnsToBatch', () => {
  test('takes typed arrays as they are', () => {
    const columns = {
      a: Int8Array.of(1),
      b: Uint8Array.of(2),
      c: BigInt64Array.of(3n),
      d: BigUint64Array.of(4n),
      e: Float32Array.of(5),
      f: Float64Array.of(6),
    };
    const batch = columnsToBatch(columns);
    expect(wordsOf(batch)).toEqual({ a: 'int8', b: 'uint8', c: 'int64', d: 'uint64', e: 'float32', f: 'float64' });
    for (const [name, values] of Object.entries(columns)) {
      const own = batch.getChild(name)!.data[0]!.values as typeof values;
      expect([own.buffer, own.byteOffset]).toEqual([values.buffer, values.byteOffset]);
    }
  });

  test('takes a flat typed array for fixed-size lists without a copy', () => {
    const pixels = Uint8Array.from({ length: 24 }, (_, index) => index);
    const schema = toSchema(
      { image: 'fixed_size_list<fixed_size_list<uint8>[3]>[4]', flat: 'fixed_size_list<uint8>[12]' },
      's',
    );
    const batch = columnsToBatch({ image: pixels, label: ['a', 'b'], flat: pixels }, schema);
    expect(batch.numRows).toBe(2);
    expect(batch.getChild('image')!.data[0]!.children[0]!.children[0]!.values.buffer).toBe(pixels.buffer);
    const [, second] = batchRows(batch);
    expect(second!['image']).toEqual([12, 15, 18, 21].map((start) => pixels.subarray(start, start + 3)));
    expect(second!['flat']).toEqual(pixels.subarray(12));
    expect(errorOf(() => columnsToBatch({ image: pixels.subarray(1) }, schema)).message).toMatch(/multiple of 12/);
    const halves = columnsToBatch({ h: Float32Array.of(1, 2) }, toSchema({ h: 'fixed_size_list<float16>[2]' }, 's'));
    expect(batchRows(halves)).toEqual([{ h: Float32Array.of(1, 2) }]);
  });

  test('converts to the types of the schema, and infers the rest', () => {
    const schema = toSchema({ n: 'int16', t: 'timestamp[us]', unused: 'utf8' }, 's');
    const batch = columnsToBatch(
      { n: [1, null], t: BigInt64Array.of(7n, 8n), x: [1, 2], gone: [null, undefined] },
      schema,
    );
    expect(wordsOf(batch)).toEqual({ n: 'int16', t: 'timestamp[us]', x: 'float64' });
    expectSameValues(batchRows(batch), [
      { n: 1, t: 7n, x: 1 },
      { n: null, t: 8n, x: 2 },
    ]);
    expect(batch.schema.fields.every((field) => field.nullable)).toBe(true);
  });

  test('passes Arrow columns, cut where they are chunked', () => {
    const chunked = new Vector([column('utf8', ['a', 'b', 'c']), column('utf8', ['d'])]);
    const data = column('int32', [1, 2, 3, 4]);
    const batches = columnsToBatches({ t: chunked, n: data, x: [1, 2, 3, 4] });
    expect(batches.map((batch) => batch.numRows)).toEqual([3, 1]);
    expectSameValues(
      batches.flatMap(batchRows),
      ['a', 'b', 'c', 'd'].map((t, row) => ({ t, n: row + 1, x: row + 1 })),
    );
    expect(errorOf(() => columnsToBatch({ t: chunked })).code).toBe('invalid_rows');
    const cast = errorOf(() => columnsToBatch({ n: data }, toSchema({ n: 'int64' }, 's')));
    expect([cast.code, cast.details['expected'], cast.details['found']]).toEqual(['type_mismatch', 'int64', 'int32']);
  });

  test.each([
    [{ a: [1], b: [1, 2] }, 'invalid_rows', /'a' 1, 'b' 2/],
    [{ a: 1 }, 'invalid_rows', /column 'a'.*got 1.*\[row\]/],
    [{ a: 'text' }, 'invalid_rows', /got "text"/],
    [{ a: null }, 'invalid_rows', /got null/],
    [{ 'a.b': [1] }, 'invalid_schema', /'\.'/],
    [{ a: [1, 'x'] }, 'type_mismatch', /column 'a' at row 1/],
  ])('refuses %o', (columns, code, message) => {
    const error = errorOf(() => columnsToBatch(columns as never));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

describe('rowsToBatch', () => {
  test('makes a column of each key, in first-seen order', () => {
    const batch = rowsToBatch([{ b: 1, a: 'x' }, { c: true, a: null }, { gone: null }], toSchema({ b: 'int64' }, 's'));
    expect(wordsOf(batch)).toEqual({ b: 'int64', a: 'utf8', c: 'bool' });
    expectSameValues(batchRows(batch), [
      { b: 1n, a: 'x', c: null },
      { b: null, a: null, c: true },
      { b: null, a: null, c: null },
    ]);
  });

  test('takes class instances and the rows of Arrow tables, and nothing that is no object', () => {
    class Sample {
      id = 1;
      text = 'a';
    }
    expect(batchRows(rowsToBatch([new Sample()]))).toEqual([{ id: 1, text: 'a' }]);
    const arrow = new Table([columnsToBatch({ id: [1], tags: [['a', 'b']] })]);
    expect(batchRows(rowsToBatch([...arrow]))).toEqual([{ id: 1, tags: ['a', 'b'] }]);
    expect(errorOf(() => rowsToBatch([{}, 5 as never])).message).toMatch(/row 1 of the rows to be an object, got 5/);
    expect(errorOf(() => rowsToBatch([new Date() as never])).code).toBe('invalid_rows');
  });

  test('gives any rows back', () => {
    fc.assert(
      fc.property(
        arbWords(2).chain((words) => fc.tuple(fc.constant(words), arbValues(parseType(words)))),
        ([words, values]) => {
          const schema = toSchema({ x: words }, 's');
          const batch = rowsToBatch(
            values.map((x, id) => ({ id, x })),
            schema,
          );
          const type = batch.schema.fields.find((field) => field.name === 'x')?.type;
          if (type === undefined) expect(values).toHaveLength(0);
          const expected = values.map((value) => canonical(type!, value));
          expectSameValues(
            batchRows(batch).map((row) => row['x']),
            expected,
          );
        },
      ),
      { numRuns: lawRuns(300, 5000) },
    );
  });
});

test('a Data of one type does not pass for another', () => {
  const floats = new Data(new Float64(), 0, 1, 0, { 1: Float64Array.of(1) });
  expect(errorOf(() => columnsToBatch({ a: floats }, toSchema({ a: 'float32' }, 's'))).code).toBe('type_mismatch');
});
