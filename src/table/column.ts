import { type DataType, Field, Schema, Struct } from 'apache-arrow';
import { typeWords } from '../arrow/words.js';
import { listed, nearest } from '../core/check.js';
import { SpiralError } from '../core/errors.js';

/**
 * A leaf column of a table. `path` is its place in the tree of structs, `['meta', 'size']` for `meta.size`; `id` is its
 * name for ever: a column dropped and added again under one path has another id, and never shows old cells (law 20).
 */
export interface Column {
  readonly id: number;
  readonly path: readonly string[];
  readonly type: DataType;
}

/** A field of a table's tree: a leaf or a struct of fields. */
export type ColumnNode =
  | { readonly name: string; readonly column: Column }
  | { readonly name: string; readonly fields: readonly ColumnNode[] };

/** A path as people write it. */
export function pathText(path: readonly string[]): string {
  return path.join('.');
}

/** The column group of a column: the path of the struct it is in. Siblings are stored together (law 15). */
export function groupOf(column: Column): string {
  return pathText(column.path.slice(0, -1));
}

/** The tree of `columns`, fields in the order in which they were first seen. */
export function columnTree(columns: readonly Column[], depth = 0): ColumnNode[] {
  const groups = new Map<string, Column[]>();
  for (const column of columns) {
    const name = column.path[depth]!;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [column]);
    else group.push(column);
  }
  return Array.from(groups, ([name, members]): ColumnNode => {
    const [first] = members;
    if (members.length === 1 && first!.path.length === depth + 1) return { name, column: first! };
    return { name, fields: columnTree(members, depth + 1) };
  });
}

/** The Arrow schema of a tree. Structs are never null; every leaf may be. */
export function treeSchema(tree: readonly ColumnNode[]): Schema {
  return new Schema(tree.map(nodeField));
}

function nodeField(node: ColumnNode): Field {
  if ('column' in node) return new Field(node.name, node.column.type, true);
  return new Field(node.name, new Struct(node.fields.map(nodeField)), false);
}

/**
 * The node at `path` of `tree`.
 *
 * @throws SpiralError `unknown_column`, with the nearest names.
 */
export function nodeAt(tree: readonly ColumnNode[], path: readonly string[], where: string): ColumnNode {
  let fields = tree;
  for (const [depth, name] of path.entries()) {
    const node = fields.find((field) => field.name === name);
    if (node === undefined || ('column' in node && depth < path.length - 1)) throw unknownColumn(tree, path, where);
    if (depth === path.length - 1) return node;
    fields = 'column' in node ? [] : node.fields;
  }
  throw unknownColumn(tree, path, where);
}

/** Every path of `tree`, structs included. */
export function treePaths(tree: readonly ColumnNode[], before: readonly string[] = []): string[] {
  return tree.flatMap((node) => {
    const path = [...before, node.name];
    return 'column' in node ? [pathText(path)] : [pathText(path), ...treePaths(node.fields, path)];
  });
}

/** The error for a column that is not there. */
export function unknownColumn(tree: readonly ColumnNode[], path: readonly string[], where: string): SpiralError {
  const names = treePaths(tree);
  const wanted = pathText(path);
  const near = nearest(wanted, names);
  const hint =
    near.length > 0 ? `Did you mean ${listed(near)}?` : `Its columns are ${listed(names.slice(0, 20), 'and')}.`;
  return new SpiralError('unknown_column', `${where} has no column '${wanted}'. ${hint}`, {
    details: { table: where, column: wanted, near },
  });
}

/** The error for a column of another type than it has. */
export function wrongType(where: string, path: readonly string[], has: DataType, found: DataType): SpiralError {
  const column = pathText(path);
  return new SpiralError(
    'type_mismatch',
    `Expected column '${column}' of ${where} to be ${typeWords(has)}, its type in the table, got ${typeWords(found)}. ` +
      'Convert the values, or write them under another name.',
    { details: { table: where, column, expected: typeWords(has), found: typeWords(found) } },
  );
}
