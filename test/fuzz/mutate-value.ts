import type { RandomStream } from '../../src/core/random.js';
import { mutateBytes, pick } from './mutate-bytes.js';
import { mutateText } from './mutate-text.js';

/** A value of JSON, or of msgpack: bigint and bytes are such too. */
export type Plain = null | boolean | number | bigint | string | Uint8Array | Plain[] | { [name: string]: Plain };

const numbers: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e-320,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
];
const names: readonly string[] = ['__proto__', 'constructor', 'length', 'toString', 'kind', 'version', 'then', ''];

/** One place in a value. */
interface Node {
  readonly holder: Plain[] | { [name: string]: Plain };
  readonly name: string | number;
}

/**
 * `value` with one to three of its nodes changed: replaced, left out, doubled, swapped, nudged, renamed. Values of `other`
 * may stand in it.
 */
export function mutateValue(value: Plain, draw: RandomStream, other: Plain = value): Plain {
  const root = [structuredClone(value)];
  const count = 1 + [0, 0, 0, 1, 2][draw.below(5)]!;
  for (let at = 0; at < count; at++) change(root, draw, other);
  return root[0] ?? null;
}

function change(root: Plain[], draw: RandomStream, other: Plain): void {
  const node = pick(nodesOf(root), draw);
  const before = valueAt(node);
  const kind = draw.below(9);
  if (kind < 2) put(node, oddValue(draw));
  else if (kind < 4) put(node, nudged(before, draw));
  else if (kind === 4) put(node, structuredClone(valueAt(pick(nodesOf([structuredClone(other)]), draw))));
  else if (kind === 5) {
    const twin = pick(nodesOf(root), draw);
    const held = structuredClone(valueAt(twin));
    put(twin, structuredClone(before));
    put(node, held);
  } else if (kind === 6) drop(node);
  else if (kind === 7) double(node, before, draw);
  else rename(node, before, draw);
}

/** Every node below `root`, itself not. Leaves stand once, and so most often. */
function nodesOf(root: Plain[]): Node[] {
  const nodes: Node[] = [];
  const visit = (holder: Plain): void => {
    if (Array.isArray(holder)) {
      for (const [name, value] of holder.entries()) {
        nodes.push({ holder, name });
        visit(value);
      }
    } else if (isRecord(holder)) {
      for (const name of Object.keys(holder)) {
        nodes.push({ holder, name });
        visit(holder[name]!);
      }
    }
  };
  if (root.length === 0) root.push(null);
  visit(root);
  return nodes;
}

function isRecord(value: Plain): value is { [name: string]: Plain } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function valueAt({ holder, name }: Node): Plain {
  return (holder as { [name: string]: Plain })[name] ?? null;
}

/** An own property whatever its name. */
function put({ holder, name }: Node, value: Plain): void {
  Object.defineProperty(holder, name, { value, writable: true, enumerable: true, configurable: true });
}

function drop({ holder, name }: Node): void {
  if (Array.isArray(holder)) holder.splice(name as number, 1);
  else delete holder[name as string];
}

function double({ holder, name }: Node, value: Plain, draw: RandomStream): void {
  const times = pick([1, 1, 1, 300], draw);
  if (Array.isArray(holder)) {
    holder.splice(name as number, 0, ...Array.from({ length: times }, () => structuredClone(value)));
  } else put({ holder, name: pick([...names, `${name}2`], draw) }, structuredClone(value));
}

function rename(node: Node, value: Plain, draw: RandomStream): void {
  if (Array.isArray(node.holder)) put(node, [value]);
  else {
    drop(node);
    put({ holder: node.holder, name: pick([...names, mutateText(String(node.name), draw)], draw) }, value);
  }
}

function oddValue(draw: RandomStream): Plain {
  switch (draw.below(10)) {
    case 0:
      return null;
    case 1:
      return draw.below(2) === 0;
    case 2:
      return [];
    case 3:
      return {};
    case 4:
      return pick(['', '0', '-1', 'a'.repeat(5000), '\ud800', '../x', '\u0000', '1e999'], draw);
    case 5:
      return deep(pick([3, 70, 500], draw), draw);
    case 6:
      return Array.from({ length: pick([1, 5, 3000], draw) }, () => pick(numbers, draw));
    default:
      return pick(numbers, draw);
  }
}

function deep(depth: number, draw: RandomStream): Plain {
  const asArray = draw.below(2) === 0;
  let value: Plain = 1;
  for (let at = 0; at < depth; at++) value = asArray ? [value] : { a: value };
  return value;
}

function nudged(value: Plain, draw: RandomStream): Plain {
  if (typeof value === 'number') {
    return pick([value + 1, value - 1, -value, value * 2, value + 0.5, value * 1e9, String(value)], draw);
  }
  if (typeof value === 'bigint') return pick([value + 1n, -value, value << 40n, Number(value)], draw);
  if (typeof value === 'string') return mutateText(value, draw);
  if (typeof value === 'boolean') return !value;
  if (value instanceof Uint8Array) return mutateBytes(value, draw);
  if (Array.isArray(value)) return pick([value.slice().reverse(), value.slice(1), [...value, ...value]], draw);
  return oddValue(draw);
}
