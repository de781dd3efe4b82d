import fc from 'fast-check';
import type { Expr, ExprLike } from '../../src/expr/expr.js';

/** A row as a scan gives it. */
export type Row = Record<string, unknown>;

/** A predicate over the rows of a table or of files, and what plain JavaScript makes of it: null where SQL does. */
export interface Predicate {
  /** In the SQL of DuckDB. */
  readonly text: string;
  expr(table: { col(path: string): Expr }): Expr;
  of(row: Row): boolean | null;
}

/** A column that predicates read: its dotted path, and values that it is compared with. */
export interface PredicateColumn {
  readonly path: string;
  readonly values: fc.Arbitrary<unknown>;
}

const comparisons = {
  eq: (order: number) => order === 0,
  neq: (order: number) => order !== 0,
  lt: (order: number) => order < 0,
  lte: (order: number) => order <= 0,
  gt: (order: number) => order > 0,
  gte: (order: number) => order >= 0,
} as const;
type Comparison = keyof typeof comparisons;
const operators: Readonly<Record<Comparison, string>> = { eq: '=', neq: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' };

function sqlOf(value: unknown): string {
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'bigint') return `'${value}'::bigint`;
  return typeof value === 'number' ? `'${value}'::double` : String(value);
}

function cell(row: Row, path: string): unknown {
  return path.split('.').reduce<unknown>((of, name) => (of as Row | null)?.[name], row) ?? null;
}

/** -1, 0 or 1: NaN above all numbers and equal to itself, text by its code points. */
function order(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  const [x, y] = [a, b] as [number, number];
  return x < y ? -1 : x > y ? 1 : 0;
}

function leaf(columns: readonly PredicateColumn[]): fc.Arbitrary<Predicate> {
  return fc.constantFrom(...columns).chain(({ path, values }) => {
    const compare = fc.tuple(fc.constantFrom(...(Object.keys(comparisons) as Comparison[])), values).map(
      ([how, value]): Predicate => ({
        text: `${path} ${operators[how]} ${sqlOf(value)}`,
        expr: (table) => table.col(path)[how](value as ExprLike),
        of: (row) => {
          const found = cell(row, path);
          return found === null || value === null ? null : comparisons[how](order(found, value));
        },
      }),
    );
    const isNull = fc.boolean().map(
      (not): Predicate => ({
        text: `${path} is ${not ? 'not ' : ''}null`,
        expr: (table) => (not ? table.col(path).isNotNull() : table.col(path).isNull()),
        of: (row) => (cell(row, path) === null) !== not,
      }),
    );
    const among = fc.array(values, { maxLength: 3 }).map(
      (others): Predicate => ({
        text: others.length === 0 ? 'false' : `${path} in (${others.map(sqlOf).join()})`,
        expr: (table) => table.col(path).in(others as ExprLike[]),
        of: (row) => {
          if (others.length === 0) return false;
          const found = cell(row, path);
          if (found === null) return null;
          if (others.some((other) => other !== null && order(found, other) === 0)) return true;
          return others.includes(null) ? null : false;
        },
      }),
    );
    return fc.oneof(
      { weight: 6, arbitrary: compare },
      { weight: 2, arbitrary: isNull },
      { weight: 1, arbitrary: among },
    );
  });
}

/** Predicates over `columns`, combined by and, or and not. */
export function arbPredicate(columns: readonly PredicateColumn[]): fc.Arbitrary<Predicate> {
  const both = (a: Predicate, b: Predicate, word: 'and' | 'or', end: boolean): Predicate => ({
    text: `(${a.text} ${word} ${b.text})`,
    expr: (table) => a.expr(table)[word](b.expr(table)),
    of: (row) => {
      const found = [a.of(row), b.of(row)];
      return found.includes(end) ? end : found.includes(null) ? null : !end;
    },
  });
  return fc.letrec<{ predicate: Predicate }>((tie) => ({
    predicate: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      leaf(columns),
      fc.tuple(tie('predicate'), tie('predicate')).map(([a, b]) => both(a, b, 'and', false)),
      fc.tuple(tie('predicate'), tie('predicate')).map(([a, b]) => both(a, b, 'or', true)),
      tie('predicate').map(
        (of): Predicate => ({
          text: `(not ${of.text})`,
          expr: (table) => of.expr(table).not(),
          of: (row) => {
            const found = of.of(row);
            return found === null ? null : !found;
          },
        }),
      ),
    ),
  })).predicate;
}
