import { SpiralError, shown } from '../core/errors.js';

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

/** An expression: a column or a struct of columns, to be read or computed. Using one as a boolean throws. */
export class Expr {
  readonly node: ExprNode;

  constructor(node: ExprNode) {
    this.node = node;
  }

  /** The field `name` of a struct; a dotted path goes down through structs. */
  getitem(path: string): Expr {
    return new Expr(path.split('.').reduce<ExprNode>((of, name) => ({ kind: 'field', of, name }), this.node));
  }

  /** The struct of some of this struct's fields, by dotted paths; `{ exclude }` keeps all but those named. */
  select(...paths: readonly (string | { readonly exclude: readonly string[] })[]): Expr {
    const [first] = paths;
    if (paths.length === 1 && typeof first === 'object') {
      return new Expr({ kind: 'select', of: this.node, paths: first.exclude, exclude: true });
    }
    for (const path of paths) {
      if (typeof path !== 'string') {
        throw new SpiralError('invalid_expression', `Expected \`select\` to be given names, got ${shown(path)}.`);
      }
    }
    return new Expr({ kind: 'select', of: this.node, paths: paths as string[], exclude: false });
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
export function toNode(like: ExprLike): ExprNode {
  if (like instanceof Expr) return like.node;
  if (typeof like !== 'object' || like === null || Array.isArray(like)) {
    throw new SpiralError(
      'invalid_expression',
      `Expected an expression or a dict of expressions, got ${shown(like)}.`,
      {
        details: { found: shown(like) },
      },
    );
  }
  const fields: [string, ExprNode][] = [];
  for (const [name, value] of Object.entries(like)) {
    const path = name.split('.');
    const inner = path
      .slice(1)
      .reduceRight<ExprNode>((of, part) => ({ kind: 'pack', fields: [[part, of]] }), toNode(value));
    const at = fields.findIndex(([other]) => other === path[0]);
    if (at < 0) fields.push([path[0]!, inner]);
    else fields[at] = [path[0]!, { kind: 'merge', of: [fields[at]![1], inner] }];
  }
  return { kind: 'pack', fields };
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
