import { type CallNode, type ExprNode, partsOf } from './node.js';

const outward: ReadonlySet<string> = new Set(['udf', 'http.get', 's3.get', 'file.get']);

/** A function within `node` that runs code of others, or reads what no column holds; undefined where there is none. */
export function outwardCall(node: ExprNode): CallNode | undefined {
  if (node.kind === 'call' && outward.has(node.fn)) return node;
  for (const part of partsOf(node)) {
    const found = outwardCall(part);
    if (found !== undefined) return found;
  }
  return undefined;
}
