import { SpiralError, shown } from '../core/errors.js';
import { nestingMax } from '../core/limits.js';

/**
 * An expression as data: what `JSON.stringify` writes and another process reads. A table is named by its id, never by a
 * handle.
 */
export type ExprNode =
  | { readonly kind: 'table'; readonly table: string }
  | { readonly kind: 'field'; readonly of: ExprNode; readonly name: string }
  | { readonly kind: 'select'; readonly of: ExprNode; readonly paths: readonly string[]; readonly exclude: boolean }
  | { readonly kind: 'pack'; readonly fields: readonly (readonly [name: string, value: ExprNode])[] }
  | { readonly kind: 'merge'; readonly of: readonly ExprNode[] };

/** Levels of an expression: a path to the deepest column, and as much on top of it. */
export const expressionDepthMax: number = 4 * nestingMax;

/** An expression: a column or a struct of columns, to be read or computed. Using one as a boolean throws. */
export class Expr {
  readonly node: ExprNode;

  constructor(node: ExprNode) {
    this.node = node;
  }

  /** The field `name` of a struct; a dotted path goes down through structs. */
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

/** An expression, or a dict of them, which makes a struct; dotted names un-nest. */
export type ExprLike = Expr | { readonly [name: string]: ExprLike };

/**
 * The node that `like` means.
 *
 * @throws SpiralError `invalid_expression` for what is neither an expression nor a dict of them.
 */
export function toNode(like: ExprLike, depth = 0): ExprNode {
  if (like instanceof Expr) return like.node;
  if (typeof like !== 'object' || like === null || Array.isArray(like) || depth > expressionDepthMax) {
    throw new SpiralError(
      'invalid_expression',
      `Expected an expression or a dict of expressions, got ${shown(like)}${depth > expressionDepthMax ? ' too deep' : ''}.`,
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

function nodeText(node: ExprNode): string {
  switch (node.kind) {
    case 'table':
      return `table(${node.table})`;
    case 'field':
      return `${nodeText(node.of)}.${node.name}`;
    case 'select':
      return `${nodeText(node.of)}[${node.exclude ? 'all but ' : ''}${node.paths.join(', ')}]`;
    case 'pack':
      return `{ ${node.fields.map(([name, value]) => `${name}: ${nodeText(value)}`).join(', ')} }`;
    case 'merge':
      return `merge(${node.of.map(nodeText).join(', ')})`;
  }
}

/** The ids of all tables in `node`. */
export function tablesOf(node: ExprNode): Set<string> {
  switch (node.kind) {
    case 'table':
      return new Set([node.table]);
    case 'field':
    case 'select':
      return tablesOf(node.of);
    case 'pack':
      return new Set(node.fields.flatMap(([, value]) => [...tablesOf(value)]));
    case 'merge':
      return new Set(node.of.flatMap((part) => [...tablesOf(part)]));
  }
}
