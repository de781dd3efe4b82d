import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Expr } from '../../src/expr/expr.js';
import { se } from '../../src/expr/se.js';
import { lawRuns } from '../laws.js';
import { col, columnOf, evaluated, valuesOf } from './evaluated.js';

const rows = 9;
const runs = { numRuns: lawRuns(40, 2000) };

const widths: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 2n ** 8n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};
/** The type that two integers share, by the table of the guide; undefined for none. */
function shared(a: string, b: string): string | undefined {
  const [signed, unsigned] = [a, b].sort() as [string, string];
  const bits = (type: string): number => Number(/\d+/.exec(type));
  if (signed.startsWith('int') === unsigned.startsWith('int')) return bits(a) > bits(b) ? a : b;
  const wide = Math.max(bits(signed), 2 * bits(unsigned));
  return wide > 64 ? undefined : `int${wide}`;
}

const whole = {
  add: (a: bigint, b: bigint) => a + b,
  subtract: (a: bigint, b: bigint) => a - b,
  multiply: (a: bigint, b: bigint) => a * b,
  modulo: (a: bigint, b: bigint) => (b === 0n ? null : a % b),
} as const;

describe('arithmetic', () => {
  const types = Object.keys(widths);
  for (const [name, of] of Object.entries(whole)) {
    const how = name as keyof typeof whole;
    it(`${how} of integers is exact, or an error where it overflows`, () => {
      const pairs = fc.constantFrom(...types.flatMap((a) => types.map((b) => [a, b] as const)));
      const drawn = pairs
        .filter(([a, b]) => shared(a, b) !== undefined)
        .chain(([a, b]) => fc.record({ a: columnOf(a, rows), b: columnOf(b, rows) }));
      fc.assert(
        fc.property(drawn, fc.boolean(), ({ a, b }, isConstant) => {
          const type = shared(a.type, b.type)!;
          const [min, max] = widths[type]!;
          const constant = b.values[0] as number | bigint | null;
          const right = isConstant ? se.scalar(constant, b.type) : col('b');
          const wanted = a.values.map((x, row) => {
            const y = isConstant ? constant : b.values[row];
            return x === null || y === null ? null : of(BigInt(x as bigint), BigInt(y as bigint));
          });
          const run = (): { type: string; values: unknown[] } => evaluated(col('a')[how](right), { a, b });
          if (wanted.some((value) => value !== null && (value < min || value > max))) {
            expect(run).toThrow(expect.objectContaining({ code: 'value_out_of_range' }));
            return;
          }
          const values = type.endsWith('64') ? wanted : wanted.map((value) => value && Number(value));
          expect(run()).toEqual({
            type,
            values: values.map((value) => (value === 0n && !type.endsWith('64') ? 0 : value)),
          });
        }),
        { numRuns: lawRuns(250, 10_000) },
      );
    });
  }

  it('of floats is that of IEEE 754', () => {
    const of = {
      add: (a: number, b: number) => a + b,
      subtract: (a: number, b: number) => a - b,
      multiply: (a: number, b: number) => a * b,
      divide: (a: number, b: number) => a / b,
      modulo: (a: number, b: number) => a % b,
    } as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(of) as (keyof typeof of)[])),
        columnOf('float64', rows),
        columnOf('float64', rows),
        (how, a, b) => {
          const wanted = a.values.map((x, row) =>
            x === null || b.values[row] === null ? null : of[how](x as number, b.values[row] as number),
          );
          expect(evaluated(col('a')[how](col('b')), { a, b }).values).toEqual(wanted);
        },
      ),
      runs,
    );
  });

  it('divides integers as floats, and constants take the type of the column', () => {
    const columns = {
      i: { type: 'int32', values: [7, -7, null] },
      w: { type: 'int64', values: [7n, 0n, 1n] },
      f: { type: 'float32', values: [1.5, 2, null] },
      h: { type: 'float16', values: [1.5, 2, null] },
    };
    expect(evaluated(col('i').divide(2), columns)).toEqual({ type: 'float64', values: [3.5, -3.5, null] });
    expect(evaluated(col('w').divide(0), columns).values).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]);
    expect(evaluated(col('i').add(1), columns)).toEqual({ type: 'int32', values: [8, -6, null] });
    expect(evaluated(col('i').add(1.5), columns)).toEqual({ type: 'float64', values: [8.5, -5.5, null] });
    expect(evaluated(se.subtract(10n, col('w')), columns)).toEqual({ type: 'int64', values: [3n, 10n, 9n] });
    expect(evaluated(col('f').multiply(2), columns)).toEqual({ type: 'float32', values: [3, 4, null] });
    expect(evaluated(col('h').add(1), columns)).toEqual({ type: 'float32', values: [2.5, 3, null] });
    expect(evaluated(col('i').add(null), columns).values).toEqual([null, null, null]);
    expect(evaluated(se.add(1, 2), columns).values).toEqual([3, 3, 3]);
    expect(evaluated(col('w').add(col('f')), columns).type).toBe('float64');
  });
});

describe('functions of one number', () => {
  const same: readonly (readonly [string, (e: Expr) => Expr, (x: number) => number])[] = [
    ['abs', (e) => e.num.abs(), Math.abs],
    ['sign', (e) => se.num.sign(e), Math.sign],
    ['floor', (e) => se.num.floor(e), Math.floor],
    ['ceil', (e) => e.num.ceil(), Math.ceil],
    ['sqrt', (e) => se.num.sqrt(e), Math.sqrt],
    ['exp', (e) => se.num.exp(e), Math.exp],
    ['log', (e) => se.num.log(e), Math.log],
    ['negate', (e) => e.negate(), (x) => -x],
  ];
  it.each(same)('%s of doubles is that of Math', (_name, expr, of) => {
    fc.assert(
      fc.property(columnOf('float64', rows), (a) => {
        expect(evaluated(expr(col('a')), { a }).values).toEqual(
          a.values.map((x) => (x === null ? null : of(x as number))),
        );
      }),
      runs,
    );
  });

  it.each(Object.keys(widths))('abs, sign, floor and negate keep %s whole', (type) => {
    const [min, max] = widths[type]!;
    const wide = type.endsWith('64');
    const as = (value: bigint): unknown => (wide ? value : Number(value));
    fc.assert(
      fc.property(columnOf(type, rows), (a) => {
        const each = (of: (x: bigint) => bigint): unknown[] =>
          a.values.map((x) => (x === null ? null : as(of(BigInt(x as number)))));
        const abs = (x: bigint): bigint => (x < 0n ? -x : x);
        const sign = (x: bigint): bigint => (x < 0n ? -1n : x > 0n ? 1n : 0n);
        expect(evaluated(col('a').num.sign(), { a })).toEqual({ type, values: each(sign) });
        expect(evaluated(col('a').num.floor(), { a })).toEqual({ type, values: each((x) => x) });
        const fits = a.values.every((x) => x === null || abs(BigInt(x as number)) <= max);
        if (fits) expect(evaluated(col('a').num.abs(), { a })).toEqual({ type, values: each(abs) });
        else expect(() => evaluated(col('a').num.abs(), { a })).toThrow(/overflow/);
        if (min < 0n && fits)
          expect(evaluated(col('a').num.neg(), { a }).values).toEqual(each((x) => (x === 0n && !wide ? 0n : -x)));
      }),
      runs,
    );
  });

  it('round takes halves away from zero, at any digit', () => {
    const a = { type: 'float64', values: [2.5, -2.5, 0.4, 1.005, -1.255, 1e300, 1234.5, null] };
    const of = (digits?: number): unknown[] => evaluated(col('a').num.round(digits), { a }).values;
    expect(of()).toEqual([3, -3, 0, 1, -1, 1e300, 1235, null]);
    expect(of(2)).toEqual([2.5, -2.5, 0.4, 1.01, -1.26, 1e300, 1234.5, null]);
    expect(of(-2)).toEqual([0, -0, 0, 0, -0, 1e300, 1200, null]);
    expect(evaluated(col('i').num.round(2), { i: { type: 'int8', values: [5, null] } })).toEqual({
      type: 'int8',
      values: [5, null],
    });
  });

  it('pow and clip', () => {
    fc.assert(
      fc.property(columnOf('int32', rows), columnOf('int32', rows), valuesOf['int32']!, (a, b, high) => {
        const clipped = a.values.map((x, row) => {
          const low = b.values[row] as number | null;
          if (x === null) return null;
          const raised = low !== null && (x as number) < low ? low : (x as number);
          return Math.min(raised, high as number);
        });
        expect(evaluated(col('a').num.clip(col('b'), high as number), { a, b })).toEqual({
          type: 'int32',
          values: clipped,
        });
        const powers = a.values.map((x) => (x === null ? null : (x as number) ** 2));
        expect(evaluated(se.num.pow(col('a'), 2), { a }).values).toEqual(powers);
      }),
      runs,
    );
    const f = { type: 'float64', values: [-1, 5, null] };
    expect(evaluated(col('f').num.clip(null, 1), { f }).values).toEqual([-1, 1, null]);
    expect(evaluated(col('f').num.clip(0, null), { f }).values).toEqual([0, 5, null]);
  });
});
