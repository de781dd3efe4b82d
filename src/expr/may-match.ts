import { DataType, type Decimal } from 'apache-arrow';
import { parseDecimal } from '../arrow/decimal.js';
import type { BoundCall, BoundExpr } from './bound.js';
import type { Comparison } from './compare.js';
import { mirrored } from './compare.js';
import { classOf, isNarrow, plainType } from './promote.js';
import { likePrefix, likeTokens } from './text-tests.js';
import { falseBits, nullBits, trueBits } from './values.js';

/**
 * What is known of the values of a column over some rows. Bounds are inclusive, of the values that are neither null nor NaN:
 * numbers, bigints (64 bits; of decimals without their scale), booleans, bytes of text and binary; `null` where nothing is
 * known, or no such value is there. They may be looser than the values, never tighter. `nan`: some value may be NaN.
 */
export interface ZoneFacts {
  readonly nulls: number;
  readonly min: number | bigint | Uint8Array | boolean | null;
  readonly max: number | bigint | Uint8Array | boolean | null;
  readonly nan?: boolean;
}

/** The answers a predicate may give, as bits. */
const mayFalse = 1;
const mayNull = 2;
const mayTrue = 4;
const mayAny: number = mayFalse | mayNull | mayTrue;

/**
 * Whether `bound`, a predicate, is true for none, some or all of `rows` rows of which `zones` are known, by column number. A
 * column without a zone may hold anything. `'some'` is the answer wherever it is not certain, so that leaving out rows by
 * `'none'`, or not looking at them by `'all'`, changes no result.
 */
export function mayMatch(
  bound: BoundExpr,
  zones: (column: number) => ZoneFacts | undefined,
  rows: number,
): 'none' | 'some' | 'all' {
  if (rows === 0) return 'none';
  const may = answers(bound, { zones, rows });
  if ((may & mayTrue) === 0) return 'none';
  return may === mayTrue ? 'all' : 'some';
}

interface Known {
  readonly zones: (column: number) => ZoneFacts | undefined;
  readonly rows: number;
}

function answers(bound: BoundExpr, known: Known): number {
  switch (bound.kind) {
    case 'literal':
      return bound.value === null
        ? mayNull
        : bound.value === true
          ? mayTrue
          : bound.value === false
            ? mayFalse
            : mayAny;
    case 'column':
      return classOf(bound.type) === 'bool' ? boolAnswers(rangeOf(bound, known)) : mayAny;
    case 'call':
      return callAnswers(bound, known);
    default:
      return mayAny;
  }
}

function boolAnswers(range: Range): number {
  if (range.isEmpty) return mayNull;
  const low = range.min === null ? mayFalse | mayTrue : range.min === true ? mayTrue : mayFalse;
  const high = range.max === null ? mayFalse | mayTrue : range.max === true ? mayTrue : mayFalse;
  return low | high | (range.hasNulls ? mayNull : 0);
}

function callAnswers(bound: BoundCall, known: Known): number {
  const { args } = bound;
  switch (bound.node.fn) {
    case 'and':
      return args.map((arg) => answers(arg, known)).reduce((a, b) => combined(a, b, (x, y) => x & y));
    case 'or':
      return args.map((arg) => answers(arg, known)).reduce((a, b) => combined(a, b, (x, y) => x | y));
    case 'not': {
      const may = answers(args[0]!, known);
      return (may & mayNull) | (may & mayTrue ? mayFalse : 0) | (may & mayFalse ? mayTrue : 0);
    }
    case 'is_null':
    case 'is_not_null': {
      const range = rangeOf(args[0]!, known);
      const [ofNull, ofOther] = bound.node.fn === 'is_null' ? [mayTrue, mayFalse] : [mayFalse, mayTrue];
      return (range.hasNulls ? ofNull : 0) | (range.isEmpty ? 0 : ofOther);
    }
    case 'eq':
    case 'neq':
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return comparison(bound.node.fn, args[0]!, args[1]!, known);
    case 'in': {
      const [value, ...others] = args as [BoundExpr, ...BoundExpr[]];
      const each = others.map((other) => comparison('eq', value, other, known));
      return each.length === 0 ? mayFalse : each.reduce((a, b) => combined(a, b, (x, y) => x | y));
    }
    case 'str.starts_with':
      return prefixAnswers(args, (prefix) => ({ prefix, isAll: true }), known);
    case 'str.like':
      return prefixAnswers(args, (pattern) => likePattern(bound, pattern), known);
    default:
      return mayAny;
  }
}

function likePattern(bound: BoundCall, pattern: string): { prefix: string; isAll: boolean } {
  const tokens = likeTokens(pattern, bound.node.options?.['escape'] as string | undefined);
  return { prefix: likePrefix(tokens), isAll: false };
}

/** The answers of a test that only text with a prefix passes; `isAll` where all such text does. */
function prefixAnswers(
  args: readonly BoundExpr[],
  of: (text: string) => { prefix: string; isAll: boolean },
  known: Known,
): number {
  const [text, part] = args as [BoundExpr, BoundExpr];
  const { min, max, isEmpty, hasNulls } = rangeOf(text, known);
  if (isEmpty || (part.kind === 'literal' && part.value === null)) return mayNull;
  if (part.kind !== 'literal' || typeof part.value !== 'string') return mayAny;
  const ofNull = hasNulls ? mayNull : 0;
  const { prefix, isAll } = of(part.value);
  const bytes = Buffer.from(prefix);
  // How each bound, cut to the prefix's length, stands to it.
  const low = min instanceof Uint8Array ? Buffer.compare(min.subarray(0, bytes.length), bytes) : undefined;
  const high = max instanceof Uint8Array ? Buffer.compare(max.subarray(0, bytes.length), bytes) : undefined;
  if ((low !== undefined && low > 0) || (high !== undefined && high < 0)) return ofNull | mayFalse;
  return ofNull | mayTrue | (isAll && low === 0 && high === 0 ? 0 : mayFalse);
}

const bits: readonly (readonly [may: number, truth: number])[] = [
  [mayFalse, falseBits],
  [mayNull, nullBits],
  [mayTrue, trueBits],
];

/** The answers of a function of two, each of which may give some. */
function combined(a: number, b: number, of: (x: number, y: number) => number): number {
  let may = 0;
  for (const [left, x] of bits) {
    for (const [right, y] of bits) {
      if ((a & left) !== 0 && (b & right) !== 0) may |= bits.find(([, truth]) => truth === of(x, y))![0];
    }
  }
  return may;
}

/** The values an expression may have. A bound that is null is not known. */
interface Range {
  readonly min: ZoneFacts['min'];
  readonly max: ZoneFacts['max'];
  /** Some value may be null. */
  readonly hasNulls: boolean;
  /** Every value is null. */
  readonly isEmpty: boolean;
  /** Some value may be NaN. */
  readonly hasNaN: boolean;
  /** Some value may be something else than NaN. */
  readonly hasOther: boolean;
}

const unknown: Range = { min: null, max: null, hasNulls: true, isEmpty: false, hasNaN: true, hasOther: true };

function rangeOf(bound: BoundExpr, known: Known): Range {
  if (bound.kind === 'literal') return literalRange(bound.type, bound.value);
  if (bound.kind === 'struct') return { ...unknown, hasNulls: false };
  if (bound.kind !== 'column') return unknown;
  const zone = known.zones(bound.column);
  if (zone === undefined) return unknown;
  const isFloat = classOf(bound.type) === 'float';
  const hasBounds = zone.min !== null || zone.max !== null;
  return {
    min: zone.min,
    max: zone.max,
    hasNulls: zone.nulls > 0,
    isEmpty: zone.nulls >= known.rows,
    // Without bounds nothing is known of a float's values, not even that none is NaN.
    hasNaN: isFloat && (zone.nan === true || !hasBounds),
    hasOther: true,
  };
}

function literalRange(type: DataType, value: unknown): Range {
  if (value === null) return { ...unknown, isEmpty: true };
  if (Number.isNaN(value)) return { ...unknown, hasNulls: false, hasOther: false };
  const bound = boundOf(type, value);
  return { min: bound, max: bound, hasNulls: false, isEmpty: false, hasNaN: bound === null, hasOther: true };
}

/** A constant as bounds are kept; null for one of a type that has none. */
function boundOf(type: DataType, value: unknown): ZoneFacts['min'] {
  if (typeof value === 'number') return classOf(type) === 'float' ? storedFloat(type, value) : value;
  if (typeof value === 'bigint' || typeof value === 'boolean' || value instanceof Uint8Array) return value;
  if (typeof value !== 'string') return null;
  if (classOf(type) === 'text') return Buffer.from(value);
  const unscaled = DataType.isDecimal(type) ? parseDecimal(value, type.scale) : null;
  return typeof unscaled === 'bigint' ? unscaled : null;
}

/** A number as a float type holds it; null for a type of 16 bits, which zones have no bounds for. */
function storedFloat(type: DataType, value: number): number | null {
  const { precision } = type as DataType & { precision: number };
  return precision === 2 ? value : precision === 1 ? Math.fround(value) : null;
}

function comparison(how: Comparison, left: BoundExpr, right: BoundExpr, known: Known): number {
  const [x, y] = [plainType(left.type), plainType(right.type)];
  const [of, and] = [classOf(x), classOf(y)];
  const [a, b] = [rangeOf(left, known), rangeOf(right, known)];
  if (a.isEmpty || b.isEmpty) return mayNull;
  const isNumber = (kind: string): boolean => kind === 'int' || kind === 'float';
  const areNumbers = isNumber(of) && isNumber(and);
  const ofNull = a.hasNulls || b.hasNulls ? mayNull : 0;
  if (of !== and && !areNumbers) return mayAny;
  // Bounds of decimals are without their scale.
  if (of === 'decimal' && (x as Decimal).scale !== (y as Decimal).scale) return mayAny;
  // A whole number of 64 bits is compared with a float as a double; rounding keeps the order of bounds.
  const rounded = areNumbers && (of === 'float' || and === 'float') && !(isNarrow(x) && isNarrow(y));
  const ranges = rounded ? ([inDoubles(a), inDoubles(b)] as const) : ([a, b] as const);
  return ofNull | relation(how, ranges[0], ranges[1]);
}

function inDoubles(range: Range): Range {
  return { ...range, min: toDouble(range.min), max: toDouble(range.max) };
}

function toDouble(bound: ZoneFacts['min']): ZoneFacts['min'] {
  return typeof bound === 'bigint' ? Number(bound) : bound;
}

/** The answers of comparing a value of `a` with one of `b`, neither of which is null. NaN is above all else. */
function relation(how: Comparison, a: Range, b: Range): number {
  if (how === 'gt' || how === 'gte') return relation(mirrored[how], b, a);
  if (how === 'neq') {
    const may = relation('eq', a, b);
    return (may & mayTrue ? mayFalse : 0) | (may & mayFalse ? mayTrue : 0);
  }
  let may = 0;
  if (a.hasOther && b.hasOther) may |= ordinary(how, a, b);
  if (a.hasNaN && b.hasNaN) may |= how === 'lt' ? mayFalse : mayTrue;
  if (a.hasNaN && b.hasOther) may |= mayFalse;
  if (a.hasOther && b.hasNaN) may |= how === 'eq' ? mayFalse : mayTrue;
  return may;
}

function ordinary(how: 'eq' | 'lt' | 'lte', a: Range, b: Range): number {
  // Orders of the ends that matter; undefined where one is not known.
  const lowest = order(a.min, b.max);
  const highest = order(a.max, b.min);
  if (how === 'eq') {
    const apart = (lowest !== undefined && lowest > 0) || (highest !== undefined && highest < 0);
    if (apart) return mayFalse;
    const isOne = lowest === 0 && highest === 0;
    return isOne ? mayTrue : mayTrue | mayFalse;
  }
  const isNever = lowest !== undefined && (how === 'lt' ? lowest >= 0 : lowest > 0);
  const isAlways = highest !== undefined && (how === 'lt' ? highest < 0 : highest <= 0);
  return isNever ? mayFalse : isAlways ? mayTrue : mayTrue | mayFalse;
}

/** Orders two bounds; undefined where one is not known or they are of different kinds. */
function order(a: ZoneFacts['min'], b: ZoneFacts['min']): number | undefined {
  if (a === null || b === null) return undefined;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) : undefined;
  }
  if (typeof a === 'boolean' || typeof b === 'boolean')
    return typeof a === typeof b ? Number(a) - Number(b) : undefined;
  if (Number.isNaN(a) || Number.isNaN(b)) return undefined;
  return a < b ? -1 : a > b ? 1 : 0;
}
