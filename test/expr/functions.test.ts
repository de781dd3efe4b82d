import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Expr } from '../../src/expr/expr.js';
import { se } from '../../src/expr/se.js';
import { lawRuns } from '../laws.js';
import { col, columnOf, evaluated, type TestColumn, valuesOf } from './evaluated.js';

const rows = 9;
const runs = { numRuns: lawRuns(15, 2000) };

type Row = Readonly<Record<string, unknown>>;
type Oracle = (row: Row) => unknown;

/** Draws columns of `types`, and checks that `expr` gives what `oracle` says of each row. */
function agrees(types: Readonly<Record<string, string>>, expr: Expr, oracle: Oracle): void {
  const columns = fc.record(
    Object.fromEntries(Object.entries(types).map(([name, type]) => [name, columnOf(type, rows)] as const)),
  );
  fc.assert(
    fc.property(columns, (drawn) => {
      const wanted = Array.from({ length: rows }, (_, row) =>
        oracle(Object.fromEntries(Object.entries(drawn).map(([name, { values }]) => [name, values[row]]))),
      );
      expect(evaluated(expr, drawn as Record<string, TestColumn>).values).toEqual(wanted);
    }),
    runs,
  );
}

/** An oracle of values that are not null; null for any that is. */
const strict =
  (of: (...values: never[]) => unknown): Oracle =>
  (row) => {
    const values = Object.values(row);
    return values.includes(null) ? null : (of as (...values: unknown[]) => unknown)(...values);
  };

const order = (a: unknown, b: unknown): number => {
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array);
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
};

const comparisons = {
  eq: (sign: number) => sign === 0,
  neq: (sign: number) => sign !== 0,
  lt: (sign: number) => sign < 0,
  lte: (sign: number) => sign <= 0,
  gt: (sign: number) => sign > 0,
  gte: (sign: number) => sign >= 0,
} as const;

describe('comparisons', () => {
  const types = [...Object.keys(valuesOf), 'dictionary<int32, utf8>', 'dictionary<int8, int64>'];
  for (const [name, holds] of Object.entries(comparisons)) {
    const how = name as keyof typeof comparisons;
    it.each(types)(`${how} of two columns of %s`, (type) => {
      agrees(
        { a: type, b: type },
        col('a')[how](col('b')),
        strict((a, b) => holds(order(a, b))),
      );
    });
    it.each(types)(`${how} of a column of %s and a constant, either way round`, (type) => {
      const value = valuesOf[/, (.*)>$/.exec(type)?.[1] ?? type]!;
      fc.assert(
        fc.property(columnOf(type, rows), value, (column, constant) => {
          const words = /, (.*)>$/.exec(type)?.[1] ?? type;
          const of = (sign: (x: unknown) => number): unknown[] =>
            column.values.map((x) => (x === null ? null : holds(sign(x))));
          const literal = se.scalar(constant as never, words);
          expect(evaluated(col('a')[how](literal), { a: column }).values).toEqual(of((x) => order(x, constant)));
          expect(evaluated(literal[how](col('a')), { a: column }).values).toEqual(of((x) => order(constant, x)));
        }),
        runs,
      );
    });
  }

  const mixed: readonly (readonly [string, string])[] = [
    ['int64', 'uint64'],
    ['int8', 'uint64'],
    ['uint32', 'int64'],
    ['int32', 'float64'],
    ['int16', 'float32'],
    ['uint8', 'int16'],
    ['utf8', 'large_utf8'],
  ];
  it.each(mixed)('%s and %s are compared by value', (left, right) => {
    for (const [name, holds] of Object.entries(comparisons)) {
      const how = name as keyof typeof comparisons;
      agrees(
        { a: left, b: right },
        col('a')[how](col('b')),
        strict((a, b) => holds(order(a, b))),
      );
    }
  });

  it('NaN equals NaN and is above every other number', () => {
    const column = { type: 'float64', values: [Number.NaN, Number.POSITIVE_INFINITY, -0, 1] };
    const of = (expr: Expr): unknown[] => evaluated(expr, { a: column, b: column }).values;
    expect(of(col('a').eq(col('b')))).toEqual([true, true, true, true]);
    expect(of(col('a').eq(Number.NaN))).toEqual([true, false, false, false]);
    expect(of(col('a').lt(Number.NaN))).toEqual([false, true, true, true]);
    expect(of(col('a').lte(Number.NaN))).toEqual([true, true, true, true]);
    expect(of(col('a').gt(1))).toEqual([true, true, false, false]);
    expect(of(col('a').gte(1))).toEqual([true, true, false, true]);
    expect(of(col('a').lt(1))).toEqual([false, false, true, false]);
    expect(of(col('a').eq(0))).toEqual([false, false, true, false]);
    const shifted = { type: 'float64', values: [1, Number.NaN, Number.NaN, Number.NaN] };
    const both = (expr: Expr): unknown[] => evaluated(expr, { a: column, b: shifted }).values;
    expect(both(col('a').lt(col('b')))).toEqual([false, true, true, true]);
    expect(both(col('a').gte(col('b')))).toEqual([true, false, false, false]);
  });

  it('a constant takes the type of what it stands against, where that holds it', () => {
    const of = (expr: Expr, type: string, values: unknown[]): unknown[] =>
      evaluated(expr, { a: { type, values } }).values;
    expect(of(col('a').eq(0.1), 'float32', [0.1, 0.2])).toEqual([true, false]);
    expect(of(col('a').gt(2 ** 53), 'int64', [2n ** 53n, 2n ** 53n + 1n])).toEqual([false, true]);
    expect(of(col('a').lt(300), 'int8', [127, -128])).toEqual([true, true]);
    expect(of(col('a').gt(1.5), 'int64', [1n, 2n])).toEqual([false, true]);
    expect(of(col('a').gte('1.005'.length), 'uint8', [4, 5])).toEqual([false, true]);
    expect(of(col('a').gt(new Date(1500)), 'timestamp[us, UTC]', [1500000n, 1500001n])).toEqual([false, true]);
    expect(of(col('a').gt(new Date(1500)), 'timestamp[s]', [1n, 2n])).toEqual([false, true]);
    expect(of(col('a').gte('2024-02-29'), 'date32', [new Date('2024-02-28'), new Date('2024-02-29')])).toEqual([
      false,
      true,
    ]);
    expect(of(col('a').lt('1970-01-01T00:00:01Z'), 'timestamp[ns, UTC]', [999999999n, 1000000000n])).toEqual([
      true,
      false,
    ]);
    expect(of(col('a').gte(1.005), 'decimal128(10, 2)', ['1.00', '1.01'])).toEqual([false, true]);
    expect(of(col('a').eq(1.5), 'decimal128(10, 2)', ['1.50', '1.51'])).toEqual([true, false]);
    expect(of(col('a').gt(null), 'int32', [1, 2])).toEqual([null, null]);
  });

  it('decimals of different scales, and with integers, are compared exactly', () => {
    const columns = {
      a: { type: 'decimal128(20, 2)', values: ['1.50', '-2.00', '90071992547409.93', null] },
      b: { type: 'decimal256(40, 4)', values: ['1.5000', '-1.9999', '90071992547409.9301', '1.0000'] },
      n: { type: 'int64', values: [1n, -2n, 90071992547410n, 1n] },
    };
    expect(evaluated(col('a').eq(col('b')), columns).values).toEqual([true, false, false, null]);
    expect(evaluated(col('a').lt(col('b')), columns).values).toEqual([false, true, true, null]);
    expect(evaluated(col('a').lte(col('n')), columns).values).toEqual([false, true, true, null]);
  });

  it('timestamps, times and durations of different units are compared as times', () => {
    const columns = {
      s: { type: 'timestamp[s]', values: [1n, 2n, null] },
      us: { type: 'timestamp[us]', values: [1_000_000n, 1_999_999n, 0n] },
      d: { type: 'date32', values: [new Date(0), new Date(86_400_000), new Date(0)] },
    };
    expect(evaluated(col('s').eq(col('us')), columns).values).toEqual([true, false, null]);
    expect(evaluated(col('us').lt(col('s')), columns).values).toEqual([false, true, null]);
    expect(evaluated(col('us').gt(col('d')), columns).values).toEqual([true, false, false]);
  });
});

describe('logic', () => {
  const and = (a: unknown, b: unknown): unknown =>
    a === false || b === false ? false : a === null || b === null ? null : true;
  const or = (a: unknown, b: unknown): unknown =>
    a === true || b === true ? true : a === null || b === null ? null : false;

  it('is that of SQL, of three values', () => {
    const types = { a: 'bool', b: 'bool' };
    agrees(types, col('a').and(col('b')), ({ a, b }) => and(a, b));
    agrees(types, col('a').or(col('b')), ({ a, b }) => or(a, b));
    agrees(
      types,
      col('a').xor(col('b')),
      strict((a, b) => a !== b),
    );
    agrees(types, col('a').not().and(col('b'), true), ({ a, b }) => and(a === null ? null : !a, b));
    agrees(types, se.or(false, col('a'), null), ({ a }) => or(a, null));
    agrees(types, col('a').isNull(), ({ a }) => a === null);
    agrees(types, col('a').and(col('b')).isNotNull(), ({ a, b }) => and(a, b) !== null);
  });

  it('takes chains of any length, and looks no further than it must', () => {
    const chain = Array.from({ length: 500 }, (_, at) => col('a').eq(at)).reduce((all, one) => all.or(one));
    expect(evaluated(chain, { a: { type: 'int16', values: [499, 500, null] } }).values).toEqual([true, false, null]);
    const s = { type: 'utf8', values: ['x', 'y'] };
    expect(evaluated(col('s').eq('z').and(col('s').cast('int32').gt(0)), { s }).values).toEqual([false, false]);
    expect(evaluated(col('s').neq('z').or(col('s').cast('int32').gt(0)), { s }).values).toEqual([true, true]);
  });

  it('tells null from not null for every type', () => {
    for (const type of [...Object.keys(valuesOf), 'dictionary<int16, utf8>']) {
      agrees({ a: type }, col('a').isNull(), ({ a }) => a === null);
      agrees({ a: type }, col('a').isNotNull(), ({ a }) => a !== null);
    }
  });

  it('in: true for one that equals, else null where a value is null', () => {
    const oracle = (a: unknown, others: unknown[]): unknown =>
      others.length === 0
        ? false
        : a === null
          ? null
          : others.includes(a)
            ? true
            : others.includes(null)
              ? null
              : false;
    const many = [-128, -5, -4, -2, 0, 1, 2.5, 4, 127];
    for (const others of [[], [1, 2], [1, null], [3000], [2.5, 1], many, [...many, null], [...many, 2 ** 40]]) {
      agrees({ a: 'int8' }, col('a').in(others), ({ a }) => oracle(a, others));
    }
    const words = ['a', '', 'ß', 'x', 'y', 'z', '日本', '😀', 'zz'];
    agrees({ a: 'utf8' }, col('a').in(words), ({ a }) => oracle(a, words));
    agrees({ a: 'large_utf8' }, col('a').in([...words, null]), ({ a }) => oracle(a, [...words, null]));
    const wide = Array.from({ length: 9 }, (_, at) => BigInt(at - 3));
    agrees({ a: 'int64' }, col('a').in(wide), ({ a }) => oracle(a, wide));
    agrees({ a: 'utf8', b: 'utf8' }, col('a').in(['a', col('b')]), ({ a, b }) => oracle(a, ['a', b]));
    agrees({ a: 'dictionary<int8, utf8>' }, col('a').in(['a', 'ß']), ({ a }) => oracle(a, ['a', 'ß']));
  });
});
