import { DataType, Schema, type Struct } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { type BindScope, bindExpr } from '../expr/bind.js';
import { type BoundExpr, type BoundStruct, effectsOf } from '../expr/bound.js';
import { getField } from '../expr/get-field.js';
import type { ExprNode } from '../expr/node.js';
import { nodeText } from '../expr/node-text.js';

/**
 * What `node` gives: a struct, the fields of which are a scan's columns.
 *
 * @param where names the table, for messages.
 * @throws SpiralError as `bindExpr`; `invalid_expression` for what is no struct, with the remedy; `unsupported` for an
 * effect that nothing computes.
 */
export function bindProjection(node: ExprNode, scope: BindScope, where: string): BoundStruct {
  // Several projections are merged: the one that is none is named by itself.
  if (node.kind === 'merge') for (const part of node.of) structOnly(bindExpr(part, scope), where);
  const bound = structOnly(bindExpr(node, scope), where);
  refuseEffects(bound, where);
  if (bound.kind === 'struct') return bound;
  const type = bound.type as Struct;
  const parts = type.children.map(({ name }) => getField({ kind: 'field', of: bound.node, name }, bound, name));
  return { kind: 'struct', node, type, parts };
}

function structOnly(bound: BoundExpr, where: string): BoundExpr {
  if (DataType.isStruct(bound.type)) return bound;
  throw bareColumn(bound, where);
}

/** Effects that nothing computes, and why. */
const refused: Readonly<Record<string, string>> = {
  'text.field': 'needs a text index, and there is none. Leave it out',
  'text.find': 'needs a text index, and there is none. Leave it out',
  'text.boost': 'needs a text index, and there is none. Leave it out',
};

/** @throws SpiralError `unsupported` where `bound` has an effect that nothing computes. */
export function refuseEffects(bound: BoundExpr, where: string): void {
  const effect = effectsOf(bound).find(({ node }) => refused[node.fn] !== undefined);
  if (effect === undefined) return;
  throw new SpiralError(
    'unsupported',
    `The expression ${nodeText(effect.node)} of a scan of ${where} ${refused[effect.node.fn]}.`,
    { details: { table: where, expression: nodeText(effect.node), fn: effect.node.fn } },
  );
}

function bareColumn({ node }: BoundExpr, where: string): SpiralError {
  const text = nodeText(node);
  const name = node.kind === 'field' ? node.name : 'value';
  const path = node.kind === 'field' ? pathOf(node) : undefined;
  const select = path === undefined ? '' : `, or select it: table.select('${path}')`;
  return new SpiralError(
    'invalid_expression',
    `Expected a projection of ${where} to be a struct, got ${path === undefined ? text : `the column '${name}'`}. Give it a ` +
      `name: { ${name}: … }${select}.`,
    { details: { table: where, column: name } },
  );
}

/** The path of a field of a table; undefined for a field of anything else. */
function pathOf(node: ExprNode): string | undefined {
  if (node.kind !== 'field') return undefined;
  if (node.of.kind === 'table') return node.name;
  const of = pathOf(node.of);
  return of === undefined ? undefined : `${of}.${node.name}`;
}

/** The Arrow schema of a scan's columns. */
export function outputSchema({ type }: BoundStruct): Schema {
  return new Schema(type.children);
}
