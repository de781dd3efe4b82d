import { SpiralError } from '../core/errors.js';
import { type ExprLike, toNode } from '../expr/expr.js';
import type { ExprNode } from '../expr/node.js';

/** `projections`, at least one, put together. @throws SpiralError `invalid_expression`. */
export function projectionNode(projections: ExprLike | readonly ExprLike[]): ExprNode {
  const list = Array.isArray(projections) ? projections : [projections as ExprLike];
  if (list.length === 0) throw new SpiralError('invalid_expression', 'Expected at least one projection, got none.');
  return list.length === 1 ? toNode(list[0]!) : { kind: 'merge', of: list.map((like: ExprLike) => toNode(like)) };
}
