import { SpiralError, shown } from '../core/errors.js';
import { type ExprNode, expressionDepthMax } from './node.js';

/**
 * The node that `raw`, parsed JSON, describes.
 *
 * @throws SpiralError `invalid_expression` for anything that is no node.
 */
export function parseNode(raw: unknown, depth = 0): ExprNode {
  const node = raw as Readonly<Record<string, unknown>>;
  if (typeof raw !== 'object' || raw === null || depth > expressionDepthMax) throw notNode(raw);
  switch (node['kind']) {
    case 'table':
      return { kind: 'table', table: text(node['table']) };
    case 'field':
      return { kind: 'field', of: parseNode(node['of'], depth + 1), name: text(node['name']) };
    case 'select': {
      const { exclude } = node;
      if (typeof exclude !== 'boolean') throw notNode(raw);
      return { kind: 'select', of: parseNode(node['of'], depth + 1), paths: list(node['paths']).map(text), exclude };
    }
    case 'pack':
      return {
        kind: 'pack',
        fields: list(node['fields']).map((field) => {
          const [name, value] = list(field);
          return [text(name), parseNode(value, depth + 1)] as const;
        }),
      };
    case 'merge':
      return { kind: 'merge', of: list(node['of']).map((part) => parseNode(part, depth + 1)) };
    default:
      throw notNode(raw);
  }
}

function text(raw: unknown): string {
  if (typeof raw === 'string') return raw;
  throw notNode(raw);
}

function list(raw: unknown): readonly unknown[] {
  if (Array.isArray(raw)) return raw;
  throw notNode(raw);
}

function notNode(raw: unknown): SpiralError {
  return new SpiralError('invalid_expression', `Expected the JSON of an expression, got ${shown(raw)}.`, {
    details: { found: shown(raw) },
  });
}
