import { shown } from '../core/errors.js';
import { floatText } from './python-number.js';
import { RefusedValue } from './refused-value.js';

/** Nesting at which Python's own encoder gives up; a value that holds itself comes here too. */
const depthMax = 900;

/**
 * What Python's `json.dumps` makes of `value`: `", "` and `": "` between, ASCII alone, `NaN` and `Infinity` as such. Whole
 * numbers are ints, those beyond 2 ** 53 and −0 floats; bigints are ints of any size. Maps are objects. Keys with the value
 * undefined are left out. `sorted`: keys by code point, as with `sort_keys`.
 *
 * @throws RefusedValue for what is no JSON.
 */
export function jsonText(value: unknown, sorted = false, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return jsonString(value);
    case 'number':
      return jsonNumber(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'object':
      break;
    default:
      throw new RefusedValue('a value that JSON has', shown(value));
  }
  if (value === null) return 'null';
  if (depth === depthMax) {
    throw new RefusedValue('a value of fewer levels', `more than ${depthMax} levels, or one that holds itself`);
  }
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item: unknown) => jsonText(item, sorted, depth + 1)).join(', ')}]`;
  }
  const entries = entriesOf(value).filter(([, item]) => item !== undefined);
  if (sorted) entries.sort(([a], [b]) => compareCodePoints(a, b));
  return `{${entries.map(([key, item]) => `${jsonString(key)}: ${jsonText(item, sorted, depth + 1)}`).join(', ')}}`;
}

function entriesOf(value: object): [string, unknown][] {
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)];
    const odd = entries.find(([key]) => typeof key !== 'string');
    if (odd !== undefined) throw new RefusedValue('text as keys of a Map', shown(odd[0]));
    return entries as [string, unknown][];
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return Object.entries(value);
  throw new RefusedValue('plain objects, arrays, Maps, text, numbers, booleans and null', shown(value));
}

function jsonNumber(value: number): string {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
  if (Number.isFinite(value)) return floatText(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function jsonString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The order of Python's strings: by code point, where JavaScript's is by UTF-16 unit. */
export function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
