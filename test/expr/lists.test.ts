import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { se } from '../../src/expr/se.js';
import { lawRuns } from '../laws.js';
import { col, columnOf, evaluated, type TestColumn } from './evaluated.js';

const rows = 7;
const runs = { numRuns: lawRuns(60, 3000) };
type List = readonly (number | null)[] | null;

/** A column of lists of int32, elements among them null. */
const lists = (type = 'list<int32>', size?: number): fc.Arbitrary<TestColumn> => {
  const element = fc.option(fc.integer({ min: -2, max: 2 }), { freq: 6, nil: null });
  const list = fc.array(element, size === undefined ? { maxLength: 4 } : { minLength: size, maxLength: size });
  return fc.record({
    type: fc.constant(type),
    values: fc.array(fc.option(list, { freq: 6, nil: null }), { minLength: rows, maxLength: rows }),
    offset: fc.constantFrom(0, 1, 5),
  });
};
const anyLists = fc.oneof(lists(), lists('fixed_size_list<int32>[3]', 3));
const places = columnOf('int8', rows).map((column) => ({
  ...column,
  values: column.values.map((x) => (x === null ? null : (x as number) % 5)),
}));

describe('functions of lists', () => {
  it('length, elementAt and slice are those of JavaScript', () => {
    fc.assert(
      fc.property(anyLists, places, places, fc.integer({ min: -5, max: 5 }), (a, from, to, at) => {
        const columns = { a, from, to };
        const each = (of: (list: NonNullable<List>, row: number) => unknown): unknown[] =>
          a.values.map((list, row) => (list === null ? null : of(list as NonNullable<List>, row)));
        expect(evaluated(col('a').list.length(), columns)).toEqual({ type: 'int32', values: each((x) => x.length) });
        expect(evaluated(col('a').list.elementAt(at), columns)).toEqual({
          type: 'int32',
          values: each((x) => x.at(at) ?? null),
        });
        expect(evaluated(se.list.elementAt(col('a'), col('from')), columns).values).toEqual(
          each((x, row) => (from.values[row] === null ? null : (x.at(from.values[row] as number) ?? null))),
        );
        expect(evaluated(col('a').list.slice(at), columns).values).toEqual(each((x) => x.slice(at)));
        expect(evaluated(se.list.slice(col('a'), col('from'), col('to')), columns).values).toEqual(
          each((x, row) => {
            const [start, end] = [from.values[row], to.values[row]] as [number | null, number | null];
            return start === null || end === null ? null : x.slice(start, end);
          }),
        );
      }),
      runs,
    );
  });

  it('contains passes by elements that are null', () => {
    fc.assert(
      fc.property(anyLists, columnOf('int16', rows), fc.integer({ min: -2, max: 2 }), (a, b, value) => {
        const columns = { a, b };
        const of = (list: List, x: unknown): unknown =>
          list === null || x === null ? null : list.includes(x as number);
        expect(evaluated(col('a').list.contains(value), columns).values).toEqual(
          a.values.map((x) => of(x as List, value)),
        );
        expect(evaluated(col('a').list.contains(col('b')), columns).values).toEqual(
          a.values.map((x, row) => of(x as List, b.values[row])),
        );
        expect(evaluated(se.list.contains([1, 2], col('b')), columns).values).toEqual(
          b.values.map((x) => of([1, 2], x)),
        );
      }),
      runs,
    );
    const s = { type: 'list<utf8>', values: [['a', 'b'], [], null] };
    expect(evaluated(col('s').list.contains('b'), { s }).values).toEqual([true, false, null]);
  });

  it('of, concat and zip put lists together', () => {
    fc.assert(
      fc.property(lists(), anyLists, columnOf('int32', rows), (a, b, n) => {
        const columns = { a, b, n };
        const both = (of: (x: NonNullable<List>, y: NonNullable<List>) => unknown): unknown[] =>
          a.values.map((x, row) => {
            const y = b.values[row];
            return x === null || y === null ? null : of(x as NonNullable<List>, y as NonNullable<List>);
          });
        expect(evaluated(se.list.of(col('n'), 1, null), columns)).toEqual({
          type: 'list<int32>',
          values: n.values.map((x) => [x, 1, null]),
        });
        expect(evaluated(se.list.concat(col('a'), col('b')), columns).values).toEqual(both((x, y) => [...x, ...y]));
        const zipped = both((x, y) =>
          Array.from({ length: Math.max(x.length, y.length) }, (_, at) => ({ x: x[at] ?? null, y: y[at] ?? null })),
        );
        expect(evaluated(se.list.zip({ x: col('a'), y: col('b') }), columns).values).toEqual(zipped);
      }),
      runs,
    );
    const columns = { a: { type: 'list<int8>', values: [[1]] }, b: { type: 'list<float32>', values: [[0.5]] } };
    expect(evaluated(col('a').list.concat(col('b')), columns)).toEqual({ type: 'list<float32>', values: [[1, 0.5]] });
    expect(evaluated(col('a').list.zip(col('b')), columns).type).toBe('list<struct<{0: int8, 1: float32}>>');
  });
});

describe('structs', () => {
  const columns = {
    a: { type: 'int32', values: [1, null, 3] },
    s: {
      type: 'struct<{x: int32, y: struct<{z: utf8}>}>',
      values: [{ x: 1, y: { z: 'p' } }, null, { x: null, y: null }],
      offset: 1,
    },
  };

  it('pack, getitem, select and merge', () => {
    expect(evaluated(se.pack({ k: col('a'), 'n.m': col('s.x'), 'n.o': 1 }), columns)).toEqual({
      type: 'struct<{k: int32, n: struct<{m: int32, o: float64}>}>',
      values: [
        { k: 1, n: { m: 1, o: 1 } },
        { k: null, n: { m: null, o: 1 } },
        { k: 3, n: { m: null, o: 1 } },
      ],
    });
    expect(evaluated(col('s').getitem('y.z'), columns).values).toEqual(['p', null, null]);
    expect(evaluated(se.select(col('s'), 'y'), columns).values).toEqual([{ y: { z: 'p' } }, { y: null }, { y: null }]);
    expect(evaluated(col('s').select({ exclude: ['y'] }), columns).values).toEqual([
      { x: 1 },
      { x: null },
      { x: null },
    ]);
    expect(evaluated(se.merge({ a: 1, b: { c: 1 } }, { a: col('a'), b: { d: 2 } }), columns)).toEqual({
      type: 'struct<{a: int32, b: struct<{c: float64, d: float64}>}>',
      values: [1, null, 3].map((a) => ({ a, b: { c: 1, d: 2 } })),
    });
    expect(evaluated(se.struct.getitem({ a: col('a'), b: 'x' }, 'b'), columns).values).toEqual(['x', 'x', 'x']);
    expect(evaluated(col('s').isNull(), columns).values).toEqual([false, true, false]);
  });
});
