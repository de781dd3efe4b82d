import type { Data } from 'apache-arrow';
import fc from 'fast-check';
import { buildColumn } from '../../src/arrow/build.js';
import { valueReader } from '../../src/arrow/rows.js';
import { parseType, typeWords } from '../../src/arrow/words.js';
import { type BindScope, bindExpr, bindPredicate } from '../../src/expr/bind.js';
import type { BoundExpr } from '../../src/expr/bound.js';
import { type ExprInput, evaluate, selectRows } from '../../src/expr/evaluate.js';
import { Expr } from '../../src/expr/expr.js';
import { parseNode } from '../../src/expr/parse-node.js';

/** A column of a test: its type in words, its values as people write them, and how it lies in memory. */
export interface TestColumn {
  readonly type: string;
  readonly values: readonly unknown[];
  /** Rows before its first one, in the same buffers. */
  readonly offset?: number;
}

/** The table of a test, as an expression. */
export const t: Expr = new Expr({ kind: 'table', table: 't' });

/** A column of the table. */
export const col = (name: string): Expr => t.getitem(name);

/** `column` in memory, as a slice where it has an offset. */
export function dataOf({ type, values, offset = 0 }: TestColumn): Data {
  const before = Array.from({ length: offset }, (_, at) => values[at % Math.max(1, values.length)] ?? null);
  const all = [...before, ...values];
  const data = buildColumn('c', parseType(type), holdable(type, all), all.length, 'a test');
  return data.slice(offset, values.length);
}

/** NaN and what is infinite pass into a column as typed arrays alone. */
function holdable(type: string, values: readonly unknown[]): ArrayLike<unknown> {
  if (type !== 'float64' || values.includes(null)) return values;
  return Float64Array.from(values as number[]);
}

/** The table of `columns`, as expressions are bound to it and evaluated over it. */
export function testTable(columns: Readonly<Record<string, TestColumn>>): { scope: BindScope; input: ExprInput } {
  const made = Object.entries(columns).map(([name, column]) => ({ name, data: dataOf(column) }));
  const fields = made.map(({ name, data }, id) => ({ name, column: { id, type: data.type } }));
  return {
    scope: { table: (id) => (id === 't' ? { name: 'the test', fields } : undefined) },
    input: { rows: made[0]?.data.length ?? 0, columns: new Map(made.map(({ data }, id) => [id, data])) },
  };
}

/** The values of `expr` over `columns`, as plain JavaScript; and its type. */
export function evaluated(
  expr: Expr,
  columns: Readonly<Record<string, TestColumn>>,
): { type: string; values: unknown[] } {
  const { scope, input } = testTable(columns);
  // Through JSON, as an expression goes to another thread.
  const bound = bindExpr(parseNode(JSON.parse(JSON.stringify(expr.node))), scope);
  return { type: typeWords(bound.type), values: read(bound, input) };
}

/** The values of what is bound. */
export function read(bound: BoundExpr, input: ExprInput): unknown[] {
  const data = evaluate(bound, input);
  const value = valueReader(data);
  return Array.from({ length: data.length }, (_, row) => plain(value(row)));
}

/** The rows for which a predicate is true. */
export function selected(expr: Expr, columns: Readonly<Record<string, TestColumn>>): number[] {
  const { scope, input } = testTable(columns);
  const rows = selectRows(bindPredicate(expr.node, scope), input);
  return rows === 'all' ? Array.from({ length: input.rows }, (_, row) => row) : [...rows];
}

/** Typed arrays as arrays, at any depth. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (ArrayBuffer.isView(value) && !(value instanceof Uint8Array)) return Array.from(value as unknown as number[]);
  if (value instanceof Uint8Array) return Array.from(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

const wholes = (bits: number, signed: boolean): fc.Arbitrary<number> => {
  const [min, max] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  return fc.oneof(fc.integer({ min: Math.max(min, -5), max: 5 }), fc.integer({ min, max }), fc.constantFrom(min, max));
};

const texts: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', 'a', 'ab', 'abc', 'b', 'a%b', 'ß', '日本', '😀', 'a😀b', ' a ', 'A'),
  fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', ' ', '%'), maxLength: 6 }),
);

/** Values of each type that tests draw columns of. */
export const valuesOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bool: fc.boolean(),
  int8: wholes(8, true),
  int16: wholes(16, true),
  int32: wholes(32, true),
  uint8: wholes(8, false),
  uint16: wholes(16, false),
  uint32: wholes(32, false),
  int64: fc.oneof(
    fc.bigInt(-4n, 4n),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    fc.constantFrom(2n ** 53n, 2n ** 53n + 1n),
  ),
  uint64: fc.oneof(fc.bigInt(0n, 4n), fc.bigInt(0n, 2n ** 64n - 1n), fc.constantFrom(2n ** 63n, 2n ** 53n + 1n)),
  float32: fc.float({ noNaN: true, noDefaultInfinity: true }),
  float64: fc.oneof(fc.integer({ min: -4, max: 4 }), fc.double({ noNaN: true, noDefaultInfinity: true })),
  utf8: texts,
  large_utf8: texts,
  binary: fc.uint8Array({ maxLength: 4 }),
  'fixed_size_binary[2]': fc.uint8Array({ minLength: 2, maxLength: 2 }),
  float16: fc.constantFrom(0, 0.5, -1.5, 2, 65504, -65504, 2 ** -24),
  date32: fc.integer({ min: -50_000, max: 50_000 }).map((days) => new Date(days * 86_400_000)),
  date64: fc.integer({ min: -50_000, max: 50_000 }).map((days) => new Date(days * 86_400_000)),
  'timestamp[ms]': fc.integer({ min: -3, max: 3 }).map((ms) => new Date(ms)),
  'timestamp[us, UTC]': fc.bigInt(-(2n ** 55n), 2n ** 55n),
  'time32[s]': fc.integer({ min: 0, max: 86_399 }),
  'time64[ns]': fc.bigInt(0n, 86_399_999_999_999n),
  'duration[us]': fc.bigInt(-(2n ** 60n), 2n ** 60n),
};

/** A column of `rows` rows of `type`, with nulls, a slice or not; a dictionary where the type is one. */
export function columnOf(type: string, rows: number): fc.Arbitrary<TestColumn> {
  const value = valuesOf[/^dictionary<int\d+, (.*)>$/.exec(type)?.[1] ?? type]!;
  return fc
    .record({
      values: fc.array(fc.option(value, { freq: 5, nil: null }), { minLength: rows, maxLength: rows }),
      full: fc.array(value, { minLength: rows, maxLength: rows }),
      hasNulls: fc.boolean(),
      offset: fc.constantFrom(0, 0, 1, 3, 8, 11),
    })
    .map(({ values, full, hasNulls, offset }) => ({ type, values: hasNulls ? values : full, offset }));
}
