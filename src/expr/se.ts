import { parseType, typeWords } from '../arrow/words.js';
import { knownOptions } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { callWith, Expr, type ExprLike, toNode } from './expr.js';
import { literalNode, type Scalar } from './literal.js';
import { parseText } from './parse-text.js';
import type { TruncateUnit } from './time-methods.js';

/** A function written in a module. */
export interface UdfOptions {
  /** The module's URL, as `import.meta.resolve()` gives, or its absolute path. It must do nothing else when it is loaded. */
  readonly module: string | URL;
  /** The name of the export; `default` where it is left out. */
  readonly export?: string;
  /** The type of what it returns, in words; no dictionary. */
  readonly returns: string;
}

const lift = (value: ExprLike): Expr => new Expr(toNode(value));

const struct = {
  /** The field at a dotted path; see {@link Expr.getitem}. */
  getitem: (of: ExprLike, path: string): Expr => lift(of).getitem(path),
  /** The struct of the given fields. Never null. */
  pack: (fields: Readonly<Record<string, ExprLike>>): Expr => packed(fields),
  /** Structs put together, the last wins; see {@link Expr.merge}. */
  merge: (...structs: readonly ExprLike[]): Expr => merged(structs),
  /** Some fields of a struct; see {@link Expr.select}. */
  select: (of: ExprLike, ...paths: readonly (string | { readonly exclude: readonly string[] })[]): Expr =>
    lift(of).select(...paths),
} as const;

function packed(fields: Readonly<Record<string, ExprLike>>): Expr {
  if (typeof fields === 'object' && fields !== null && !Array.isArray(fields) && !(fields instanceof Expr)) {
    return lift(fields);
  }
  throw new SpiralError('invalid_expression', `Expected a dict of expressions, got ${shown(fields)}.`);
}

function merged(structs: readonly ExprLike[]): Expr {
  const [first, ...others] = structs;
  if (first === undefined)
    throw new SpiralError('invalid_expression', 'Expected one struct or more to merge, got none.');
  return lift(first).merge(...others);
}

/** Lists by position, or under names: `zip({ word: words, at: places })`. */
function zip(...lists: readonly ExprLike[] | readonly [Readonly<Record<string, ExprLike>>]): Expr {
  const [first] = lists;
  const isNamed =
    lists.length === 1 &&
    typeof first === 'object' &&
    first !== null &&
    Object.getPrototypeOf(first) === Object.prototype;
  if (!isNamed) return callWith('list.zip', lists as readonly ExprLike[]);
  const named = first as Readonly<Record<string, ExprLike>>;
  return callWith('list.zip', Object.values(named), { names: JSON.stringify(Object.keys(named)) });
}

const list = {
  /** Whether an element equals `value`; see `Expr.list`. */
  contains: (of: ExprLike, value: ExprLike): Expr => lift(of).list.contains(value),
  /** The element at `index`, from 0, below 0 from the end; null where there is none. */
  elementAt: (of: ExprLike, index: ExprLike): Expr => lift(of).list.elementAt(index),
  /** The list of the given values, nulls among them. Never null. */
  of: (...values: readonly ExprLike[]): Expr => callWith('list.of', values),
  /**
   * Structs of the first elements of all lists, the second ones, and so on; shorter lists are filled up with nulls. The fields
   * are called '0', '1' and so on, or as in a dict. Null where a list is null.
   */
  zip: zip as typeof zip,
  /** The elements of all lists. Null where a list is null. */
  concat: (...lists: readonly ExprLike[]): Expr => callWith('list.concat', lists),
  /** The elements from `start` up to `end`, as JavaScript's `slice`. */
  slice: (of: ExprLike, start: ExprLike, end?: ExprLike): Expr => lift(of).list.slice(start, end),
  /** Elements of the list, as int32. */
  length: (of: ExprLike): Expr => lift(of).list.length(),
} as const;

const str = {
  /** Characters (code points) of the text, as int32. */
  length: (of: ExprLike): Expr => lift(of).str.length(),
  /** The text in lower case. */
  lower: (of: ExprLike): Expr => lift(of).str.lower(),
  /** The text in upper case. */
  upper: (of: ExprLike): Expr => lift(of).str.upper(),
  /** The text without white space at both ends. */
  trim: (of: ExprLike): Expr => lift(of).str.trim(),
  /** Whether the text begins with `prefix`. */
  startsWith: (of: ExprLike, prefix: ExprLike): Expr => lift(of).str.startsWith(prefix),
  /** Whether the text ends with `suffix`. */
  endsWith: (of: ExprLike, suffix: ExprLike): Expr => lift(of).str.endsWith(suffix),
  /** Whether `part` is somewhere in the text. */
  contains: (of: ExprLike, part: ExprLike): Expr => lift(of).str.contains(part),
  /** Whether the whole text is like `pattern`, with `%` and `_`. */
  like: (of: ExprLike, pattern: string, options?: { readonly escape?: string }): Expr =>
    lift(of).str.like(pattern, options),
  /** Whether `pattern`, a JavaScript regular expression with the flag `u`, matches somewhere in the text. */
  matches: (of: ExprLike, pattern: string, options?: { readonly flags?: string }): Expr =>
    lift(of).str.matches(pattern, options),
  /** The text with every `from` replaced by `to`. */
  replace: (of: ExprLike, from: ExprLike, to: ExprLike): Expr => lift(of).str.replace(from, to),
  /** The parts between `separator`s. */
  split: (of: ExprLike, separator: ExprLike): Expr => lift(of).str.split(separator),
  /** All texts, one after the other. Null where one is null. */
  concat: (...texts: readonly ExprLike[]): Expr => callWith('str.concat', texts),
  /** The part from character `start` on, from 0, `length` characters of it or all. */
  substr: (of: ExprLike, start: ExprLike, length?: ExprLike): Expr => lift(of).str.substr(start, length),
} as const;

const num = {
  /** The size of the number. */
  abs: (of: ExprLike): Expr => lift(of).num.abs(),
  /** The number with the other sign. */
  neg: (of: ExprLike): Expr => lift(of).num.neg(),
  /** The nearest number with `digits` decimals, halves away from zero. */
  round: (of: ExprLike, digits?: number): Expr => lift(of).num.round(digits),
  /** The largest whole number that is not above it. */
  floor: (of: ExprLike): Expr => lift(of).num.floor(),
  /** The least whole number that is not below it. */
  ceil: (of: ExprLike): Expr => lift(of).num.ceil(),
  /** The square root, as float64. */
  sqrt: (of: ExprLike): Expr => lift(of).num.sqrt(),
  /** e to the power of the number, as float64. */
  exp: (of: ExprLike): Expr => lift(of).num.exp(),
  /** The natural logarithm, as float64. */
  log: (of: ExprLike): Expr => lift(of).num.log(),
  /** The number to the power of `exponent`, as float64. */
  pow: (of: ExprLike, exponent: ExprLike): Expr => lift(of).num.pow(exponent),
  /** The number held between two bounds; one that is null is none. */
  clip: (of: ExprLike, low: ExprLike, high: ExprLike): Expr => lift(of).num.clip(low, high),
  /** -1, 0 or 1. */
  sign: (of: ExprLike): Expr => lift(of).num.sign(),
} as const;

const time = {
  /** The year. */
  year: (of: ExprLike): Expr => lift(of).time.year(),
  /** The month, 1 to 12. */
  month: (of: ExprLike): Expr => lift(of).time.month(),
  /** The day of the month, 1 to 31. */
  day: (of: ExprLike): Expr => lift(of).time.day(),
  /** The hour, 0 to 23. */
  hour: (of: ExprLike): Expr => lift(of).time.hour(),
  /** The minute, 0 to 59. */
  minute: (of: ExprLike): Expr => lift(of).time.minute(),
  /** The second, 0 to 59. */
  second: (of: ExprLike): Expr => lift(of).time.second(),
  /** The time at which the `unit` it lies in began. */
  truncate: (of: ExprLike, unit: TruncateUnit): Expr => lift(of).time.truncate(unit),
} as const;

const text = {
  /** The text as a field of an index. */
  field: (of: ExprLike, options?: { readonly name?: string; readonly tokenizer?: string }): Expr =>
    lift(of).text.field(options),
  /** How well a field matches `term`: a score. */
  find: (field: ExprLike, term: ExprLike): Expr => lift(field).text.find(term),
  /** A score times `factor`. */
  boost: (score: ExprLike, factor: ExprLike): Expr => lift(score).text.boost(factor),
} as const;

/** A fetch: `struct{ bytes, meta{ location, last_modified, size, e_tag, version, status_code } }`, a failure being a status. */
const http = { get: (url: ExprLike): Expr => callWith('http.get', [url]) } as const;
const s3 = { get: (uri: ExprLike): Expr => callWith('s3.get', [uri]) } as const;
const file = { get: (path: ExprLike): Expr => callWith('file.get', [path]) } as const;

/**
 * Makes a function of expressions that stands for an export of a module. The export is called with the rows of a batch at
 * once, in the thread that reads them or in one of the scan's `udfWorkers`: an Arrow vector for each argument, then
 * `{ rows, signal }`, a `UdfContext`. It returns, or promises, an array or vector of one value a row; nulls are its own to
 * mind. A row's value must depend on that row alone, as what makes up a batch follows from how rows are stored and read.
 *
 * @throws SpiralError `invalid_expression`, `invalid_schema`; scans throw `invalid_transform`, `transform_failed`,
 * `type_mismatch` and `value_out_of_range` for what the module does wrong; `worker_died`, `transform_timeout` for a thread.
 */
function udf(options: UdfOptions): (...args: readonly ExprLike[]) => Expr {
  knownOptions('se.udf', options, ['module', 'export', 'returns']);
  const { module, returns, export: name = 'default' } = options;
  if ((typeof module !== 'string' && !(module instanceof URL)) || typeof returns !== 'string') {
    throw new SpiralError(
      'invalid_expression',
      `Expected se.udf to be given a module and the type it returns, got ${shown(module)} and ${shown(returns)}.`,
    );
  }
  if (typeof name !== 'string' || name === '') {
    throw new SpiralError('invalid_expression', `Expected the export of se.udf to be a name, got ${shown(name)}.`);
  }
  const settings = { module: String(module), export: name, returns: wordsOf(returns) };
  return (...args) => callWith('udf', args, settings);
}

const wordsOf = (words: string): string => typeWords(parseType(words));

/**
 * Expressions: what a scan computes, filters by and projects. Every function takes expressions, dicts of them (structs) and
 * constants, and is a method of {@link Expr} as well. Nulls are those of SQL: a function of null is null but where it says
 * otherwise, and a predicate that is null counts as false. See `docs/guides/expressions.md`.
 */
export const se = {
  /** A value as an expression: a constant, a dict as a struct, an expression as it is. */
  lift: lift as typeof lift,
  /** A constant, of `type` in words where it is given: `se.scalar(3, 'int8')`. Else it takes the type it stands against. */
  scalar: (value: Scalar | Readonly<Record<string, unknown>>, type?: string): Expr =>
    new Expr(literalNode(value, type)),
  /**
   * The condition that `text` writes, of columns of `of`: a table, files, or a struct. For conditions that people type:
   * `se.parse("score >= 0.5 and label in ('cat', 'dog') and meta.note is not null", table)`. The guide on expressions has the
   * grammar.
   *
   * @throws SpiralError `invalid_expression`: `details.column` says where in the text, counted from 1.
   */
  parse: (text: string, of: Expr): Expr => parseText(text, of),
  /** The column `name` of a key table, of type `dtype` in words, beside its keys. */
  aux: (name: string, dtype: string): Expr => new Expr({ kind: 'aux', name, type: wordsOf(dtype) }),
  /** `of` as values of `type`; see {@link Expr.cast}. */
  cast: (of: ExprLike, type: string): Expr => lift(of).cast(type),
  /** True where all are true, false where one is false, else null. */
  and: (...args: readonly ExprLike[]): Expr => callWith('and', args),
  /** True where one is true, false where all are false, else null. */
  or: (...args: readonly ExprLike[]): Expr => callWith('or', args),
  /** True where exactly one of two is true; null where either is null. */
  xor: (left: ExprLike, right: ExprLike): Expr => lift(left).xor(right),
  /** True for false, false for true, null for null. */
  not: (of: ExprLike): Expr => lift(of).not(),
  /** `left = right`, as {@link Expr.eq}. */
  eq: (left: ExprLike, right: ExprLike): Expr => lift(left).eq(right),
  /** `left != right`. */
  neq: (left: ExprLike, right: ExprLike): Expr => lift(left).neq(right),
  /** `left < right`, as {@link Expr.lt}. */
  lt: (left: ExprLike, right: ExprLike): Expr => lift(left).lt(right),
  /** `left <= right`. */
  lte: (left: ExprLike, right: ExprLike): Expr => lift(left).lte(right),
  /** `left > right`. */
  gt: (left: ExprLike, right: ExprLike): Expr => lift(left).gt(right),
  /** `left >= right`. */
  gte: (left: ExprLike, right: ExprLike): Expr => lift(left).gte(right),
  /** Whether a value is null. */
  isNull: (of: ExprLike): Expr => lift(of).isNull(),
  /** Whether a value is not null. */
  isNotNull: (of: ExprLike): Expr => lift(of).isNotNull(),
  /** The sum, as {@link Expr.add}. */
  add: (left: ExprLike, right: ExprLike): Expr => lift(left).add(right),
  /** The difference. */
  subtract: (left: ExprLike, right: ExprLike): Expr => lift(left).subtract(right),
  /** The product. */
  multiply: (left: ExprLike, right: ExprLike): Expr => lift(left).multiply(right),
  /** The quotient, always a float. */
  divide: (left: ExprLike, right: ExprLike): Expr => lift(left).divide(right),
  /** What division leaves, with the sign of `left`. */
  modulo: (left: ExprLike, right: ExprLike): Expr => lift(left).modulo(right),
  /** A number with the other sign. */
  negate: (of: ExprLike): Expr => lift(of).negate(),
  getitem: struct.getitem as typeof struct.getitem,
  select: struct.select as typeof struct.select,
  merge: struct.merge as typeof struct.merge,
  pack: struct.pack as typeof struct.pack,
  /** Whether `of` equals one of `others`, as {@link Expr.in}. */
  in: (of: ExprLike, others: readonly ExprLike[]): Expr => lift(of).in(others),
  struct: struct as typeof struct,
  list: list as typeof list,
  str: str as typeof str,
  num: num as typeof num,
  time: time as typeof time,
  text: text as typeof text,
  http: http as typeof http,
  s3: s3 as typeof s3,
  file: file as typeof file,
  udf: udf as typeof udf,
} as const;
