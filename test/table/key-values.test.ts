import {
  Binary,
  Bool,
  Data,
  DateDay,
  Decimal,
  Field,
  FixedSizeBinary,
  Float16,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  List,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampSecond,
  Uint8,
  Utf8,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { encodeKeys } from '../../src/table/key-codec.js';
import { isKeyType } from '../../src/table/key-type.js';
import { decodeKey, encodeKeyValues, keyText } from '../../src/table/key-values.js';
import { lawRuns } from '../laws.js';
import { int64 } from './key-columns.js';

function caught(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error('Expected the call to throw.');
}

describe('refusals', () => {
  it('name column and row of a null, also in a slice', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (length, a, b) => {
        const row = a % length;
        const from = b % (row + 1);
        const bitmap = new Uint8Array(Math.ceil(length / 8)).fill(255);
        bitmap[row >> 3]! &= ~(1 << (row & 7));
        const nulled = new Data(new Int32(), 0, length, 1, [undefined, new Int32Array(length), bitmap]);
        const good = int64(Array.from({ length: length - from }, () => 1n));
        const error = caught(() => encodeKeys([good, nulled.slice(from, length - from)], ['id', 'part']));
        expect(isSpiralError(error, 'invalid_key')).toBe(true);
        expect(error).toMatchObject({ details: { column: 'part', row: row - from } });
      }),
      { numRuns: lawRuns(100, 2000) },
    );
  });

  it('name the column whose type has no order', () => {
    const list = new List(new Field('item', new Int32(), true));
    expect(isKeyType(list)).toBe(false);
    const error = caught(() => encodeKeys([int64([]), new Data(list, 0, 0)], ['id', 'tags']));
    expect(isSpiralError(error, 'unsupported_type')).toBe(true);
    expect(error).toMatchObject({ details: { column: 'tags' } });
  });

  it('name the columns of unequal lengths, and a key without columns', () => {
    const error = caught(() => encodeKeys([int64([1n]), int64([1n, 2n])], ['a', 'b']));
    expect(error).toMatchObject({ code: 'invalid_key', details: { columns: ['a', 'b'], lengths: [1, 2] } });
    expect(caught(() => encodeKeys([], []))).toMatchObject({ code: 'invalid_key' });
  });

  it.each([
    ['type_mismatch', new Int64(), 'one'],
    ['value_out_of_range', new Int64(), 2n ** 63n],
    ['value_out_of_range', new Int64(), 2 ** 53],
    ['value_out_of_range', new Int32(), 1.5],
    ['value_out_of_range', new Uint8(), -1],
    ['type_mismatch', new Float64(), 1n],
    ['value_out_of_range', new Float32(), 1e300],
    ['value_out_of_range', new Float16(), 65520],
    ['type_mismatch', new Bool(), 1],
    ['type_mismatch', new Utf8(), 5],
    ['value_out_of_range', new Utf8(), 'a\uD800'],
    ['type_mismatch', new Binary(), 'text'],
    ['value_out_of_range', new FixedSizeBinary(5), new Uint8Array(4)],
    ['value_out_of_range', new DateDay(), new Date(1)],
    ['value_out_of_range', new TimestampSecond(), 1500],
    ['value_out_of_range', new TimestampMicrosecond(), new Date(Number.NaN)],
    ['type_mismatch', new TimestampMicrosecond(), '2024-01-01'],
    ['type_mismatch', new Decimal(2, 5, 128), '1,5'],
    ['value_out_of_range', new Decimal(2, 5, 128), '1.234'],
    ['value_out_of_range', new Decimal(2, 5, 128), '1000'],
    ['value_out_of_range', new Decimal(2, 5, 128), '1e9999'],
    ['type_mismatch', new Decimal(2, 5, 128), '1e999999999'],
    ['invalid_key', new Utf8(), null],
    ['invalid_key', new Utf8(), undefined],
  ])('%s for %s from %s, naming the column', (code, type, value) => {
    const error = caught(() => encodeKeyValues([1, value], [new Int32(), type], ['id', 'part']));
    expect(error).toMatchObject({ code, details: { column: 'part' } });
  });

  it('of a wrong number of values and of bytes that are no key of the types', () => {
    expect(caught(() => encodeKeyValues([1], [new Int32(), new Utf8()], ['a', 'b']))).toMatchObject({
      code: 'invalid_key',
    });
    const text = encodeKeyValues(['abc'], [new Utf8()], ['a']);
    expect(caught(() => decodeKey(text.subarray(0, 4), [new Utf8()]))).toMatchObject({ code: 'invalid_key' });
    expect(caught(() => decodeKey(text, [new Int64()]))).toMatchObject({ code: 'invalid_key' });
    expect(caught(() => decodeKey(text, [new Int16()]))).toMatchObject({ code: 'invalid_key' });
    expect(caught(() => decodeKey(Uint8Array.of(0, 2), [new Utf8()]))).toMatchObject({ code: 'invalid_key' });
  });
});

describe('encodeKeyValues', () => {
  it('rounds to the nearest half as apache-arrow reads it, ties to even', () => {
    fc.assert(
      fc.property(fc.double({ min: -65519, max: 65519, noNaN: true }), (value) => {
        const [kept] = decodeKey(encodeKeyValues([value], [new Float16()], ['h']), [new Float16()]) as [number];
        const step = Math.max(2 ** -24, 2 ** (Math.floor(Math.log2(Math.abs(kept) || 1)) - 10));
        expect(Math.abs(kept - value)).toBeLessThanOrEqual(step / 2);
      }),
      { numRuns: lawRuns(300, 10_000) },
    );
    const kept = (value: number): unknown =>
      decodeKey(encodeKeyValues([value], [new Float16()], ['h']), [new Float16()])[0];
    expect([kept(2049), kept(2051), kept(2 ** -25), kept(3 * 2 ** -25), kept(65519)]).toEqual([
      2048,
      2052,
      0,
      2 ** -23,
      65504,
    ]);
  });

  it('takes dates, numbers and bigints for one instant', () => {
    const type = new TimestampMicrosecond('UTC');
    const of = (value: unknown): Uint8Array => encodeKeyValues([value], [type], ['t']);
    expect(of(new Date(1234))).toEqual(of(1_234_000n));
    expect(of(1234)).toEqual(of(1_234_000n));
  });

  it('takes one decimal however it is written', () => {
    const type = new Decimal(2, 10, 128);
    const of = (value: unknown): Uint8Array => encodeKeyValues([value], [type], ['d']);
    for (const value of ['12.50', '12.5', '+12.500', '1250e-2', '0.125E2', 12.5]) expect(of(value)).toEqual(of('12.5'));
    expect(of(12n)).toEqual(of('12.00'));
    expect(of('-0')).toEqual(of(0));
  });
});

describe('keyText', () => {
  it('shows values for people', () => {
    const types = [new Int64(), new Utf8(), new Binary(), new TimestampMillisecond()];
    const key = encodeKeyValues([1, 'abc', Uint8Array.of(1, 255), 0], types, ['a', 'b', 'c', 'd']);
    expect(keyText(key, types)).toBe("(1, 'abc', 0x01ff, 1970-01-01T00:00:00.000Z)");
  });
});
