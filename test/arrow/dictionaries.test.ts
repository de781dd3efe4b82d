import { Data, type DataType, Dictionary, Int8, TimestampSecond, Utf8, Vector } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { buildColumn } from '../../src/arrow/build.js';
import { DictionaryJoin } from '../../src/arrow/dictionaries.js';
import { gatherColumn } from '../../src/arrow/gather.js';
import { allRanges } from '../../src/arrow/ranges.js';
import { valueAt } from '../../src/arrow/rows.js';
import { columnSources } from '../../src/arrow/sources.js';
import { parseType } from '../../src/arrow/words.js';

const joined = (type: DataType, ...chunks: Data[]): number[][] => {
  const join = new DictionaryJoin(new Dictionary(type, new Int8()));
  return chunks.map((chunk) => [...join.add(new Vector([chunk]))]);
};

describe('joining dictionaries', () => {
  test('keeps apart values that only decode alike', () => {
    const seconds = new Data(new TimestampSecond(), 0, 3, 0, [
      undefined,
      BigInt64Array.of(2n ** 60n, 2n ** 61n, 5n),
    ] as never);
    expect(joined(new TimestampSecond(), seconds)).toEqual([[0, 1, 2]]);
    const offsets = Int32Array.of(0, 1, 2, 5, 6);
    const text = new Data(new Utf8(), 0, 4, 0, [offsets, Uint8Array.of(0xff, 0xfe, 0xef, 0xbb, 0xbf, 0x78)] as never);
    expect(joined(new Utf8(), text)).toEqual([[0, 1, 2, 3]]);
    const zeros = buildColumn('z', parseType('float64'), [0, -0, Number.NaN, null], 4, 'the test');
    expect(joined(parseType('float64'), zeros)).toEqual([[0, 1, 2, 3]]);
  });

  test('finds values of one dictionary in another', () => {
    const of = (values: string[]): Data => buildColumn('t', parseType('utf8'), values, values.length, 'the test');
    expect(joined(new Utf8(), of(['a', 'b']), of(['c', 'b', '']), of(['', 'a']))).toEqual([
      [0, 1],
      [2, 1, 3],
      [3, 0],
    ]);
  });

  test('is refused when the index type cannot count the values', () => {
    const values = Array.from({ length: 129 }, (_, at) => `v${at}`);
    expect(() => joined(new Utf8(), buildColumn('t', parseType('utf8'), values, 129, 'the test'))).toThrowError(
      expect.objectContaining({ code: 'limit_exceeded' }),
    );
  });

  test('gathers columns over different dictionaries to the same values', () => {
    const type = parseType('dictionary<int8, utf8>');
    const parts = [['x', 'y', null, 'x'], ['y', 'z'], [null]].map((values) =>
      buildColumn('d', type, values, values.length, 'the test'),
    );
    const gathered = gatherColumn(columnSources(type, parts), allRanges([4, 2, 1]));
    expect(Array.from({ length: 7 }, (_, row) => valueAt(gathered, row))).toEqual([
      'x',
      'y',
      null,
      'x',
      'y',
      'z',
      null,
    ]);
  });
});
