import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeColumn } from '../../src/arrow/build-data.js';
import { parseType } from '../../src/arrow/words.js';
import { bindExpr } from '../../src/expr/bind.js';
import { se } from '../../src/expr/se.js';
import { lawRuns } from '../laws.js';
import { col, columnOf, dataOf, evaluated, read } from './evaluated.js';

const runs = { numRuns: lawRuns(40, 2000) };
const rows = 6;
const ints = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'];
const bounds = (type: string): [bigint, bigint] => {
  const bits = BigInt(/\d+/.exec(type)![0]);
  return type.startsWith('u') ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
};

describe('cast', () => {
  it.each(ints)('of %s to every integer type is exact or an error', (from) => {
    fc.assert(
      fc.property(columnOf(from, rows), fc.constantFrom(...ints), (a, to) => {
        const [min, max] = bounds(to);
        const whole = a.values.map((x) => (x === null ? null : BigInt(x as number)));
        const run = (): unknown => evaluated(col('a').cast(to), { a });
        if (whole.some((x) => x !== null && (x < min || x > max))) {
          expect(run).toThrow(expect.objectContaining({ code: 'value_out_of_range' }));
          return;
        }
        const values = whole.map((x) => (x === null ? null : to.endsWith('64') ? x : Number(x)));
        expect(run()).toEqual({ type: to, values });
      }),
      runs,
    );
  });

  it('to text and back gives the same value', () => {
    for (const type of [...ints, 'bool', 'float32', 'float64']) {
      fc.assert(
        fc.property(columnOf(type, rows), (a) => {
          const text = evaluated(col('a').cast('utf8'), { a });
          expect(text.values).toEqual(a.values.map((x) => (x === null ? null : String(x))));
          expect(evaluated(col('a').cast('large_utf8').cast(type), { a })).toEqual({
            type,
            values: a.values.map((x) => (Object.is(x, -0) ? 0 : x)),
          });
        }),
        runs,
      );
    }
  });

  it('rounds floats to integers, halves to the even one, and refuses what is no number', () => {
    const a = { type: 'float64', values: [0.5, 1.5, -2.5, 2.6, null] };
    expect(evaluated(col('a').cast('int8'), { a }).values.map((x) => x && Number(x))).toEqual([0, 2, -2, 3, null]);
    expect(evaluated(col('a').cast('int64'), { a }).values).toEqual([0n, 2n, -2n, 3n, null]);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
      const wrong = { a: { type: 'float64', values: [value] } };
      expect(() => evaluated(col('a').cast('int64'), wrong)).toThrow(/at row 0 of a batch/);
      expect(() => evaluated(col('a').cast('uint32'), wrong)).toThrow(/at row 0 of a batch/);
    }
    expect(evaluated(col('a').cast('float16').cast('float64'), { a }).values[3]).toBe(2.599609375);
  });

  it('of decimals', () => {
    const a = { type: 'decimal128(10, 2)', values: ['1.50', '-2.55', null] };
    expect(evaluated(col('a').cast('float64'), { a }).values).toEqual([1.5, -2.55, null]);
    expect(evaluated(col('a').cast('int32'), { a }).values).toEqual([2, -3, null]);
    expect(evaluated(col('a').cast('decimal128(4, 1)'), { a }).values).toEqual(['1.5', '-2.6', null]);
    expect(evaluated(col('a').cast('decimal256(50, 4)'), { a }).values).toEqual(['1.5000', '-2.5500', null]);
    expect(evaluated(col('a').cast('utf8'), { a }).values).toEqual(['1.50', '-2.55', null]);
    expect(() => evaluated(col('a').cast('decimal128(2, 2)'), { a })).toThrow(/decimal128\(2, 2\) holds/);
    const n = { type: 'int64', values: [12n, null] };
    expect(evaluated(col('n').cast('decimal128(20, 2)'), { n }).values).toEqual(['12.00', null]);
    const s = { type: 'utf8', values: [' 1.005 ', null] };
    expect(evaluated(col('s').cast('decimal128(20, 2)'), { s }).values).toEqual(['1.01', null]);
    const f = { type: 'float64', values: [0.1, 1e-7] };
    expect(evaluated(col('f').cast('decimal128(20, 3)'), { f }).values).toEqual(['0.100', '0.000']);
  });

  it('of times', () => {
    const us = { type: 'timestamp[us, UTC]', values: [-1n, 1_709_210_096_123_456n, null] };
    const columns = { us };
    expect(evaluated(col('us').cast('utf8'), columns).values).toEqual([
      '1969-12-31T23:59:59.999999Z',
      '2024-02-29T12:34:56.123456Z',
      null,
    ]);
    expect(evaluated(col('us').cast('utf8').cast('timestamp[us, UTC]'), columns).values).toEqual(us.values);
    expect(evaluated(col('us').cast('timestamp[s]'), columns).values).toEqual([
      new Date(-1000),
      new Date('2024-02-29T12:34:56Z'),
      null,
    ]);
    expect(evaluated(col('us').cast('timestamp[ns]'), columns).values).toEqual([
      -1000n,
      1_709_210_096_123_456_000n,
      null,
    ]);
    expect(evaluated(col('us').cast('date32').cast('utf8'), columns).values).toEqual([
      '1969-12-31',
      '2024-02-29',
      null,
    ]);
    expect(evaluated(col('us').cast('time64[us]').cast('utf8'), columns).values).toEqual([
      '23:59:59.999999',
      '12:34:56.123456',
      null,
    ]);
    expect(evaluated(col('us').cast('int64'), columns).values).toEqual(us.values);
    expect(evaluated(col('us').cast('int64').cast('timestamp[us]'), columns).values).toEqual(us.values);
    const zoned = {
      z: {
        type: 'timestamp[s, America/New_York]',
        values: [new Date('2024-03-10T06:59:59Z'), new Date('2024-07-01T03:00:00Z')],
      },
    };
    expect(evaluated(col('z').cast('date32').cast('utf8'), zoned).values).toEqual(['2024-03-10', '2024-06-30']);
    expect(
      evaluated(se.scalar('2024-07-01T00:00:00').cast('timestamp[s, America/New_York]').cast('utf8'), zoned).values[0],
    ).toBe('2024-07-01T04:00:00Z');
    const d = { d: { type: 'date32', values: [new Date('2024-02-29'), null] } };
    expect(evaluated(col('d').cast('timestamp[ms]'), d).values).toEqual([new Date('2024-02-29'), null]);
    expect(evaluated(col('d').cast('int32'), d).values).toEqual([19782, null]);
    const text = { t: { type: 'utf8', values: ['2024-02-30'] } };
    for (const type of ['date32', 'timestamp[us]', 'time32[s]']) {
      expect(() => evaluated(col('t').cast(type), text)).toThrow(/2024-02-30/);
    }
  });

  it('of nested values, text and binary', () => {
    const l = { type: 'list<int8>', values: [[1, null], null, []], offset: 2 };
    expect(evaluated(col('l').cast('list<utf8>'), { l }).values).toEqual([['1', null], null, []]);
    const f = { type: 'fixed_size_list<float32>[2]', values: [[1, 2], null] };
    expect(evaluated(col('f').cast('list<int64>'), { f }).values).toEqual([[1n, 2n], null]);
    const s = { type: 'struct<{a: int8, b: utf8}>', values: [{ a: 1, b: '2' }, null] };
    expect(evaluated(col('s').cast('struct<{b: int16, a: float32}>'), { s }).values).toEqual([{ b: 2, a: 1 }, null]);
    const x = { type: 'utf8', values: ['é', null] };
    expect(evaluated(col('x').cast('binary'), { x }).values).toEqual([[0xc3, 0xa9], null]);
    expect(evaluated(col('x').cast('fixed_size_binary[2]').cast('utf8'), { x }).values).toEqual(['é', null]);
    const b = { type: 'binary', values: [Uint8Array.of(0xff)] };
    expect(() => evaluated(col('b').cast('utf8'), { b })).toThrow(/utf8 holds/);
    const n = { type: 'int8', values: [0, 2, null] };
    expect(evaluated(col('n').cast('bool'), { n }).values).toEqual([false, true, null]);
    const k = { type: 'bool', values: [true, null, false], offset: 3 };
    expect(evaluated(col('k').cast('int64'), { k }).values).toEqual([1n, null, 0n]);
    const d = { type: 'dictionary<int8, utf8>', values: ['1', '2', null, '1', '1'] };
    expect(evaluated(col('d').cast('int32'), { d }).values).toEqual([1, 2, null, 1, 1]);
  });

  it('passes by what lies beneath nulls, in lists and structs too', () => {
    const texts = dataOf({ type: 'utf8', values: ['x', '1', 'y', '2'] });
    const valid = { nullCount: -1, bits: Uint8Array.of(0b10) };
    const offsets = Int32Array.of(0, 1, 2);
    const lists = makeColumn(parseType('list<utf8>'), 2, valid, { offsets, children: [texts] });
    const fixed = makeColumn(parseType('fixed_size_list<utf8>[1]'), 2, valid, { children: [texts] });
    const structs = makeColumn(parseType('struct<{a: utf8}>'), 2, valid, { children: [texts.slice(0, 2)] });
    for (const [data, type, wanted] of [
      [lists, 'list<int8>', [1]],
      [fixed, 'fixed_size_list<int8>[1]', [1]],
      [structs, 'struct<{a: int8}>', { a: 1 }],
    ] as const) {
      const fields = [{ name: 'c', column: { id: 0, type: data.type } }];
      const bound = bindExpr(col('c').cast(type).node, { table: () => ({ name: 'a test', fields }) });
      expect(read(bound, { rows: 2, columns: new Map([[0, data]]) }), type).toEqual([null, wanted]);
    }
  });

  it('does not fail for values that no row has: beneath nulls, in a dictionary', () => {
    const d = { type: 'dictionary<int8, utf8>', values: ['1', 'x', null, '1', '2', '3'], offset: 2 };
    expect(evaluated(col('d').cast('int32'), { d: { ...d, values: ['1', '2'], offset: 0 } }).values).toEqual([1, 2]);
    expect(() => evaluated(col('d').cast('int32'), { d })).toThrow(/"x" at row 1/);
  });
});

describe('time', () => {
  it('parts are those of Date, in UTC', () => {
    const instant = fc.integer({ min: -8_000_000_000_000, max: 8_000_000_000_000 });
    fc.assert(
      fc.property(
        fc.array(fc.option(instant, { nil: null }), { minLength: 4, maxLength: 4 }),
        fc.constantFrom('s', 'ms', 'us'),
        (drawn, unit) => {
          const scale = { s: 1n, ms: 1000n, us: 1_000_000n }[unit]!;
          const seconds = drawn.map((x) => x && Math.trunc(x / 10));
          const a = { type: `timestamp[${unit}]`, values: seconds.map((x) => (x === null ? null : BigInt(x) * scale)) };
          const each = (of: (date: Date) => number): unknown[] =>
            seconds.map((x) => (x === null ? null : of(new Date(x * 1000))));
          expect(evaluated(col('a').time.year(), { a })).toEqual({
            type: 'int32',
            values: each((d) => d.getUTCFullYear()),
          });
          expect(evaluated(se.time.month(col('a')), { a }).values).toEqual(each((d) => d.getUTCMonth() + 1));
          expect(evaluated(se.time.day(col('a')), { a }).values).toEqual(each((d) => d.getUTCDate()));
          expect(evaluated(se.time.hour(col('a')), { a }).values).toEqual(each((d) => d.getUTCHours()));
          expect(evaluated(se.time.minute(col('a')), { a }).values).toEqual(each((d) => d.getUTCMinutes()));
          expect(evaluated(se.time.second(col('a')), { a }).values).toEqual(each((d) => d.getUTCSeconds()));
          const month = se.time.truncate(col('a'), 'month').cast('timestamp[s]');
          expect(evaluated(month, { a }).values).toEqual(
            seconds.map((x) => {
              if (x === null) return null;
              const date = new Date(x * 1000);
              date.setUTCDate(1);
              date.setUTCHours(0, 0, 0, 0);
              return date;
            }),
          );
        },
      ),
      runs,
    );
  });

  it('go by the clock of the zone', () => {
    const at = [
      '2024-03-31T00:59:59Z',
      '2024-03-31T01:00:00Z',
      '2024-10-27T00:30:00Z',
      '2024-10-27T01:30:00Z',
      '1800-06-01T12:00:00Z',
    ];
    const a = { type: 'timestamp[ms, Europe/Paris]', values: at.map((x) => new Date(x)) };
    expect(evaluated(col('a').time.hour(), { a }).values).toEqual([1, 3, 2, 2, 12]);
    expect(evaluated(col('a').time.minute(), { a }).values).toEqual([59, 0, 30, 30, 9]);
    expect(evaluated(col('a').time.truncate('day'), { a }).values.slice(0, 4)).toEqual([
      new Date('2024-03-30T23:00:00Z'),
      new Date('2024-03-30T23:00:00Z'),
      new Date('2024-10-26T22:00:00Z'),
      new Date('2024-10-26T22:00:00Z'),
    ]);
    const b = { type: 'timestamp[us, +05:30]', values: [0n] };
    expect(evaluated(col('b').time.minute(), { b }).values).toEqual([30]);
    const far = { type: 'timestamp[s]', values: [2n ** 62n] };
    expect(() => evaluated(col('f').time.year(), { f: far })).toThrow(/int32 holds/);
    const c = { type: 'timestamp[us, Mars/Olympus]', values: [0n] };
    expect(() => evaluated(col('c').time.hour(), { c })).toThrow(/time zone that is known/);
  });

  it('truncate weeks begin on Monday, quarters in January, April, July and October', () => {
    const d = { type: 'date32', values: ['2024-02-29', '1969-12-28', '2024-12-31'].map((x) => new Date(x)) };
    const of = (unit: 'week' | 'quarter' | 'year'): unknown[] =>
      evaluated(col('d').time.truncate(unit).cast('utf8'), { d }).values;
    expect(of('week')).toEqual(['2024-02-26', '1969-12-22', '2024-12-30']);
    expect(of('quarter')).toEqual(['2024-01-01', '1969-10-01', '2024-10-01']);
    expect(of('year')).toEqual(['2024-01-01', '1969-01-01', '2024-01-01']);
    const ns = { type: 'timestamp[ns]', values: [-1n, 1_709_210_096_123_456_789n] };
    expect(evaluated(col('n').time.truncate('second'), { n: ns }).values).toEqual([
      -1_000_000_000n,
      1_709_210_096_000_000_000n,
    ]);
    expect(evaluated(col('n').time.year(), { n: ns }).values).toEqual([1969, 2024]);
    const time = { type: 'time64[ns]', values: [3_723_000_000_001n] };
    expect(evaluated(col('t').time.second(), { t: time }).values).toEqual([3]);
    expect(evaluated(col('t').time.hour(), { t: time }).values).toEqual([1]);
  });
});
