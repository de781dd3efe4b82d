import { SpiralError, shown } from './errors.js';

/**
 * Returns `value` if it is a whole number in `[min, max]`.
 *
 * @throws SpiralError `invalid_size`, naming the option, the range and what was found.
 */
export function wholeNumber(
  name: string,
  value: unknown,
  range: { min?: number; max?: number; unit?: string } = {},
): number {
  const min = range.min ?? 0;
  const max = range.max ?? Number.MAX_SAFE_INTEGER;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  const upper = max === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${max}`;
  const unit = range.unit === undefined ? '' : ` (${range.unit})`;
  throw new SpiralError(
    'invalid_size',
    `Expected \`${name}\` to be a whole number of at least ${min}${upper}${unit}, got ${shown(value)}.`,
    { details: { name, min, max, found: value } },
  );
}

/**
 * Returns `value` if it is one of `allowed`.
 *
 * @throws SpiralError `invalid_argument`, listing the words that are allowed.
 */
export function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw new SpiralError(
    'invalid_argument',
    `Expected \`${name}\` to be one of ${allowed.map((word) => `'${word}'`).join(', ')}, got ${shown(value)}.`,
    { details: { name, allowed, found: value } },
  );
}

/**
 * Returns `value` if it has `methods`, as `what` has.
 *
 * @throws SpiralError `invalid_argument`, naming what was found.
 */
export function withMethods<T>(name: string, value: T, methods: readonly PropertyKey[], what: string): T {
  const members = value as Readonly<Record<PropertyKey, unknown>> | null | undefined;
  if (methods.every((method) => typeof members?.[method] === 'function')) return value;
  throw new SpiralError('invalid_argument', `Expected \`${name}\` to be ${what}, got ${shown(value)}.`, {
    details: { name, methods: methods.map(String), found: value },
  });
}

/**
 * Returns `options` if they are an object that may have options: a number, a list or what was not awaited would pass in
 * silence in their place.
 *
 * @throws SpiralError `invalid_argument`, naming what was found.
 */
export function optionsObject<T extends object>(where: string, options: T): T {
  const isObject = typeof options === 'object' && options !== null;
  if (isObject && !Array.isArray(options) && !(options instanceof Promise)) return options;
  throw new SpiralError('invalid_argument', `${where} takes an object of options, got ${shown(options)}.`, {
    details: { where, found: options },
  });
}

/**
 * Refuses what is no options object, one with a key that is not in `known`, so that a misspelt option never passes in
 * silence, and one whose `signal` is none: a controller in its place would never be heard.
 *
 * @throws SpiralError `invalid_argument`, naming the nearest known option.
 */
export function knownOptions(where: string, options: object, known: readonly string[]): void {
  optionsObject(where, options);
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const hint = near.length > 0 ? ` Did you mean ${listed(near)}?` : '';
    throw new SpiralError('invalid_argument', `${where} has no option \`${key}\`.${hint}`, {
      details: { where, option: key, near },
    });
  }
  signalOption(where, (options as { readonly signal?: unknown }).signal);
}

/**
 * Returns the option `signal` if it is a signal, or left out.
 *
 * @throws SpiralError `invalid_argument`, naming what was found.
 */
export function signalOption(where: string, signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  const remedy = signal instanceof AbortController ? ' Give its `signal`.' : '';
  throw new SpiralError(
    'invalid_argument',
    `Expected \`signal\` of ${where} to be an AbortSignal, got ${shown(signal)}.${remedy}`,
    { details: { where, option: 'signal', found: signal } },
  );
}

/** The names closest to `wanted` by edit distance, best first; empty where none is near. */
export function nearest(wanted: string, names: Iterable<string>, most = 3): string[] {
  const reach = Math.max(2, Math.floor(wanted.length / 3));
  const found: { name: string; distance: number }[] = [];
  for (const name of names) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase(), reach);
    if (distance <= reach) found.push({ name, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, most).map((entry) => entry.name);
}

/** Names as prose: `'a'`, `'a' or 'b'`, `'a', 'b' or 'c'`. */
export function listed(names: readonly string[], joint = 'or'): string {
  const quoted = names.map((name) => `'${name}'`);
  if (quoted.length < 2) return quoted.join('');
  return `${quoted.slice(0, -1).join(', ')} ${joint} ${quoted.at(-1)}`;
}

function editDistance(a: string, b: string, reach: number): number {
  if (Math.abs(a.length - b.length) > reach) return reach + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(change, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
