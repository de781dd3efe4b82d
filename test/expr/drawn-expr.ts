import fc from 'fast-check';
import type { Expr } from '../../src/expr/expr.js';
import { se } from '../../src/expr/se.js';
import { col, columnOf, type TestColumn } from './evaluated.js';

/** The columns that drawn expressions are of. */
export const drawnTypes: Readonly<Record<string, string>> = {
  i: 'int32',
  j: 'int32',
  k: 'int16',
  w: 'int64',
  f: 'float64',
  g: 'float32',
  s: 'utf8',
  u: 'utf8',
  d: 'dictionary<int32, utf8>',
  b: 'bool',
};

/** A table of `rows` rows of those columns. */
export function drawnTable(rows: number): fc.Arbitrary<Record<string, TestColumn>> {
  return fc.record(
    Object.fromEntries(Object.entries(drawnTypes).map(([name, type]) => [name, columnOf(type, rows)] as const)),
  );
}

/** An expression together with the SQL of DuckDB that means the same. */
export interface Drawn {
  readonly expr: Expr;
  readonly sql: string;
}

const small = fc.integer({ min: -4, max: 4 });
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const literalText = fc.constantFrom('', 'a', 'ab', 'b', 'é', '😀', 'a%b', 'zz');
const column = (...names: string[]): fc.Arbitrary<Drawn> =>
  fc.constantFrom(...names).map((name) => ({ expr: col(name), sql: name }));

const sign = { eq: '=', neq: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;
const comparison = fc.constantFrom(...(Object.keys(sign) as (keyof typeof sign)[]));

/** Numbers that cannot overflow, as doubles in DuckDB as here. */
export const drawnDouble: fc.Arbitrary<Drawn> = fc.letrec<{ number: Drawn }>((tie) => ({
  number: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    column('i', 'k', 'f', 'w', 'g').map(({ expr, sql }) => ({ expr: expr.cast('float64'), sql: `${sql}::double` })),
    small.map((value) => ({ expr: se.lift(value), sql: `${value}::double` })),
    fc
      .record({ a: tie('number'), b: tie('number'), how: fc.constantFrom('add', 'subtract', 'multiply', 'divide') })
      .map(({ a, b, how }) => {
        const op = { add: '+', subtract: '-', multiply: '*', divide: '/' }[how];
        return { expr: a.expr[how as 'add'](b.expr), sql: `(${a.sql} ${op} ${b.sql})` };
      }),
    fc.record({ a: tie('number'), fn: fc.constantFrom('abs', 'sign', 'floor', 'ceil') }).map(({ a, fn }) => ({
      // DuckDB's sign is of a small integer type, in which NaN has the sign 0, and which has no -0.
      expr: fn === 'sign' ? a.expr.num.sign().add(0) : a.expr.num[fn as 'abs'](),
      sql:
        fn === 'sign'
          ? `(CASE WHEN isnan(${a.sql}) THEN 'nan'::double ELSE sign(${a.sql})::double END)`
          : `${fn}(${a.sql})::double`,
    })),
  ),
})).number;

/** Integers of 32 bits in narrow ranges, so that arithmetic stays in range. */
const drawnInt: fc.Arbitrary<Drawn> = fc.oneof(
  column('i', 'j', 'k'),
  fc
    .record({ a: column('k'), value: small, how: fc.constantFrom('add', 'subtract', 'multiply') })
    .map(({ a, value, how }) => ({
      expr: a.expr.cast('int32')[how as 'add'](value),
      sql: `(${a.sql}::integer ${{ add: '+', subtract: '-', multiply: '*' }[how]} ${value})`,
    })),
  fc.record({ a: column('i', 'j'), b: column('i', 'j') }).map(({ a, b }) => ({
    // The least int32 by -1 overflows in DuckDB's modulo.
    expr: a.expr.cast('int64').modulo(b.expr.cast('int64')),
    sql: `(${a.sql}::bigint % ${b.sql}::bigint)`,
  })),
  fc.constantFrom('s', 'u', 'd').map((name) => ({ expr: col(name).str.length(), sql: `length(${name})` })),
);

/** Text. */
export const drawnText: fc.Arbitrary<Drawn> = fc.letrec<{ text: Drawn }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    column('s', 'u', 'd'),
    fc
      .record({ a: tie('text'), from: fc.constantFrom('a', 'b', '😀', 'ab'), to: literalText })
      .map(({ a, from, to }) => ({
        expr: a.expr.str.replace(from, to),
        sql: `replace(${a.sql}, ${quoted(from)}, ${quoted(to)})`,
      })),
    fc.record({ a: tie('text'), b: tie('text') }).map(({ a, b }) => ({
      expr: se.str.concat(a.expr, '-', b.expr),
      sql: `(${a.sql} || '-' || ${b.sql})`,
    })),
    fc.record({ a: tie('text'), from: fc.nat({ max: 4 }), length: fc.nat({ max: 3 }) }).map(({ a, from, length }) => ({
      expr: a.expr.str.substr(from, length),
      sql: `substr(${a.sql}, ${from + 1}, ${length})`,
    })),
  ),
})).text;

const either = { text: drawnText, int: drawnInt, double: drawnDouble } as const;

/** Predicates. */
export const drawnPredicate: fc.Arbitrary<Drawn> = fc.letrec<{ predicate: Drawn }>((tie) => ({
  predicate: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    column('b'),
    fc.constantFrom('text', 'int', 'double').chain((kind) =>
      fc.record({ a: either[kind as 'int'], b: either[kind as 'int'], how: comparison }).map(({ a, b, how }) => ({
        expr: a.expr[how](b.expr),
        sql: `(${a.sql} ${sign[how]} ${b.sql})`,
      })),
    ),
    fc.record({ name: fc.constantFrom('i', 'k', 'w'), value: small, how: comparison }).map(({ name, value, how }) => ({
      expr: col(name)[how](value),
      sql: `(${name} ${sign[how]} ${value})`,
    })),
    fc.record({ name: fc.constantFrom('s', 'd'), value: literalText, how: comparison }).map(({ name, value, how }) => ({
      expr: se.lift(value)[how](col(name)),
      sql: `(${quoted(value)} ${sign[how]} ${name})`,
    })),
    fc
      .record({ a: drawnText, part: literalText, fn: fc.constantFrom('startsWith', 'endsWith', 'contains') })
      .map(({ a, part, fn }) => ({
        expr: a.expr.str[fn as 'contains'](part),
        sql: `${{ startsWith: 'starts_with', endsWith: 'ends_with', contains: 'contains' }[fn]}(${a.sql}, ${quoted(part)})`,
      })),
    fc
      .record({ a: drawnText, pattern: fc.constantFrom('%', 'a%', '%b', '_', 'a_%', '%a%b%', '', 'é%') })
      .map(({ a, pattern }) => ({
        expr: a.expr.str.like(pattern),
        sql: `(${a.sql} LIKE ${quoted(pattern)})`,
      })),
    fc
      .record({
        name: fc.constantFrom('i', 'k'),
        others: fc.array(fc.option(small, { nil: null }), { minLength: 1, maxLength: 4 }),
      })
      .map(({ name, others }) => ({
        expr: col(name).in(others),
        sql: `(${name} IN (${others.map((value) => value ?? 'NULL').join(', ')}))`,
      })),
    fc.record({ a: fc.oneof(drawnText, drawnDouble), is: fc.boolean() }).map(({ a, is }) => ({
      expr: is ? a.expr.isNull() : a.expr.isNotNull(),
      sql: `(${a.sql} IS ${is ? '' : 'NOT '}NULL)`,
    })),
    fc
      .record({ a: tie('predicate'), b: tie('predicate'), how: fc.constantFrom('and', 'or', 'xor') })
      .map(({ a, b, how }) => ({
        expr: a.expr[how as 'and'](b.expr),
        sql: how === 'xor' ? `(${a.sql} <> ${b.sql})` : `(${a.sql} ${how} ${b.sql})`,
      })),
    tie('predicate').map(({ expr, sql }) => ({ expr: expr.not(), sql: `(NOT ${sql})` })),
  ),
})).predicate;
