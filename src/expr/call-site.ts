import type { DataType } from 'apache-arrow';
import { typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import type { BoundExpr, Kernel } from './bound.js';
import { fitLiteral } from './fit-literal.js';
import type { FunctionName } from './function-name.js';
import type { CallNode } from './node.js';
import { nodeText } from './node-text.js';
import { plainType } from './promote.js';

/** A call whose arguments are bound and whose function is not yet. */
export interface CallSite {
  readonly node: CallNode;
  readonly args: readonly BoundExpr[];
}

/** What a function makes of a call: its type, its arguments as it takes them, and how it is computed. */
export interface BoundRule {
  readonly type: DataType;
  readonly args: readonly BoundExpr[];
  /** Undefined for what the environment computes. */
  readonly run: Kernel | undefined;
}

/** How a function is bound. */
export interface Rule {
  /** The fewest and the most arguments. */
  readonly count: readonly [min: number, max: number];
  bind(site: CallSite): BoundRule;
}

/** How some functions are bound. */
export type Rules<Name extends FunctionName> = Readonly<Record<Name, Rule>>;

/** The text of a type in messages, that of a bare null too. */
export function typeText(type: DataType): string {
  return type.typeId === 1 ? 'null' : typeWords(type);
}

/** The error for arguments of types that a function does not take. `expected` is what it takes, in words. */
export function mistyped(site: CallSite, expected: string, remedy = ''): SpiralError {
  const found = site.args.map((arg) => typeText(arg.type));
  const text = nodeText(site.node);
  const got = found.length === 1 ? found[0] : `${found.slice(0, -1).join(', ')} and ${found.at(-1)}`;
  return new SpiralError(
    'type_mismatch',
    `Expected ${expected}, got ${got} in the expression ${text}.${remedy === '' ? '' : ` ${remedy}`}`,
    { details: { expression: text, expected, found } },
  );
}

/** The error for a setting or a constant of a call that its function does not take. */
export function badCall(node: CallNode, expected: string): SpiralError {
  const text = nodeText(node);
  return new SpiralError('invalid_expression', `Expected ${expected} in the expression ${text}.`, {
    details: { expression: text, expected },
  });
}

/** The argument as a value of `type`: a weak literal that fits is one; undefined for anything of another type. */
export function argAs(arg: BoundExpr, type: DataType): BoundExpr | undefined {
  if (arg.kind === 'literal' && arg.weak) return fitLiteral(arg, type);
  return plainType(arg.type) === type ? arg : undefined;
}
