import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Expr } from '../../src/expr/expr.js';
import { se } from '../../src/expr/se.js';
import { lawRuns } from '../laws.js';
import { col, columnOf, evaluated, valuesOf } from './evaluated.js';

const rows = 9;
const runs = { numRuns: lawRuns(60, 3000) };
const types = ['utf8', 'large_utf8', 'dictionary<int32, utf8>'];

function agrees(expr: Expr, of: (text: string) => unknown): void {
  for (const type of types) {
    fc.assert(
      fc.property(columnOf(type, rows), (a) => {
        const wanted = a.values.map((x) => (x === null ? null : of(x as string)));
        expect(evaluated(expr, { a }).values).toEqual(wanted);
      }),
      runs,
    );
  }
}

/** `like` by a regular expression. */
function like(text: string, pattern: string): boolean {
  const source = [...pattern]
    .map((c) => (c === '%' ? '[^]*' : c === '_' ? '[^]' : c.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`, 'u').test(text);
}

describe('functions of text', () => {
  it('are those of JavaScript over code points', () => {
    agrees(col('a').str.length(), (x) => [...x].length);
    agrees(col('a').str.lower(), (x) => x.toLowerCase());
    agrees(se.str.upper(col('a')), (x) => x.toUpperCase());
    agrees(col('a').str.trim(), (x) => x.trim());
    agrees(se.str.replace(col('a'), 'a', '$&😀'), (x) => x.replaceAll('a', () => '$&😀'));
    agrees(col('a').str.replace('', 'x'), (x) => x);
    agrees(col('a').str.split('b'), (x) => x.split('b'));
    agrees(se.str.split(col('a'), ''), (x) => [...x]);
    agrees(se.str.concat('<', col('a'), '>'), (x) => `<${x}>`);
    agrees(col('a').str.matches('^[a-b😀]+$'), (x) => /^[a-b😀]+$/u.test(x));
    agrees(se.str.matches(col('a'), 'A', { flags: 'i' }), (x) => /A/iu.test(x));
  });

  it('substr counts code points from either end', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -8, max: 8 }),
        fc.option(fc.integer({ min: -1, max: 8 }), { nil: undefined }),
        (start, length) => {
          const of = (x: string): string => {
            const points = [...x];
            const from = start < 0 ? Math.max(0, points.length + start) : start;
            return points.slice(from, length === undefined ? undefined : from + Math.max(0, length)).join('');
          };
          const a = { type: 'utf8', values: ['', 'abc', 'a😀b', null, '日本語テキスト', 'éé'] };
          const expr = length === undefined ? col('a').str.substr(start) : col('a').str.substr(start, length);
          expect(evaluated(expr, { a }).values).toEqual(a.values.map((x) => (x === null ? null : of(x))));
          const n = { type: 'int8', values: a.values.map(() => start) };
          expect(evaluated(col('a').str.substr(col('n')), { a, n }).values).toEqual(
            a.values.map((x) => (x === null ? null : [...x].slice(start).join(''))),
          );
        },
      ),
      runs,
    );
  });

  it('startsWith, endsWith and contains compare with a constant and with a column', () => {
    fc.assert(
      fc.property(columnOf('utf8', rows), columnOf('large_utf8', rows), valuesOf['utf8']!, (a, b, c) => {
        for (const how of ['startsWith', 'endsWith', 'contains'] as const) {
          const is = { startsWith: 'startsWith', endsWith: 'endsWith', contains: 'includes' } as const;
          const of = (x: unknown, y: unknown): unknown =>
            x === null || y === null ? null : (x as string)[is[how]](y as string);
          expect(evaluated(col('a').str[how](c as string), { a }).values).toEqual(a.values.map((x) => of(x, c)));
          expect(evaluated(se.lift(c as string).str[how](col('a')), { a }).values).toEqual(
            a.values.map((x) => of(c, x)),
          );
          expect(evaluated(se.str[how](col('a'), col('b')), { a, b }).values).toEqual(
            a.values.map((x, row) => of(x, b.values[row])),
          );
        }
      }),
      runs,
    );
  });

  it('like is that of SQL', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '%', '_', '😀', '.', 'é'), maxLength: 6 });
    fc.assert(
      fc.property(columnOf('utf8', rows), pattern, (a, wanted) => {
        const values = a.values.map((x) => (x === null ? null : like(x as string, wanted)));
        expect(evaluated(col('a').str.like(wanted), { a }).values).toEqual(values);
      }),
      { numRuns: lawRuns(200, 20_000) },
    );
    const a = { type: 'utf8', values: ['a%b', 'axb', 'a_b', 'a\\b'] };
    expect(evaluated(col('a').str.like('a\\%b', { escape: '\\' }), { a }).values).toEqual([true, false, false, false]);
    expect(evaluated(col('a').str.like('a!_b', { escape: '!' }), { a }).values).toEqual([false, false, true, false]);
    const long = { type: 'utf8', values: [`${'a'.repeat(5000)}b`] };
    expect(evaluated(col('a').str.like('%a%a%a%a%a%c'), { a: long }).values).toEqual([false]);
  });

  it('concat of columns, of any form of text, is null where one is null', () => {
    fc.assert(
      fc.property(columnOf('utf8', rows), columnOf('large_utf8', rows), (a, b) => {
        const wanted = a.values.map((x, row) => (x === null || b.values[row] === null ? null : `${x}${b.values[row]}`));
        expect(evaluated(col('a').str.concat(col('b')), { a, b })).toEqual({ type: 'large_utf8', values: wanted });
      }),
      runs,
    );
  });

  it('take constants alone as well, and columns of no rows', () => {
    const none = { a: { type: 'utf8', values: [] } };
    expect(evaluated(col('a').str.split(',').list.length(), none)).toEqual({ type: 'int32', values: [] });
    const some = { a: { type: 'utf8', values: ['x', null] } };
    expect(evaluated(se.str.upper('abc'), some).values).toEqual(['ABC', 'ABC']);
    expect(evaluated(se.str.contains('abc', null), some).values).toEqual([null, null]);
    expect(evaluated(se.str.split('a,b', ','), some).values).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });
});
