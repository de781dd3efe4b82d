import { Data, DataType, type Vector } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { expandRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import type { BoundCall, BoundEffect, BoundExpr } from './bound.js';
import { fieldValues } from './get-field.js';
import { literalValues } from './literal-values.js';
import { nodeText } from './node-text.js';
import { indexedRows, plainData, repeated } from './plain-values.js';
import { classOf } from './promote.js';
import {
  columnValues,
  countTrue,
  dataOf,
  falseBits,
  trueBits,
  truthArray,
  truthOf,
  truthValues,
  type Values,
} from './values.js';

/** The rows that an expression is evaluated for. Every column has `rows` rows; slices and dictionaries are welcome. */
export interface ExprInput {
  readonly rows: number;
  /** The stored columns, by the numbers of `columnsOf`. */
  readonly columns: ReadonlyMap<number, Data>;
  /** Auxiliary columns, by name. */
  readonly aux?: ReadonlyMap<string, Data>;
  /**
   * What the environment computed for each of `effectsOf`, before: in their order, the arguments of each by `evaluate` with
   * the effects so far, the column of the effect's type and `rows` rows by whatever means.
   */
  readonly effects?: ReadonlyMap<BoundEffect, Data>;
}

/**
 * The values of `bound`: a column of `bound.type` with `input.rows` rows, which may share memory with the input.
 *
 * @throws SpiralError `value_out_of_range` for a value that no row can hold (an overflow, a failing cast), naming row and
 * expression; `unsupported` for an effect that `input` has no column for; `corrupt_file`, `limit_exceeded`.
 */
export function evaluate(bound: BoundExpr, input: ExprInput): Data {
  const values = valuesOf(bound, input);
  const data = dataOf(values);
  return values.constant ? repeated(data, input.rows) : data;
}

/**
 * The rows for which `bound`, a predicate, is true: null counts as false. Ascending row numbers, or `'all'`.
 *
 * @throws SpiralError as {@link evaluate}.
 */
export function selectRows(bound: BoundExpr, input: ExprInput): Int32Array | 'all' {
  const values = valuesOf(bound, input);
  const truth = truthOf(columnOrTruth(values));
  if (values.constant) return truth[0] === trueBits ? 'all' : new Int32Array(0);
  const count = countTrue(truth);
  if (count === truth.length) return 'all';
  const rows = new Int32Array(count + 1);
  // Written always, kept where true: a branch a row would cost far more.
  for (let row = 0, at = 0; row < truth.length; row++) {
    rows[at] = row;
    at += truth[row]! >> 1;
  }
  return rows.subarray(0, count);
}

function columnOrTruth(values: Values): Values {
  return values.truth !== undefined ? values : columnValues(plainData(values.data!), values.constant);
}

function valuesOf(bound: BoundExpr, input: ExprInput): Values {
  switch (bound.kind) {
    case 'column':
      return columnValues(given(input.columns.get(bound.column), bound, input));
    case 'aux':
      return columnValues(given(input.aux?.get(bound.name), bound, input));
    case 'effect':
      return columnValues(effectData(bound, input));
    case 'literal':
      return literalValues(bound);
    case 'struct': {
      const parts = bound.parts.map((part) => evaluate(part, input));
      return columnValues(new Data(bound.type, 0, input.rows, 0, undefined, parts));
    }
    case 'get':
      return fieldValues(valuesOf(bound.of, input), bound.at);
    case 'call':
      return callValues(bound, input);
  }
}

function given(data: Data | undefined, bound: BoundExpr, input: ExprInput): Data {
  if (data !== undefined && data.length === input.rows) return data;
  throw new SpiralError(
    'internal',
    `Expected a column of ${input.rows} rows for ${nodeText(bound.node)}, got ${data === undefined ? 'none' : `${data.length}`}.`,
  );
}

function effectData(bound: BoundEffect, input: ExprInput): Data {
  const data = input.effects?.get(bound);
  if (data !== undefined) return given(data, bound, input);
  throw new SpiralError(
    'unsupported',
    `The expression ${nodeText(bound.node)} cannot be computed here, as nothing here computes ${bound.node.fn}. ` +
      'Compute it beforehand, write it to a column, and use that.',
    { details: { expression: nodeText(bound.node), fn: bound.node.fn } },
  );
}

/** `and` and `or`, argument by argument until every row is decided. */
function logicValues(bound: BoundCall, input: ExprInput): Values {
  const decided = bound.node.fn === 'and' ? falseBits : trueBits;
  const where = (): string => nodeText(bound.node);
  let values: Values | undefined;
  for (const arg of bound.args) {
    const own = plain(valuesOf(arg, input));
    const both = values === undefined ? [own] : [values, own];
    const rows = both.every(({ constant }) => constant) ? 1 : input.rows;
    values = bound.run(both, rows, where);
    if (isAll(truthOf(values), decided)) break;
  }
  return values!;
}

function isAll(truth: Uint8Array, value: number): boolean {
  for (let row = 0; row < truth.length; row++) if (truth[row] !== value) return false;
  return true;
}

function callValues(bound: BoundCall, input: ExprInput): Values {
  if (bound.node.fn === 'and' || bound.node.fn === 'or') return logicValues(bound, input);
  const args = bound.args.map((arg) => valuesOf(arg, input));
  const isConstant = args.every((values) => values.constant);
  const rows = isConstant ? 1 : input.rows;
  const encoded = args.filter(({ data }) => data !== undefined && DataType.isDictionary(data.type));
  if (encoded.length > 0) {
    const [only] = encoded;
    const isAlone = args.every((values) => values === only || values.constant);
    const over = isAlone ? overDictionary(bound, args, only!.data!) : undefined;
    if (over !== undefined) return over;
  }
  return bound.run(args.map(plain), rows, () => nodeText(bound.node));
}

function plain(values: Values): Values {
  if (values.data === undefined || !DataType.isDictionary(values.data.type)) return values;
  return columnValues(plainData(values.data), values.constant);
}

const overDictionaries = new WeakMap<BoundCall, WeakMap<Vector, readonly Values[]>>();

/**
 * The call computed once for each value of the dictionary (and once for null), then looked up by index; undefined where
 * that is more work than the rows, or where a value that no row may have makes the function fail.
 */
function overDictionary(bound: BoundCall, args: readonly Values[], data: Data): Values | undefined {
  const { dictionary } = data;
  if (dictionary === undefined) return undefined;
  let cache = overDictionaries.get(bound);
  if (cache === undefined) overDictionaries.set(bound, (cache = new WeakMap()));
  let results = cache.get(dictionary);
  if (results === undefined) {
    if (dictionary.length > data.length) return undefined;
    try {
      results = dictionaryResults(bound, args, dictionary);
    } catch (error) {
      if (isSpiralError(error)) return undefined;
      throw error;
    }
    cache.set(dictionary, results);
  }
  return lookedUp(bound.type, results, data);
}

function dictionaryResults(bound: BoundCall, args: readonly Values[], dictionary: Vector): Values[] {
  return [...dictionary.data, nullColumn(dictionary.type, 1)].map((chunk) => {
    const own = args.map((values) => (values.constant ? values : columnValues(chunk)));
    const result = bound.run(own, chunk.length, () => nodeText(bound.node));
    if (!result.constant) return result;
    return columnValues(repeated(dataOf(result), chunk.length));
  });
}

function lookedUp(type: DataType, results: readonly Values[], data: Data): Values {
  const ranges = indexedRows(data);
  if (classOf(type) !== 'bool') {
    return columnValues(gatherColumn(columnSources(type, results.map(dataOf)), ranges));
  }
  const truths = results.map(truthOf);
  const truth = truthArray(data.length);
  const { source, row } = expandRanges(ranges);
  for (let at = 0; at < truth.length; at++) truth[at] = truths[source[at]!]![row[at]!]!;
  return truthValues(truth, false);
}
