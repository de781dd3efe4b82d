import type { DataType, Struct } from 'apache-arrow';
import type { CallNode, ExprNode } from './node.js';
import type { Values } from './values.js';

/**
 * An expression bound to columns: every function found, every type known and fitting. Not data: each thread binds the
 * node for itself.
 */
export type BoundExpr = BoundColumn | BoundAux | BoundLiteral | BoundStruct | BoundGet | BoundCall | BoundEffect;

interface Bound {
  /** The Arrow type of its values. Never a dictionary but for a bare column. */
  readonly type: DataType;
  /** What it was bound from, for messages. */
  readonly node: ExprNode;
}

/** A stored column, by number. */
export interface BoundColumn extends Bound {
  readonly kind: 'column';
  readonly column: number;
}

/** A column given beside the rows, by name. */
export interface BoundAux extends Bound {
  readonly kind: 'aux';
  readonly name: string;
}

/** A constant, in the form of `literalValue`; weak: see `LiteralNode`. */
export interface BoundLiteral extends Bound {
  readonly kind: 'literal';
  readonly value: unknown;
  readonly weak: boolean;
}

/** A struct of expressions; it is itself never null. `parts` go with the fields of `type`. */
export interface BoundStruct extends Bound {
  readonly kind: 'struct';
  readonly type: Struct;
  readonly parts: readonly BoundExpr[];
}

/** Field number `at` of a struct that is computed or stored whole; null where the struct is. */
export interface BoundGet extends Bound {
  readonly kind: 'get';
  readonly of: BoundExpr;
  readonly at: number;
}

/** A function. */
export interface BoundCall extends Bound {
  readonly kind: 'call';
  readonly node: CallNode;
  readonly args: readonly BoundExpr[];
  readonly run: Kernel;
}

/** A function that the environment computes: a udf, a fetch. */
export interface BoundEffect extends Bound {
  readonly kind: 'effect';
  readonly node: CallNode;
  readonly args: readonly BoundExpr[];
}

/**
 * Computes a function for `rows` rows, each from the arguments' values in that row alone, so that a dictionary's values may
 * be computed once. Arguments that are constant have one row; where all are, `rows` is 1. No argument is a dictionary.
 */
export type Kernel = (args: readonly Values[], rows: number, where: () => string) => Values;

/** The expressions right inside `bound`. */
export function boundParts(bound: BoundExpr): readonly BoundExpr[] {
  switch (bound.kind) {
    case 'struct':
      return bound.parts;
    case 'get':
      return [bound.of];
    case 'call':
    case 'effect':
      return bound.args;
    case 'column':
    case 'aux':
    case 'literal':
      return [];
  }
}

/** The numbers of the stored columns that `bound` reads. */
export function columnsOf(bound: BoundExpr): Set<number> {
  if (bound.kind === 'column') return new Set([bound.column]);
  return new Set(boundParts(bound).flatMap((part) => [...columnsOf(part)]));
}

/** The names of the auxiliary columns that `bound` reads. */
export function auxOf(bound: BoundExpr): Set<string> {
  if (bound.kind === 'aux') return new Set([bound.name]);
  return new Set(boundParts(bound).flatMap((part) => [...auxOf(part)]));
}

/** The effects in `bound`, each once, those that others take as arguments before them. */
export function effectsOf(bound: BoundExpr): BoundEffect[] {
  const found = new Set(boundParts(bound).flatMap(effectsOf));
  if (bound.kind === 'effect') found.add(bound);
  return [...found];
}
