import { Data, DataType, Field, Int64, Schema, Struct, Utf8 } from 'apache-arrow';
import { bitBytes } from '../arrow/bits.js';
import type { ExprNode } from '../expr/node.js';
import type { Column, ColumnNode } from '../table/column.js';
import { bindProjection, type OutputNode } from './projection.js';

/** The key of a row of files: the path of its file below the root, and its number in there, from 0. */
export const fileKeys: readonly Column[] = [
  { id: 0, path: ['file'], type: new Utf8() },
  { id: 1, path: ['row'], type: new Int64() },
];

/** The schema of {@link fileKeys}. */
export const fileKeySchema: Schema = new Schema(fileKeys.map(({ path, type }) => new Field(path[0]!, type, true)));

/** Where a field of a scan of files comes from: the key, or a column of the files and a way down into its structs. */
export type FileField = 'file' | 'row' | { readonly column: number; readonly path: readonly number[] };

/** A field of a scan of files: one that is stored, or a struct of fields. */
export type FileOutput =
  | { readonly name: string; readonly type: DataType; readonly from: FileField }
  | { readonly name: string; readonly fields: readonly FileOutput[] };

/**
 * What `projection` of the set `id` gives. The set itself is its columns; those of its key are given where they are named
 * and no column has their names.
 *
 * A struct that is asked for as it is stored keeps its nulls; of one that is taken apart the fields are null where it is.
 *
 * @throws SpiralError `unknown_column`, `invalid_expression`.
 */
export function bindFiles(projection: ExprNode, schema: Schema, where: string): FileOutput[] {
  const tree = new Tree(schema);
  return bindProjection(withoutKeys(projection, tree.keyNames), tree.nodes, where).map((node) => tree.outputOf(node));
}

/** The Arrow field of one output. Structs that were put together are never null; all that is stored may be. */
export function fileOutputField(node: FileOutput): Field {
  if ('fields' in node) return new Field(node.name, new Struct(node.fields.map(fileOutputField)), false);
  return new Field(node.name, node.type, true);
}

/** The numbers of the columns that `outputs` take, each once. */
export function columnsOf(outputs: readonly FileOutput[]): number[] {
  const found = new Set<number>();
  const visit = (node: FileOutput): void => {
    if ('fields' in node) node.fields.forEach(visit);
    else if (typeof node.from === 'object') found.add(node.from.column);
  };
  outputs.forEach(visit);
  return [...found];
}

/** The field at `path` within `data`, a column that was read whole: null where any struct around it is. */
export function fieldWithin(data: Data, path: readonly number[]): Data {
  return path.reduce((struct, at) => {
    const child = struct.children[at]!;
    if (struct.nullCount === 0) return child;
    const bits = struct.nullBitmap!.slice(0, bitBytes(child.length));
    if (child.nullCount > 0) for (let byte = 0; byte < bits.length; byte++) bits[byte]! &= child.nullBitmap![byte]!;
    const { type, length, valueOffsets, values, children, dictionary } = child;
    return new Data(type, 0, length, -1, [valueOffsets, values, bits] as never, children, dictionary);
  }, data);
}

class Tree {
  readonly nodes: ColumnNode[];
  /** Names of the key that no column has. */
  readonly keyNames: readonly string[];
  readonly #fields: FileField[] = [];
  /** Structs, by their fields: what was taken from the tree whole still has these. */
  readonly #structs = new Map<readonly OutputNode[], { readonly type: DataType; readonly from: FileField }>();

  constructor(schema: Schema) {
    this.nodes = schema.fields.map(({ name, type }, column) => this.#node(name, type, column, [], [name]));
    const names = new Set(schema.fields.map(({ name }) => name));
    const keys = fileKeys.filter(({ path }) => !names.has(path[0]!));
    this.keyNames = keys.map(({ path }) => path[0]!);
    for (const { path, type } of keys) {
      const id = this.#fields.push(path[0] as 'file' | 'row') - 1;
      this.nodes.push({ name: path[0]!, column: { id, path, type } });
    }
  }

  outputOf(node: OutputNode): FileOutput {
    const { name } = node;
    if ('column' in node) return { name, type: node.column.type, from: this.#fields[node.column.id]! };
    const struct = this.#structs.get(node.fields);
    if (struct !== undefined) return { name, ...struct };
    return { name, fields: node.fields.map((field) => this.outputOf(field)) };
  }

  #node(name: string, type: DataType, column: number, path: readonly number[], names: readonly string[]): ColumnNode {
    const from = { column, path };
    if (!DataType.isStruct(type) || type.children.length === 0) {
      return { name, column: { id: this.#fields.push(from) - 1, path: names, type } };
    }
    const fields = type.children.map((field, at) =>
      this.#node(field.name, field.type, column, [...path, at], [...names, field.name]),
    );
    this.#structs.set(fields, { type, from });
    return { name, fields };
  }
}

/** `node` with the columns of the key left out of every place where the whole set stands. */
function withoutKeys(node: ExprNode, keys: readonly string[]): ExprNode {
  if (keys.length === 0) return node;
  const visit = (at: ExprNode): ExprNode => {
    switch (at.kind) {
      case 'table':
        return { kind: 'select', of: at, paths: keys, exclude: true };
      case 'field':
        return at.of.kind === 'table' ? at : { ...at, of: visit(at.of) };
      case 'select':
        // Asked for by name they are given; what is to be all but some names is so without them.
        return at.of.kind === 'table' && !at.exclude ? at : { ...at, of: visit(at.of) };
      case 'pack':
        return { kind: 'pack', fields: at.fields.map(([name, value]) => [name, visit(value)]) };
      case 'merge':
        return { kind: 'merge', of: at.of.map(visit) };
    }
  };
  return visit(node);
}
