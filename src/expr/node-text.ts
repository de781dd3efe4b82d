import type { CallNode, ExprNode, LiteralJson, LiteralNode } from './node.js';

/** Functions that people write between their arguments. */
const infix: Readonly<Record<string, string>> = {
  and: 'and',
  or: 'or',
  xor: 'xor',
  eq: '=',
  neq: '!=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  add: '+',
  subtract: '-',
  multiply: '*',
  divide: '/',
  modulo: '%',
};
const shownMax = 60;
/** Milliseconds since the epoch that a Date goes to, either way. */
const dateMax = 8.64e15;

/** The expression as people write it: `table(t1).a > 3 and not is_null(table(t1).b)`. */
export function nodeText(node: ExprNode): string {
  switch (node.kind) {
    case 'table':
      return `table(${node.table})`;
    case 'field':
      return `${operand(node.of)}.${node.name.replace('\0', 'key ')}`;
    case 'select':
      return `${operand(node.of)}[${node.exclude ? 'all but ' : ''}${node.paths.join(', ')}]`;
    case 'pack':
      return `{ ${node.fields.map(([name, value]) => `${name}: ${nodeText(value)}`).join(', ')} }`;
    case 'merge':
      return `merge(${node.of.map(nodeText).join(', ')})`;
    case 'aux':
      return `aux(${node.name}: ${node.type})`;
    case 'literal':
      return literalText(node);
    case 'call':
      return callText(node);
  }
}

function callText(node: CallNode): string {
  const sign = infix[node.fn];
  if (sign !== undefined && node.args.length > 1) return node.args.map(operand).join(` ${sign} `);
  const options = Object.entries(node.options ?? {}).map(([name, value]) => `${name}: ${value}`);
  return `${node.fn}(${[...node.args.map(nodeText), ...options].join(', ')})`;
}

/** An expression inside another: in brackets where signs would run together. */
function operand(node: ExprNode): string {
  const isInfix = node.kind === 'call' && infix[node.fn] !== undefined && node.args.length > 1;
  return isInfix ? `(${nodeText(node)})` : nodeText(node);
}

function literalText({ type, value, weak }: LiteralNode): string {
  if (weak && type === 'timestamp[ms, UTC]' && Math.abs(Number(value)) <= dateMax)
    return new Date(Number(value)).toISOString();
  const text = jsonText(value, type);
  return weak ? text : `${type} ${text}`;
}

function jsonText(value: LiteralJson, type: string): string {
  if (typeof value === 'string' && type !== 'utf8') return value.slice(0, shownMax);
  const text = JSON.stringify(value);
  return text.length > shownMax ? `${text.slice(0, shownMax - 3)}...` : text;
}
