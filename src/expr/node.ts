import { nestingMax } from '../core/limits.js';
import type { FunctionName } from './function-name.js';

/** What stands for a value of a literal in JSON; {@link LiteralNode} says how. */
export type LiteralJson =
  | null
  | boolean
  | number
  | string
  | readonly LiteralJson[]
  | { readonly [name: string]: LiteralJson };

/**
 * A constant. `type` is in words (`'int64'`). A `weak` one takes the type of what it stands against where that holds it
 * exactly. As JSON: integers of 64 bits, times and decimals are text, floats that JSON cannot write `'NaN'`, `'Infinity'`,
 * `'-Infinity'` and `'-0'`, binary is base64, `null` has the type `'null'` where none is given.
 */
export interface LiteralNode {
  readonly kind: 'literal';
  readonly type: string;
  readonly value: LiteralJson;
  readonly weak?: true;
}

/** A function of expressions. `options` are settings that are no expressions: the type of a cast, the module of a udf. */
export interface CallNode {
  readonly kind: 'call';
  readonly fn: FunctionName;
  readonly args: readonly ExprNode[];
  readonly options?: Readonly<Record<string, string | number | boolean>>;
}

/**
 * An expression as data: what `JSON.stringify` writes and another process reads. A table is named by its id, never by a
 * handle.
 */
export type ExprNode =
  | { readonly kind: 'table'; readonly table: string }
  | { readonly kind: 'field'; readonly of: ExprNode; readonly name: string }
  | { readonly kind: 'select'; readonly of: ExprNode; readonly paths: readonly string[]; readonly exclude: boolean }
  | { readonly kind: 'pack'; readonly fields: readonly (readonly [name: string, value: ExprNode])[] }
  | { readonly kind: 'merge'; readonly of: readonly ExprNode[] }
  | { readonly kind: 'aux'; readonly name: string; readonly type: string }
  | LiteralNode
  | CallNode;

/**
 * The name of the field that is column `name` of the key of files' rows, also where they have a column `name` of their own:
 * it begins with a zero byte, as no name in practice does.
 */
export function keyFieldName(name: string): string {
  return `\0${name}`;
}

/** Levels of an expression: a path to the deepest column, and as much on top of it. */
export const expressionDepthMax: number = 4 * nestingMax;

/** The expressions right inside `node`. */
export function partsOf(node: ExprNode): readonly ExprNode[] {
  switch (node.kind) {
    case 'field':
    case 'select':
      return [node.of];
    case 'pack':
      return node.fields.map(([, value]) => value);
    case 'merge':
      return node.of;
    case 'call':
      return node.args;
    case 'table':
    case 'aux':
    case 'literal':
      return [];
  }
}

/** The ids of all tables in `node`. */
export function tablesOf(node: ExprNode): Set<string> {
  if (node.kind === 'table') return new Set([node.table]);
  return new Set(partsOf(node).flatMap((part) => [...tablesOf(part)]));
}
