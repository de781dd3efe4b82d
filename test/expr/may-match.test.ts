import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindPredicate } from '../../src/expr/bind.js';
import { selectRows } from '../../src/expr/evaluate.js';
import type { Expr } from '../../src/expr/expr.js';
import { mayMatch, type ZoneFacts } from '../../src/expr/may-match.js';
import { se } from '../../src/expr/se.js';
import { zoneOf } from '../../src/format/zone-map.js';
import { lawRuns } from '../laws.js';
import { drawnPredicate, drawnTable } from './drawn-expr.js';
import { col, columnOf, type TestColumn, testTable, valuesOf } from './evaluated.js';

/** What zones say of a predicate, and what its rows say. */
function both(expr: Expr, columns: Readonly<Record<string, TestColumn>>): { zones: string; rows: string } {
  const { scope, input } = testTable(columns);
  const bound = bindPredicate(expr.node, scope);
  const zones = new Map([...input.columns].map(([id, data]) => [id, zoneOf(data)]));
  const rows = selectRows(bound, input);
  return {
    zones: mayMatch(bound, (id) => zones.get(id), input.rows),
    rows: rows === 'all' ? 'all' : rows.length === 0 ? 'none' : 'some',
  };
}

function sound({ zones, rows }: { zones: string; rows: string }): void {
  if (zones !== 'some') expect(rows).toBe(zones);
}

describe('pruning by zones (law 21)', () => {
  it('never changes a result: random predicates over random tables', () => {
    let pruned = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }).chain((rows) => drawnTable(rows)),
        fc.array(drawnPredicate, { minLength: 8, maxLength: 8 }),
        (columns, predicates) => {
          for (const { expr } of predicates) {
            const answer = both(expr, columns);
            sound(answer);
            if (answer.zones !== 'some') pruned++;
          }
        },
      ),
      { numRuns: lawRuns(100, 10_000) },
    );
    expect(pruned).toBeGreaterThan(100);
  });

  const types = [...Object.keys(valuesOf), 'dictionary<int8, utf8>'];
  it.each(types)('never changes a result: each comparison of %s, with a constant and with a column', (type) => {
    const value = valuesOf[/, (.*)>$/.exec(type)?.[1] ?? type]!;
    const words = /, (.*)>$/.exec(type)?.[1] ?? type;
    const how = fc.constantFrom('eq', 'neq', 'lt', 'lte', 'gt', 'gte');
    fc.assert(
      fc.property(columnOf(type, 2), columnOf(type, 2), value, how, (a, b, constant, name) => {
        const literal = se.scalar(constant as never, words);
        for (const expr of [
          col('a')[name as 'eq'](literal),
          literal[name as 'eq'](col('a')),
          col('a')[name as 'eq'](col('b')),
          col('a').in([literal, col('b')]),
        ]) {
          sound(both(expr, { a, b }));
          sound(both(expr.not(), { a, b }));
        }
      }),
      { numRuns: lawRuns(100, 5000) },
    );
  });

  it('never changes a result where text is longer than a bound', () => {
    const long = fc
      .tuple(fc.constantFrom('a'.repeat(32), '\u{10ffff}'.repeat(8), 'é'.repeat(16)), fc.string({ maxLength: 3 }))
      .map(([head, tail]) => head + tail);
    fc.assert(
      fc.property(long, long, fc.constantFrom('eq', 'lt', 'lte', 'gt', 'gte', 'neq'), (text, constant, name) => {
        const a = { type: 'utf8', values: [text] };
        sound(both(col('a')[name as 'eq'](constant), { a }));
        sound(both(col('a').str.startsWith(constant), { a }));
      }),
      { numRuns: lawRuns(200, 10_000) },
    );
  });

  it('never changes a result where NaN is among the values', () => {
    const number = fc.constantFrom(Number.NaN, 0, -0, 1, -1, Number.POSITIVE_INFINITY);
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 1, maxLength: 3 }),
        number,
        fc.constantFrom('eq', 'lt', 'lte', 'gt', 'gte', 'neq'),
        (values, constant, name) => {
          const a = { type: 'float64', values };
          sound(both(col('a')[name as 'eq'](constant), { a }));
          sound(both(se.lift(constant)[name as 'eq'](col('a')), { a }));
        },
      ),
      { numRuns: lawRuns(300, 10_000) },
    );
  });

  it('prunes what it can', () => {
    const a = { type: 'int32', values: [3, 4, 5] };
    const s = { type: 'utf8', values: ['m', 'n', null] };
    const w = { type: 'int64', values: [3n, 4n, 5n] };
    const k = { type: 'bool', values: [true, true, null] };
    const d = { type: 'timestamp[us, UTC]', values: [3_000_000n, 4_000_000n, 5_000_000n] };
    const p = { type: 'decimal128(9, 2)', values: ['3.00', '4.00', '5.00'] };
    const of = (expr: Expr): string => both(expr, { a, s, w, k, d, p }).zones;
    expect(of(col('a').gt(5))).toBe('none');
    expect(of(col('a').gt(2.5))).toBe('all');
    expect(of(col('a').gt(4))).toBe('some');
    expect(of(col('a').in([1, 2, 9]))).toBe('none');
    expect(of(col('a').eq(null))).toBe('none');
    expect(of(col('a').isNull())).toBe('none');
    expect(of(col('a').isNotNull())).toBe('all');
    expect(of(col('s').isNull())).toBe('some');
    expect(of(col('s').lt('m'))).toBe('none');
    expect(of(col('s').str.startsWith('k'))).toBe('none');
    expect(of(col('s').str.startsWith('oo'))).toBe('none');
    expect(of(col('s').str.like('k%z'))).toBe('none');
    expect(of(col('s').gte('a').and(col('a').gt(9)))).toBe('none');
    expect(of(col('s').gte('a').or(col('a').lt(9)))).toBe('all');
    expect(of(col('w').lt(3n))).toBe('none');
    expect(of(col('w').lt(2.5))).toBe('none');
    expect(of(col('w').gt(col('a')))).toBe('some');
    expect(of(col('k').not())).toBe('none');
    expect(of(col('d').gt(new Date(5000)))).toBe('none');
    expect(of(col('p').gt(5))).toBe('none');
    expect(of(col('p').gte(2.5))).toBe('all');
    expect(of(col('a').add(1).gt(100))).toBe('some');
  });

  it('takes nothing for granted where nothing is known', () => {
    const { scope } = testTable({ a: { type: 'float64', values: [1] }, h: { type: 'float16', values: [1] } });
    const of = (expr: Expr, zone: ZoneFacts | undefined, rows = 4): string =>
      mayMatch(bindPredicate(expr.node, scope), () => zone, rows);
    expect(of(col('a').lt(0), undefined)).toBe('some');
    expect(of(col('a').gt(10), { nulls: 0, min: null, max: null })).toBe('some');
    expect(of(col('a').gt(10), { nulls: 0, min: 1, max: 2, nan: true })).toBe('some');
    expect(of(col('a').lt(10), { nulls: 0, min: 1, max: 2, nan: true })).toBe('some');
    expect(of(col('a').lt(10), { nulls: 0, min: 1, max: null })).toBe('some');
    expect(of(col('a').lt(0), { nulls: 0, min: 1, max: null })).toBe('none');
    expect(of(col('a').lt(10), { nulls: 4, min: null, max: null })).toBe('none');
    expect(of(col('h').lt(10), { nulls: 0, min: null, max: null })).toBe('some');
    expect(of(col('a').lt(10), { nulls: 0, min: 1, max: 2 }, 0)).toBe('none');
  });
});
