import {
  Data,
  type DataType,
  Dictionary,
  Int8,
  RecordBatch,
  Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
  Vector,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildColumn, columnsToBatch } from '../../src/arrow/build.js';
import { batchRows, valueAt, valueReader } from '../../src/arrow/rows.js';
import { parseType } from '../../src/arrow/words.js';
import { lawRuns } from '../laws.js';
import { arbBatch, arbColumn, canonical, expectSameValues } from './arbitrary.js';

function column(words: string, values: readonly unknown[]): Data {
  return buildColumn('x', parseType(words), values, values.length, 'the test');
}

function valuesOf(data: Data): unknown[] {
  return Array.from({ length: data.length }, (_, row) => valueAt(data, row));
}

/** The batches of an Arrow file or stream of `batch`, as apache-arrow's own writer and reader make them. */
function throughIpc(batch: RecordBatch, format: 'file' | 'stream'): RecordBatch[] {
  return tableFromIPC(tableToIPC(new Table([batch]), format)).batches;
}

describe('reading values', () => {
  test('gives back what was built, of every type', () => {
    fc.assert(
      fc.property(arbColumn({ depth: 3 }), ({ type, values }) => {
        const data = buildColumn('x', type, values, values.length, 'the test');
        expect([data.offset, data.length]).toEqual([0, values.length]);
        expect(data.nullCount).toBe(values.filter((value) => value === null || value === undefined).length);
        expectSameValues(
          valuesOf(data),
          values.map((value) => canonical(type, value)),
        );
      }),
      { numRuns: lawRuns(1000, 20_000) },
    );
  });

  test('of a slice of a slice gives the same rows as the whole', () => {
    fc.assert(
      fc.property(arbColumn({ depth: 2, rowsMax: 40 }), fc.nat(), fc.nat(), fc.nat(), ({ type, values }, a, b, c) => {
        const data = buildColumn('x', type, values, values.length, 'the test');
        const start = a % (values.length + 1);
        const length = b % (values.length - start + 1);
        const again = c % (length + 1);
        const slice = data.slice(start, length).slice(again, length - again);
        const expected = values.slice(start + again, start + length).map((value) => canonical(type, value));
        expectSameValues(valuesOf(slice), expected);
      }),
      { numRuns: lawRuns(500, 10_000) },
    );
  });

  test.each(['file', 'stream'] as const)(
    'of an Arrow %s that apache-arrow wrote and read gives the same rows',
    (format) => {
      fc.assert(
        fc.property(arbBatch({ depth: 2 }), ({ batch, rows }) => {
          expectSameValues(batchRows(batch), rows);
          const read = throughIpc(batch, format).flatMap((part) => batchRows(part));
          expectSameValues(read, rows);
        }),
        { numRuns: lawRuns(200, 3000) },
      );
    },
  );

  test('of a sliced batch gives its rows', () => {
    fc.assert(
      fc.property(arbBatch({ depth: 2 }), fc.nat(), fc.nat(), ({ batch, rows }, a, b) => {
        const start = a % (rows.length + 1);
        const end = start + (b % (rows.length - start + 1));
        expectSameValues(batchRows(batch.slice(start, end)), rows.slice(start, end));
      }),
      { numRuns: lawRuns(200, 3000) },
    );
  });

  test('agrees with apache-arrow where both read a type the same way', () => {
    const batch = columnsToBatch({
      f: Float64Array.of(0, -0, Number.NaN, Number.NEGATIVE_INFINITY),
      i: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n),
      t: ['', '\u{1f600}', null, 'née'],
      b: [true, false, null, true],
    });
    const read = new Table([batch]);
    for (const name of ['f', 'i', 't', 'b']) {
      expectSameValues(
        [...read.getChild(name)!],
        batchRows(batch).map((row) => row[name]),
      );
    }
  });
});

describe('values', () => {
  test.each([
    ['timestamp[s]', [-1n], [new Date(-1000)]],
    ['timestamp[ms, UTC]', [5], [new Date(5)]],
    ['timestamp[us]', [new Date(5)], [5000n]],
    ['timestamp[ns]', [5], [5_000_000n]],
    ['date32', [new Date('2024-02-29'), -1n], [new Date('2024-02-29'), new Date(-86_400_000)]],
    ['date64', [7n], [new Date(7)]],
    ['time32[ms]', [86_399_999n], [86_399_999]],
    ['time64[ns]', [1], [1n]],
    ['duration[s]', [-1], [-1n]],
    ['decimal128(5, 2)', ['-0.05', 3n, 1.5, '1e2', '.5', '+7.'], ['-0.05', '3.00', '1.50', '100.00', '0.50', '7.00']],
    ['decimal128(5, -2)', ['100', 123_400n, 0], ['100', '123400', '0']],
    ['float16', [65_504, 2 ** -24, 0.1], [65_504, 2 ** -24, 0.0999755859375]],
    ['list<float16>', [[1, 0.5]], [Float32Array.of(1, 0.5)]],
    ['list<int64>', [[1n, 2]], [BigInt64Array.of(1n, 2n)]],
    ['list<int8>', [[1, null], [], null, [2]], [[1, null], new Int8Array(0), null, Int8Array.of(2)]],
    ['list<utf8>', [['a', '']], [['a', '']]],
    ['dictionary<int8, utf8>', ['a', 'b', null, 'a'], ['a', 'b', null, 'a']],
    ['dictionary<uint64, float64>', [0, -0, Number.NaN, Number.NaN], [0, -0, Number.NaN, Number.NaN]],
  ] as const)('of %s read as documented', (words, given, read) => {
    expectSameValues(valuesOf(column(words, given)), [...read]);
  });

  test('share no memory with the column', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const flat = column('fixed_size_list<uint8>[2]', [bytes.subarray(0, 2), bytes.subarray(2)]);
    for (const data of [flat, column('binary', [bytes])]) {
      const before = valueAt(data, 0) as Uint8Array;
      before.fill(9);
      expect(before.buffer).not.toBe((data.values ?? data.children[0]!.values).buffer);
      expect((valueAt(data, 0) as Uint8Array)[0]).toBe(1);
    }
  });

  test('of uint8 lists are plain arrays even where the file was read into a Buffer', () => {
    const batch = columnsToBatch({ x: [Uint8Array.of(1, 2)] }, undefined);
    const lists = columnsToBatch({ x: [[1, 2]] }, new RecordBatch({ x: column('list<uint8>', [[1, 2]]) }).schema);
    for (const part of [batch, lists]) {
      const [read] = tableFromIPC(Buffer.from(tableToIPC(new Table([part])))).batches;
      expectSameValues(batchRows(read!), [{ x: Uint8Array.of(1, 2) }]);
    }
  });

  test('a date that Date cannot hold is an invalid Date', () => {
    const date = valueAt(column('timestamp[s]', [2n ** 62n]), 0) as Date;
    expect(date.getTime()).toBeNaN();
  });

  test('keys such as __proto__ are plain keys', () => {
    const type = parseType('struct<{__proto__: int32, constructor: int32}>');
    const data = buildColumn('x', type, [JSON.parse('{"__proto__": 1}'), {}], 2, 'the test');
    const [first, second] = valuesOf(data) as [object, object];
    expect(Object.entries(first)).toEqual([
      ['__proto__', 1],
      ['constructor', null],
    ]);
    expect(Object.entries(second)).toEqual([
      ['__proto__', null],
      ['constructor', null],
    ]);
    expect(Object.getPrototypeOf(first)).toBe(Object.prototype);
  });

  test('a dictionary in several chunks reads as one, and an index beyond it is corrupt', () => {
    const type = new Dictionary(new Utf8(), new Int8());
    const dictionary = new Vector([column('utf8', ['a', 'b']), column('utf8', ['c'])]);
    const at = (...indices: number[]): Data =>
      new Data<DataType>(type, 0, indices.length, 0, { 1: Int8Array.from(indices) }, [], dictionary);
    expect(valuesOf(at(2, 0, 1))).toEqual(['c', 'a', 'b']);
    const read = valueReader(at(3, -1));
    expect(() => read(0)).toThrow(expect.objectContaining({ code: 'corrupt_file' }));
    expect(() => read(1)).toThrow(expect.objectContaining({ code: 'corrupt_file' }));
  });
});
