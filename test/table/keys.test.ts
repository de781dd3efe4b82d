import { Data, Float32, Float64, Utf8 } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeKeys, keyAt } from '../../src/table/key-codec.js';
import {
  compareAt,
  compareKeys,
  firstDuplicate,
  isStrictlyAscending,
  lowerBound,
} from '../../src/table/key-compare.js';
import { sortOrder } from '../../src/table/key-sort.js';
import { isKeyType } from '../../src/table/key-type.js';
import { decodeKey, encodeKeyValues, keyText } from '../../src/table/key-values.js';
import { lawRuns } from '../laws.js';
import {
  arbRows,
  columns,
  compareRows,
  encoded,
  int64,
  namesOf,
  plain,
  plainOrder,
  sign,
  typesOf,
} from './key-columns.js';

describe.each(columns.map((each) => [each.name, each] as const))('a key of %s', (_name, each) => {
  it('orders as its values do', () => {
    fc.assert(
      fc.property(fc.array(each.arb, { minLength: 2, maxLength: 12 }), (values) => {
        const keys = encoded(
          [each],
          values.map((value) => [value]),
        );
        for (let i = 0; i < values.length; i++) {
          for (let j = 0; j < values.length; j++) {
            const expected = sign(each.compare(values[i], values[j]));
            expect(sign(compareKeys(keyAt(keys, i), keyAt(keys, j)))).toBe(expected);
            expect(sign(compareAt(keys, i, keys, j))).toBe(expected);
            expect(sign(Buffer.compare(keyAt(keys, i), keyAt(keys, j)))).toBe(expected);
          }
        }
      }),
      { numRuns: lawRuns(60, 1000) },
    );
  });

  it('decodes to its values, and from them to the same bytes', () => {
    fc.assert(
      fc.property(each.arb, (value) => {
        const key = keyAt(encoded([each], [[value]]), 0);
        const decoded = decodeKey(key, [each.type]);
        expect(decoded).toEqual([each.decoded(value)]);
        expect(encodeKeyValues(decoded, [each.type], ['k'])).toEqual(key.slice());
        expect(decodeKey(Buffer.from(key), [each.type])).toEqual(decoded);
        expect(keyText(key, [each.type])).toMatch(/^\(.*\)$/su);
      }),
      { numRuns: lawRuns(100, 3000) },
    );
  });

  it('is the same for a slice as for a copy', () => {
    fc.assert(
      fc.property(fc.array(each.arb, { minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(), (values, a, b) => {
        const from = a % values.length;
        const length = b % (values.length - from + 1);
        const whole = each.build(values);
        const slice = encodeKeys([whole.slice(from, length)], ['k']);
        const copy = encodeKeys([each.build(values.slice(from, from + length))], ['k']);
        expect(slice).toEqual(copy);
      }),
      { numRuns: lawRuns(60, 1000) },
    );
  });

  it('says whether it is of one width', () => {
    const value = fc.sample(each.arb, { numRuns: 1, seed: 7 })[0];
    const keys = encoded([each], [[value]]);
    const variable = /utf8|binary/iu.test(each.name) && !/fixed/iu.test(each.name);
    expect(keys.width).toBe(variable ? 0 : keys.bytes.length);
    expect(isKeyType(each.type)).toBe(true);
  });
});

describe('floats of unusual bits', () => {
  it('take every NaN for one key above Infinity, and -0 for 0', () => {
    const singles = Uint32Array.of(0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff, 0x7f800000, 0x80000000, 0);
    const doubles = BigUint64Array.of(
      0x7ff8000000000000n,
      0xfff8000000000000n,
      0x7ff0000000000001n,
      0xffffffffffffffffn,
      0x7ff0000000000000n,
      0x8000000000000000n,
      0n,
    );
    for (const data of [
      plain(new Float32(), 7, new Float32Array(singles.buffer)),
      plain(new Float64(), 7, new Float64Array(doubles.buffer)),
    ]) {
      const keys = encodeKeys([data], ['k']);
      for (const row of [1, 2, 3]) expect(compareAt(keys, 0, keys, row)).toBe(0);
      expect(compareAt(keys, 0, keys, 4)).toBeGreaterThan(0);
      expect(compareAt(keys, 5, keys, 6)).toBe(0);
    }
  });
});

describe('composite keys', () => {
  it('order column by column', () => {
    fc.assert(
      fc.property(arbRows, ({ chosen, rows }) => {
        const keys = encoded(chosen, rows);
        for (let row = 1; row < rows.length; row++) {
          const expected = compareRows(chosen, rows[row - 1]!, rows[row]!);
          expect(sign(compareAt(keys, row - 1, keys, row))).toBe(expected);
        }
      }),
      { numRuns: lawRuns(300, 10_000) },
    );
  });

  it('decode to their values, and from them to the same bytes', () => {
    fc.assert(
      fc.property(arbRows, ({ chosen, rows }) => {
        const key = keyAt(encoded(chosen, rows.slice(0, 1)), 0);
        const decoded = decodeKey(key, typesOf(chosen));
        expect(decoded).toEqual(chosen.map((each, at) => each.decoded(rows[0]![at])));
        expect(encodeKeyValues(decoded, typesOf(chosen), namesOf(chosen))).toEqual(key.slice());
      }),
      { numRuns: lawRuns(200, 5000) },
    );
  });

  it('never run from one column into the next', () => {
    const types = [new Utf8(), new Utf8()];
    const key = (a: string, b: string): Uint8Array => encodeKeyValues([a, b], types, ['a', 'b']);
    expect(compareKeys(key('ab', 'c'), key('a', 'bc'))).toBeGreaterThan(0);
    expect(compareKeys(key('a', 'z'), key('a\0', ''))).toBeLessThan(0);
    expect(compareKeys(key('', '\u0001'), key('\0', ''))).toBeLessThan(0);
  });
});

describe('sortOrder', () => {
  it('is the stable order of the rows', () => {
    fc.assert(
      fc.property(arbRows, ({ chosen, rows }) => {
        expect(Array.from(sortOrder(encoded(chosen, rows)))).toEqual(plainOrder(chosen, rows));
      }),
      { numRuns: lawRuns(300, 10_000) },
    );
  });

  it('holds for runs longer than a round of eight bytes can part', () => {
    const rows = fc.array(
      fc.tuple(fc.constantFrom('', 'the same long beginning/', '\0\0\0\0\0\0\0\0\0'), fc.nat({ max: 300 })),
      {
        minLength: 100,
        maxLength: 400,
      },
    );
    const text = columns.find((each) => each.name === 'Utf8')!;
    const number = columns.find((each) => each.name === 'Int32')!;
    fc.assert(
      fc.property(rows, fc.boolean(), (picked, inText) => {
        const chosen = inText ? [text] : [text, number];
        const data = picked.map(([prefix, n]) => (inText ? [`${prefix}${n}`] : [prefix, n]));
        expect(Array.from(sortOrder(encoded(chosen, data)))).toEqual(plainOrder(chosen, data));
      }),
      { numRuns: lawRuns(40, 1000) },
    );
  });

  it('leaves sorted and empty input alone', () => {
    expect(Array.from(sortOrder(encodeKeys([int64([-5n, -5n, 0n, 7n])], ['k'])))).toEqual([0, 1, 2, 3]);
    expect(Array.from(sortOrder(encodeKeys([int64([])], ['k'])))).toEqual([]);
    expect(encodeKeys([new Data(new Utf8(), 0, 0)], ['k'])).toMatchObject({ length: 0, width: 0 });
  });
});

describe('ascent, duplicates and search', () => {
  it('find the first row out of order', () => {
    fc.assert(
      fc.property(arbRows, ({ chosen, rows }) => {
        const expected = rows.findIndex((row, at) => at > 0 && compareRows(chosen, rows[at - 1]!, row) >= 0);
        expect(isStrictlyAscending(encoded(chosen, rows))).toBe(expected);
      }),
      { numRuns: lawRuns(200, 5000) },
    );
  });

  it('find two rows of one key, the earlier first, where there are any', () => {
    fc.assert(
      fc.property(arbRows, ({ chosen, rows }) => {
        const keys = encoded(chosen, rows);
        const found = firstDuplicate(keys, sortOrder(keys));
        const some = rows.some((row, at) => rows.slice(0, at).some((other) => compareRows(chosen, row, other) === 0));
        expect(found !== undefined).toBe(some);
        if (found === undefined) return;
        expect(found[0]).toBeLessThan(found[1]);
        expect(compareRows(chosen, rows[found[0]]!, rows[found[1]]!)).toBe(0);
      }),
      { numRuns: lawRuns(200, 5000) },
    );
  });

  it('put a prefix before what it begins, so that a search by leading columns finds their first row', () => {
    expect(compareKeys(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBeLessThan(0);
    expect(compareKeys(Uint8Array.of(1, 2, 0), Uint8Array.of(1, 2))).toBeGreaterThan(0);
    expect(compareKeys(Uint8Array.of(), Uint8Array.of())).toBe(0);
    const keys = encodeKeys([int64([1n, 2n, 2n, 3n]), int64([9n, -9n, 9n, 9n])], ['a', 'b']);
    expect(lowerBound(keys, keyAt(keys, 2).subarray(0, 8))).toBe(1);
  });

  it('find the first row at or above a key', () => {
    fc.assert(
      fc.property(arbRows, ({ chosen, rows }) => {
        const [wanted, ...rest] = rows;
        const sorted = plainOrder(chosen, rest).map((row) => rest[row]!);
        const bound = lowerBound(encoded(chosen, sorted), keyAt(encoded(chosen, [wanted!]), 0));
        const expected = sorted.findIndex((row) => compareRows(chosen, row, wanted!) >= 0);
        expect(bound).toBe(expected < 0 ? sorted.length : expected);
      }),
      { numRuns: lawRuns(200, 5000) },
    );
  });
});
