import { Field, Schema, Struct } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import type { ExprNode } from '../expr/node.js';
import { nodeText } from '../expr/node-text.js';
import { type Column, type ColumnNode, nodeAt, pathText } from '../table/column.js';

/** A field of a scan's output: a stored column, or a struct of fields. */
export type OutputNode =
  | { readonly name: string; readonly column: Column }
  | { readonly name: string; readonly fields: readonly OutputNode[] };

/**
 * What `node` gives over a table's tree: a struct's fields.
 *
 * @throws SpiralError `unknown_column`; `invalid_expression` for a bare column, with the remedy, or twice the same name.
 */
export function bindProjection(node: ExprNode, tree: readonly ColumnNode[], where: string): OutputNode[] {
  const bound = bind(node, tree, where);
  if ('fields' in bound) return [...bound.fields];
  throw bareColumn(bound, where);
}

function bind(node: ExprNode, tree: readonly ColumnNode[], where: string): OutputNode {
  switch (node.kind) {
    case 'table':
      return { name: '', fields: tree };
    case 'field': {
      // A path is looked up whole, so that an error names it whole.
      const path = [node.name];
      let { of } = node;
      for (; of.kind === 'field'; of = of.of) path.unshift(of.name);
      return nodeAt(fieldsOf(bind(of, tree, where), path.join('.'), where) as ColumnNode[], path, where);
    }
    case 'select': {
      const of = bind(node.of, tree, where);
      const fields = fieldsOf(of, node.paths.join(', '), where);
      const paths = node.paths.map((path) => path.split('.'));
      for (const path of paths) nodeAt(fields as ColumnNode[], path, where);
      return { name: of.name, fields: node.exclude ? without(fields, paths) : only(fields, paths) };
    }
    case 'pack':
      return {
        name: '',
        fields: node.fields.map(([name, value]) => ({ ...bind(value, tree, where), name })),
      };
    case 'merge':
      return { name: '', fields: merged(node.of.map((part) => structOf(bind(part, tree, where), where))) };
    default:
      throw new SpiralError(
        'unsupported',
        `The expression ${nodeText(node)} is computed, and scans of ${where} read stored columns only.`,
        { details: { table: where, expression: nodeText(node) } },
      );
  }
}

function fieldsOf(node: OutputNode, wanted: string, where: string): readonly OutputNode[] {
  if ('fields' in node) return node.fields;
  throw new SpiralError(
    'invalid_expression',
    `Expected a struct with '${wanted}' in it, but '${node.name}' of ${where} is a column.`,
    { details: { table: where, column: node.name, wanted } },
  );
}

/** The fields of a part of a merge. */
function structOf(node: OutputNode, where: string): readonly OutputNode[] {
  if ('fields' in node) return node.fields;
  throw bareColumn(node, where);
}

function bareColumn(node: OutputNode & { readonly column: Column }, where: string): SpiralError {
  return new SpiralError(
    'invalid_expression',
    `Expected a projection of ${where} to be a struct, got the column '${node.name}'. Give it a name: ` +
      `{ ${node.name}: … }, or select it: table.select('${pathText(node.column.path)}').`,
    { details: { table: where, column: node.name } },
  );
}

/** The fields at `paths`, in the order in which `paths` first name them, within each struct as well. */
function only(fields: readonly OutputNode[], paths: readonly (readonly string[])[]): OutputNode[] {
  const names = [...new Set(paths.map(([name]) => name!))];
  return names.map((name) => {
    const node = fields.find((field) => field.name === name)!;
    const inner = paths.filter(([first]) => first === name).map((path) => path.slice(1));
    if ('column' in node || inner.some((path) => path.length === 0)) return node;
    return { name, fields: only(node.fields, inner) };
  });
}

function without(fields: readonly OutputNode[], paths: readonly (readonly string[])[]): OutputNode[] {
  const kept: OutputNode[] = [];
  for (const node of fields) {
    const inner = paths.filter(([first]) => first === node.name).map((path) => path.slice(1));
    if (inner.some((path) => path.length === 0)) continue;
    if ('column' in node || inner.length === 0) kept.push(node);
    else kept.push({ name: node.name, fields: without(node.fields, inner) });
  }
  return kept;
}

/** Structs put together: of two fields with one name the last wins, structs are merged in turn. */
function merged(structs: readonly (readonly OutputNode[])[]): OutputNode[] {
  const fields = new Map<string, OutputNode>();
  for (const node of structs.flat()) {
    const before = fields.get(node.name);
    const both = before !== undefined && 'fields' in before && 'fields' in node;
    fields.set(node.name, both ? { name: node.name, fields: merged([before.fields, node.fields]) } : node);
  }
  return [...fields.values()];
}

/** The columns of `outputs`, each once, in order. */
export function outputColumns(outputs: readonly OutputNode[]): Column[] {
  const found = new Map<number, Column>();
  const visit = (node: OutputNode): void => {
    if ('column' in node) found.set(node.column.id, node.column);
    else node.fields.forEach(visit);
  };
  outputs.forEach(visit);
  return [...found.values()];
}

/** The Arrow schema of `outputs`. */
export function outputSchema(outputs: readonly OutputNode[]): Schema {
  return new Schema(outputs.map(outputField));
}

/** The Arrow field of one output. Structs are never null; every column may be. */
export function outputField(node: OutputNode): Field {
  if ('fields' in node) return new Field(node.name, new Struct(node.fields.map(outputField)), false);
  return new Field(node.name, node.column.type, true);
}
