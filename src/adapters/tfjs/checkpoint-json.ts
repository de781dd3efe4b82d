import { SpiralError, shown } from '../../core/errors.js';

/**
 * Returns `value` if JSON gives all of it back: what it would leave out or change is lost the day it is needed. `where` is
 * how the caller names it.
 *
 * @throws SpiralError `invalid_argument`, naming the place in `value`.
 */
export function wholeJson(where: string, value: unknown): unknown {
  check(where, value, []);
  return value;
}

function check(where: string, value: unknown, within: readonly object[]): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (typeof value !== 'object') throw noJson(where, shown(value));
  if (within.includes(value)) throw noJson(where, 'an object that it lies in');
  const around = [...within, value];
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) check(`${where}[${at}]`, item, around);
    return;
  }
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== null && proto !== Object.prototype) throw noJson(where, shown(value), remedyOf(value));
  for (const [key, item] of Object.entries(value)) {
    // A field that may be left out, and is.
    if (item !== undefined) check(`${where}.${key}`, item, around);
  }
}

function remedyOf(value: object): string | undefined {
  return 'stateDict' in value ? 'Give its `stateDict()`.' : undefined;
}

function noJson(
  where: string,
  found: string,
  remedy = 'Give numbers, text, booleans, null, lists and plain objects of them.',
): SpiralError {
  return new SpiralError('invalid_argument', `Expected \`${where}\` to be JSON, got ${found}. ${remedy}`, {
    details: { where, found },
  });
}
