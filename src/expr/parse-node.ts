import { listed, nearest } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { type FunctionName, functionNames } from './function-name.js';
import { type CallNode, type ExprNode, expressionDepthMax, type LiteralJson } from './node.js';

/**
 * The node that `raw`, parsed JSON, describes.
 *
 * @throws SpiralError `invalid_expression` for anything that is no node, and for an unknown function, with near names.
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
      return { kind: 'merge', of: parts(node['of'], depth) };
    case 'aux':
      return { kind: 'aux', name: text(node['name']), type: text(node['type']) };
    case 'literal': {
      const weak = node['weak'] === undefined ? {} : { weak: isTrue(node['weak']) };
      return { kind: 'literal', type: text(node['type']), value: json(node['value'], depth), ...weak };
    }
    case 'call':
      return call(node, depth);
    default:
      throw notNode(raw);
  }
}

function call(node: Readonly<Record<string, unknown>>, depth: number): CallNode {
  const fn = text(node['fn']);
  if (!functionNames.includes(fn as FunctionName)) throw unknownFunction(fn);
  const args = parts(node['args'], depth);
  const { options } = node;
  if (options === undefined) return { kind: 'call', fn: fn as FunctionName, args };
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw notNode(options);
  for (const value of Object.values(options)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) throw notNode(value);
  }
  return { kind: 'call', fn: fn as FunctionName, args, options: options as NonNullable<CallNode['options']> };
}

function unknownFunction(fn: string): SpiralError {
  const near = nearest(fn, functionNames);
  const hint = near.length > 0 ? ` Did you mean ${listed(near)}?` : '';
  return new SpiralError('invalid_expression', `Expressions have no function ${shown(fn)}.${hint}`, {
    details: { fn, near },
  });
}

function parts(raw: unknown, depth: number): ExprNode[] {
  return list(raw).map((part) => parseNode(part, depth + 1));
}

function isTrue(raw: unknown): true {
  if (raw === true) return true;
  throw notNode(raw);
}

function json(raw: unknown, depth: number): LiteralJson {
  if (raw === null || typeof raw === 'boolean' || typeof raw === 'string') return raw;
  if (typeof raw === 'number' && Number.isFinite(raw)) return raw;
  if (depth > expressionDepthMax || typeof raw !== 'object') throw notNode(raw);
  if (Array.isArray(raw)) return raw.map((item) => json(item, depth + 1));
  return Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, json(value, depth + 1)]));
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
