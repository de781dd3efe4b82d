import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Expr } from '../../src/expr/expr.js';
import { parseNode } from '../../src/expr/parse-node.js';
import { se } from '../../src/expr/se.js';
import { lawRuns } from '../laws.js';
import { drawnPredicate, drawnText } from './drawn-expr.js';
import { col, evaluated, t } from './evaluated.js';

const again = (expr: Expr): Expr => new Expr(parseNode(JSON.parse(JSON.stringify(expr.node))));

describe('an expression as JSON', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(fc.oneof(drawnPredicate, drawnText), ({ expr }) => {
        expect(again(expr).node).toEqual(expr.node);
        expect(String(again(expr))).toBe(String(expr));
      }),
      { numRuns: lawRuns(200, 10_000) },
    );
  });

  it('keeps every constant', () => {
    const values: readonly (readonly [unknown, string, unknown?])[] = [
      [true, 'bool'],
      [-0, 'float64'],
      [Number.NaN, 'float64'],
      [Number.NEGATIVE_INFINITY, 'float32'],
      [2n ** 63n - 1n, 'int64'],
      [2n ** 64n - 1n, 'uint64'],
      [1.5, 'float16'],
      ['1.50', 'decimal128(9, 2)'],
      ['😀', 'utf8'],
      [Uint8Array.of(0, 255), 'binary', [0, 255]],
      [new Date(86_400_000), 'date32'],
      [new Date(5), 'timestamp[ms]'],
      [5n, 'timestamp[ns, UTC]'],
      [7, 'time32[s]'],
      [7n, 'duration[us]'],
      [[1, null], 'list<int8>'],
      [{ a: 1, b: ['x'] }, 'struct<{a: int32, b: list<utf8>}>'],
    ];
    const columns = { a: { type: 'int8', values: [0, 0] } };
    for (const [value, type, shown = value] of values) {
      expect(evaluated(again(se.scalar(value as never, type)), columns), type).toEqual({
        type,
        values: [shown, shown],
      });
    }
  });

  it('that is no expression is refused', () => {
    const deep = Array.from({ length: 200 }).reduce<unknown>((of) => ({ kind: 'call', fn: 'not', args: [of] }), {
      kind: 'table',
      table: 't',
    });
    for (const raw of [
      null,
      1,
      {},
      { kind: 'nothing' },
      { kind: 'call', fn: 'eq' },
      { kind: 'call', fn: 3, args: [] },
      { kind: 'call', fn: 'cast', args: [], options: [] },
      { kind: 'call', fn: 'cast', args: [], options: { type: {} } },
      { kind: 'literal', type: 'int8' },
      { kind: 'literal', type: 'int8', value: 1, weak: 1 },
      { kind: 'aux', name: 'a' },
      deep,
    ]) {
      expect(() => parseNode(raw)).toThrow(expect.objectContaining({ code: 'invalid_expression' }));
    }
    for (const [type, value] of [
      ['int8', 'x'],
      ['utf8', 1],
      ['bool', 'true'],
      ['float64', '1'],
      ['list<int8>', 1],
    ] as const) {
      expect(() => evaluated(new Expr({ kind: 'literal', type, value }), { a: { type: 'int8', values: [0] } })).toThrow(
        expect.objectContaining({ code: 'invalid_expression' }),
      );
    }
  });
});

describe('an expression as text', () => {
  it('reads as people write it', () => {
    expect(
      [
        col('a').gt(3).and(col('b').isNull().not()),
        se.or(col('a').add(1).multiply(2).lt(col('s.x')), col('s').str.like('a%')),
        col('a')
          .cast('int8')
          .in([1, null, 'x'.repeat(100)]),
        t.select('a', 'b.c'),
        t.select({ exclude: ['a'] }),
        se.merge({ a: 1 }, col('s')),
        se.scalar(5n, 'uint64').eq(col('taken').gt(new Date(0))),
        se.aux('at', 'int64'),
        se.udf({ module: 'file:///m.js', returns: 'int32' })(col('a')),
      ].map(String),
    ).toMatchInlineSnapshot(`
      [
        "(table(t).a > 3) and not(is_null(table(t).b))",
        "(((table(t).a + 1) * 2) < table(t).s.x) or str.like(table(t).s, "a%")",
        "in(cast(table(t).a, type: int8), 1, null, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...)",
        "table(t)[a, b.c]",
        "table(t)[all but a]",
        "merge({ a: 1 }, table(t).s)",
        "uint64 5 = (table(t).taken > 1970-01-01T00:00:00.000Z)",
        "aux(at: int64)",
        "udf(table(t).a, module: file:///m.js, export: default, returns: int32)",
      ]
    `);
  });

  it('has no value', () => {
    expect(() => Number(col('a') as never)).toThrow(/has no value until a scan reads it/);
  });
});
