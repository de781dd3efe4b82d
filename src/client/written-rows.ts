import { isStructLike } from '../arrow/infer.js';
import type { RowsLike } from '../arrow/rows-like.js';
import { Expr, type ExprLike, toNode } from '../expr/expr.js';
import type { ExprNode } from '../expr/node.js';
import { Scan } from './scan.js';

/** What may be written: rows in any form, a scan's rows, or the struct that an expression gives. */
export type Writable = RowsLike | Scan | ExprLike;

/** `data` as rows; a scan and an expression are read as they are written. */
export async function writtenRows(
  data: Writable,
  scan: (projection: ExprNode) => Promise<Scan>,
  signal: AbortSignal,
): Promise<RowsLike> {
  if (data instanceof Scan) return data.toRecordBatches({ signal });
  if (!isExpression(data)) return data as RowsLike;
  return (await scan(toNode(data))).toRecordBatches({ signal });
}

/** Whether `data` is an expression or a dict with one in it. */
function isExpression(data: unknown): data is ExprLike {
  if (data instanceof Expr) return true;
  return isStructLike(data) && Object.values(data).some((value) => value instanceof Expr);
}
