import { type DataType, Field, List, Schema, Struct } from 'apache-arrow';
import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';
import { parquetSchema } from 'hyparquet';
import { SpiralError } from '../core/errors.js';
import { nestingMax } from '../core/limits.js';
import { corrupt } from './corrupt.js';
import { parquetType } from './parquet-type.js';

/** A column chunk of every row group: a leaf of the schema's tree. */
export interface ParquetLeaf {
  /** Its names, from the top down. */
  readonly path: readonly string[];
  readonly element: SchemaElement;
  readonly type: DataType;
  /** Definition level of a value that is there, and repetition level of one that continues the innermost list. */
  readonly maxDef: number;
  readonly maxRep: number;
}

/**
 * A field of the schema's tree, as Arrow has it. `def` is the definition level from which it is not null. Its slots (rows,
 * or elements of the list it is in) are the entries of any leaf below it that repeat at most `rep` and are defined to
 * `slotDef` at least.
 */
export type ParquetNode = {
  readonly type: DataType;
  readonly def: number;
  readonly rep: number;
  readonly slotDef: number;
} & (
  | { readonly kind: 'leaf'; readonly leaf: ParquetLeaf }
  | { readonly kind: 'struct'; readonly children: readonly ParquetNode[] }
  | { readonly kind: 'list'; readonly child: ParquetNode }
);

/** What a Parquet file holds, as Arrow has it. */
export interface ParquetTree {
  readonly schema: Schema;
  /** A node for each column of `schema`. */
  readonly columns: readonly ParquetNode[];
}

/** The levels around a field. */
interface Levels {
  readonly def: number;
  readonly rep: number;
  readonly slotDef: number;
  readonly depth: number;
}

/**
 * The tree of `metadata`. Lists of all the layouts that were ever written are lists, maps lists of structs.
 *
 * @throws SpiralError `corrupt_file`, `unsupported`, `unsupported_type`, naming `where` and the column.
 */
export function parquetTree(metadata: FileMetaData, where: string): ParquetTree {
  let root: SchemaTree;
  try {
    root = parquetSchema(metadata);
  } catch (cause) {
    throw corrupt(where, 'a readable schema', 'a damaged one', cause);
  }
  const names = new Set<string>();
  const columns = root.children.map((child) => {
    const { name } = child.element;
    if (names.has(name)) {
      throw new SpiralError(
        'unsupported',
        `Expected the columns of ${where} to have names of their own, found '${name}' twice. Write it again with other names.`,
        { details: { file: where, column: name } },
      );
    }
    names.add(name);
    return nodeOf(child, { def: 0, rep: 0, slotDef: 0, depth: 0 }, where);
  });
  const fields = columns.map(({ type }, at) => new Field(root.children[at]!.element.name, type, true));
  return { schema: new Schema(fields), columns };
}

/** The leaves below `node`, in the order of the schema. */
export function leavesBelow(node: ParquetNode): ParquetLeaf[] {
  switch (node.kind) {
    case 'leaf':
      return [node.leaf];
    case 'list':
      return leavesBelow(node.child);
    case 'struct':
      return node.children.flatMap(leavesBelow);
  }
}

function nodeOf(tree: SchemaTree, levels: Levels, where: string): ParquetNode {
  if (levels.depth > nestingMax) {
    throw new SpiralError('unsupported', `Expected ${where} to nest at most ${nestingMax} deep, found more.`, {
      details: { file: where, column: tree.path.join('.') },
    });
  }
  const { repetition_type: repetition } = tree.element;
  // A repeated field without a list around it is a list that is never null, of elements that never are.
  if (repetition === 'REPEATED') return listNode(levels, (inner) => contentOf(tree, inner, where));
  return contentOf(tree, repetition === 'OPTIONAL' ? { ...levels, def: levels.def + 1 } : levels, where);
}

/** A list that is not null from `levels.def` on. */
function listNode(levels: Levels, childOf: (inner: Levels) => ParquetNode): ParquetNode {
  const { def, rep, slotDef, depth } = levels;
  const child = childOf({ def: def + 1, rep: rep + 1, slotDef: def + 1, depth: depth + 1 });
  return { kind: 'list', type: new List(new Field('item', child.type, true)), def, rep, slotDef, child };
}

/** The field without its own repetition. */
function contentOf(tree: SchemaTree, levels: Levels, where: string): ParquetNode {
  const { element, children, path } = tree;
  const { def, rep, slotDef } = levels;
  if (element.type !== undefined && children.length === 0) {
    const type = parquetType(element, path.join('.'), where);
    const leaf = { path, element, type, maxDef: def, maxRep: rep };
    return { kind: 'leaf', type, def, rep, slotDef, leaf };
  }
  const [only] = children;
  if (only === undefined) throw corrupt(where, `fields in '${path.join('.')}'`, 'a group without any');
  if (children.length === 1 && only.element.repetition_type === 'REPEATED') {
    if (isAnnotated(element, 'LIST')) return listNode(levels, (inner) => elementOf(element, only, inner, where));
    if (isAnnotated(element, 'MAP')) return listNode(levels, (inner) => contentOf(only, inner, where));
  }
  const inner = { ...levels, depth: levels.depth + 1 };
  const nodes = children.map((child) => nodeOf(child, inner, where));
  const fields = nodes.map(({ type }, at) => new Field(children[at]!.element.name, type, true));
  return { kind: 'struct', type: new Struct(fields), def, rep, slotDef, children: nodes };
}

/** The element of a list: what is repeated, or what that wraps (LogicalTypes.md, "Backward-compatibility rules"). */
function elementOf(list: SchemaElement, repeated: SchemaTree, levels: Levels, where: string): ParquetNode {
  const [only, ...more] = repeated.children;
  const { name } = repeated.element;
  const isElement =
    only === undefined ||
    more.length > 0 ||
    only.element.repetition_type === 'REPEATED' ||
    name === 'array' ||
    name === `${list.name}_tuple` ||
    isAnnotated(repeated.element, 'LIST') ||
    isAnnotated(repeated.element, 'MAP');
  return isElement ? contentOf(repeated, levels, where) : nodeOf(only, levels, where);
}

function isAnnotated({ converted_type: converted, logical_type: logical }: SchemaElement, as: 'LIST' | 'MAP'): boolean {
  return converted === as || logical?.type === as || (as === 'MAP' && converted === 'MAP_KEY_VALUE');
}
