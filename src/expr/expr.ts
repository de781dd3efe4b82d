import { isStructLike } from '../arrow/infer.js';
import { SpiralError, shown } from '../core/errors.js';
import type { FunctionName } from './function-name.js';
import { ListMethods } from './list-methods.js';
import { isScalar, literalNode, type Scalar } from './literal.js';
import { type CallNode, type ExprNode, expressionDepthMax } from './node.js';
import { nodeText } from './node-text.js';
import { NumMethods } from './num-methods.js';
import { StrMethods } from './str-methods.js';
import { TextMethods } from './text-methods.js';
import { TimeMethods } from './time-methods.js';

/**
 * An expression: a column, a struct of columns, or what functions make of them, to be read or computed by a scan. Nothing is
 * computed before; using one as a boolean throws.
 *
 * ```ts
 * const cond = table.col('score').gt(0.5).and(table.col('label').isNotNull());
 * ```
 */
export class Expr {
  readonly node: ExprNode;

  constructor(node: ExprNode) {
    this.node = node;
  }

  /** The field `name` of a struct; a dotted path goes down through structs. Null where the struct is null. */
  getitem(path: string): Expr {
    if (typeof path !== 'string') {
      throw new SpiralError('invalid_expression', `Expected the name of a field, got ${shown(path)}.`);
    }
    return new Expr(path.split('.').reduce<ExprNode>((of, name) => ({ kind: 'field', of, name }), this.node));
  }

  /** The struct of some of this struct's fields, by dotted paths; `{ exclude }` keeps all but those named. */
  select(...paths: readonly (string | { readonly exclude: readonly string[] })[]): Expr {
    const [first] = paths;
    const exclude = paths.length === 1 && typeof first === 'object' && first !== null ? first.exclude : undefined;
    const names: unknown = exclude ?? paths;
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
      const found = Array.isArray(names) ? names.find((name) => typeof name !== 'string') : names;
      throw new SpiralError(
        'invalid_expression',
        `Expected \`select\` to be given names, or { exclude: [names] }, got ${shown(found)}.`,
      );
    }
    return new Expr({ kind: 'select', of: this.node, paths: names, exclude: exclude !== undefined });
  }

  /** `this = other`. NaN equals NaN. Null where either is null, as for every comparison. */
  eq(other: ExprLike): Expr {
    return call('eq', this, other);
  }

  /** `this != other`. */
  neq(other: ExprLike): Expr {
    return call('neq', this, other);
  }

  /** `this < other`. NaN is above every other number; text orders by code points, `false` below `true`. */
  lt(other: ExprLike): Expr {
    return call('lt', this, other);
  }

  /** `this <= other`. */
  lte(other: ExprLike): Expr {
    return call('lte', this, other);
  }

  /** `this > other`. */
  gt(other: ExprLike): Expr {
    return call('gt', this, other);
  }

  /** `this >= other`. */
  gte(other: ExprLike): Expr {
    return call('gte', this, other);
  }

  /** Whether this equals one of `others`. Null where it does not and one of all is null; false for no others. */
  in(others: readonly ExprLike[]): Expr {
    if (!Array.isArray(others)) {
      throw new SpiralError('invalid_expression', `Expected \`in\` to be given an array, got ${shown(others)}.`);
    }
    return call('in', this, ...others);
  }

  /** True where all are true, false where one is false, else null. */
  and(...others: readonly ExprLike[]): Expr {
    return chained('and', this, others);
  }

  /** True where one is true, false where all are false, else null. */
  or(...others: readonly ExprLike[]): Expr {
    return chained('or', this, others);
  }

  /** True where exactly one of both is true; null where either is null. */
  xor(other: ExprLike): Expr {
    return call('xor', this, other);
  }

  /** True for false and false for true; null for null. */
  not(): Expr {
    return call('not', this);
  }

  /** Whether this is null. Never null itself. */
  isNull(): Expr {
    return call('is_null', this);
  }

  /** Whether this is not null. Never null itself. */
  isNotNull(): Expr {
    return call('is_not_null', this);
  }

  /** The sum, of the type that both share; an integer that overflows is an error of the scan. Null where either is null. */
  add(other: ExprLike): Expr {
    return call('add', this, other);
  }

  /** The difference, as {@link add}. */
  subtract(other: ExprLike): Expr {
    return call('subtract', this, other);
  }

  /** The product, as {@link add}. */
  multiply(other: ExprLike): Expr {
    return call('multiply', this, other);
  }

  /** The quotient, always a float; by zero it is infinite or NaN. Null where either is null. */
  divide(other: ExprLike): Expr {
    return call('divide', this, other);
  }

  /** What division leaves, with the sign of this. By zero: null for integers, NaN for floats. */
  modulo(other: ExprLike): Expr {
    return call('modulo', this, other);
  }

  /** This with the other sign; of an unsigned integer as the next wider signed one. */
  negate(): Expr {
    return call('negate', this);
  }

  /** This struct and `others` put together: of two fields with one name the last wins, structs are merged in turn. */
  merge(...others: readonly ExprLike[]): Expr {
    return new Expr({ kind: 'merge', of: [this.node, ...others.map((other) => toNode(other))] });
  }

  /** Functions of text. */
  get str(): StrMethods {
    return new StrMethods(this, callWith);
  }

  /** Functions of lists. */
  get list(): ListMethods {
    return new ListMethods(this, callWith);
  }

  /** Functions of numbers. */
  get num(): NumMethods {
    return new NumMethods(this, callWith);
  }

  /** Functions of dates and times. */
  get time(): TimeMethods {
    return new TimeMethods(this, callWith);
  }

  /** Functions of searching. */
  get text(): TextMethods {
    return new TextMethods(this, callWith);
  }

  /**
   * This as values of `type`, in words; null stays null, and a value that the type does not hold is an error of the scan,
   * `value_out_of_range`.
   */
  cast(type: string): Expr {
    return callWith('cast', [this], { type });
  }

  /** The expression as people write it. */
  toString(): string {
    return nodeText(this.node);
  }

  /** @throws SpiralError `invalid_expression`: an expression has no value of its own. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString();
    throw new SpiralError(
      'invalid_expression',
      `The expression ${this} has no value until a scan reads it: combine expressions with their methods, such as ` +
        '`a.and(b)`, not with operators.',
    );
  }
}

/** An expression; a dict of them, which makes a struct (dotted names un-nest); or a constant. */
export type ExprLike = Expr | Scalar | { readonly [name: string]: ExprLike };

/**
 * The node that `like` means.
 *
 * @throws SpiralError `invalid_expression` for what is neither an expression nor a dict of them nor a constant.
 */
export function toNode(like: ExprLike, depth = 0): ExprNode {
  if (like instanceof Expr) return like.node;
  if (isScalar(like)) return literalNode(like);
  if (!isStructLike(like) || depth > expressionDepthMax) {
    throw new SpiralError(
      'invalid_expression',
      `Expected an expression, a dict of expressions or a constant, got ${shown(like)}${depth > expressionDepthMax ? ' too deep' : ''}.`,
      { details: { found: shown(like) } },
    );
  }
  const fields = new Map<string, ExprNode>();
  for (const [path, value] of Object.entries(like)) {
    const [name, ...inner] = path.split('.') as [string, ...string[]];
    const node = inner.reduceRight<ExprNode>(
      (of, part) => ({ kind: 'pack', fields: [[named(part, path), of]] }),
      toNode(value, depth + 1),
    );
    const before = fields.get(named(name, path));
    fields.set(name, before === undefined ? node : { kind: 'merge', of: [before, node] });
  }
  return { kind: 'pack', fields: [...fields] };
}

/** Makes the expression of a function, of its arguments and of its settings; a setting that is undefined is none. */
export type CallMaker = (
  fn: FunctionName,
  args: readonly ExprLike[],
  options?: Readonly<Record<string, string | number | boolean | undefined>>,
) => Expr;

export const callWith: CallMaker = (fn, args, options = {}) => {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const stray = given.find(([, value]) => !['string', 'number', 'boolean'].includes(typeof value));
  if (stray !== undefined) {
    throw new SpiralError(
      'invalid_expression',
      `Expected \`${stray[0]}\` of ${fn} to be a text, a number or a boolean, got ${shown(stray[1])}.`,
      { details: { fn, option: stray[0] } },
    );
  }
  return new Expr({
    kind: 'call',
    fn,
    args: args.map((arg) => toNode(arg)),
    ...(given.length > 0 && { options: Object.fromEntries(given) as NonNullable<CallNode['options']> }),
  });
};

/** A chain of `and` or `or` as one call, however long: so it is no deeper than its parts. */
function chained(fn: 'and' | 'or', first: Expr, others: readonly ExprLike[]): Expr {
  const { node } = first;
  const before = node.kind === 'call' && node.fn === fn ? node.args.map((arg) => new Expr(arg)) : [first];
  return callWith(fn, [...before, ...others]);
}

function call(fn: FunctionName, ...args: readonly ExprLike[]): Expr {
  return callWith(fn, args);
}

function named(part: string, path: string): string {
  if (part !== '') return part;
  throw new SpiralError(
    'invalid_expression',
    `Expected names between the dots of a field's path, got ${shown(path)}.`,
    {
      details: { path },
    },
  );
}
