import { Data, DataType } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import type { BoundExpr } from './bound.js';
import { typeText } from './call-site.js';
import type { ExprNode } from './node.js';
import { nodeText } from './node-text.js';
import { unknownName } from './source-node.js';
import { columnValues, commonBits, dataOf, type Values } from './values.js';

/**
 * The field `name` of a struct, null where the struct is null.
 *
 * @throws SpiralError `unknown_column`, with near names; `invalid_expression` for what is no struct.
 */
export function getField(node: ExprNode, of: BoundExpr, name: string): BoundExpr {
  if (!DataType.isStruct(of.type)) {
    throw new SpiralError(
      'invalid_expression',
      `Expected a struct with '${name}' in it, got ${typeText(of.type)} from ${nodeText(of.node)}.`,
      { details: { expression: nodeText(of.node), wanted: name, found: typeText(of.type) } },
    );
  }
  const names = of.type.children.map((field) => field.name);
  const at = names.indexOf(name);
  if (at < 0) throw unknownName('field', names, name, nodeText(of.node));
  if (of.kind === 'struct') return of.parts[at]!;
  return { kind: 'get', node, of, at, type: of.type.children[at]!.type };
}

/** The values of field `at` of `struct`. */
export function fieldValues(struct: Values, at: number): Values {
  const data = dataOf(struct);
  const child = data.children[at]!;
  if (data.nullCount === 0) return columnValues(child, struct.constant);
  const bits = commonBits([columnValues(data), columnValues(child)], data.length);
  const buffers = [child.valueOffsets, child.values, aligned(bits!, child.offset)];
  const merged = new Data(
    child.type,
    child.offset,
    child.length,
    -1,
    buffers as never,
    child.children,
    child.dictionary,
  );
  return columnValues(merged, struct.constant);
}

/** A bitmap whose row 0 is bit `offset`. */
function aligned(bits: Uint8Array, offset: number): Uint8Array {
  if (offset === 0) return bits;
  const moved = new Uint8Array(bits.length + (offset >> 3) + 1);
  for (let at = 0; at < bits.length * 8; at++) {
    const to = at + offset;
    if (to >> 3 < moved.length) moved[to >> 3]! |= ((bits[at >> 3]! >> (at & 7)) & 1) << (to & 7);
  }
  return moved;
}
