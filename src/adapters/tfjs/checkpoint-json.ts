import { SpiralError, shown } from '../../core/errors.js';

/** What JSON does not give back as it is, and where that lies: `.best`, `[3].seen`. */
interface Fault {
  readonly place: string;
  readonly found: string;
  readonly remedy?: string;
}

/** Far more than anybody writes, and far fewer than the stack has room for. */
const levelsMax = 200;

/**
 * Returns `value` if JSON gives all of it back: what it would leave out or change is lost the day it is needed. `name` is
 * how the caller calls it.
 *
 * @throws SpiralError `invalid_argument`, naming the place in `value`.
 */
export function wholeJson(name: string, value: unknown): unknown {
  const fault = faultIn(value, []);
  if (fault === undefined) return value;
  const { place, found, remedy = 'Give numbers, text, booleans, null, lists and plain objects of them.' } = fault;
  const where = name + place;
  throw new SpiralError('invalid_argument', `Expected \`${where}\` to be JSON, got ${found}. ${remedy}`, {
    details: { where, found },
  });
}

function faultIn(value: unknown, around: readonly object[]): Fault | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (typeof value !== 'object') return { place: '', found: shown(value) };
  if (around.includes(value)) return { place: '', found: 'an object that it lies in' };
  if (around.length === levelsMax) return { place: '', found: `more than ${levelsMax} levels` };
  const within = [...around, value];
  // Places are told from the inside out, so that a long list without a fault makes no text.
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      const fault = faultIn(item, within);
      if (fault !== undefined) return { ...fault, place: `[${at}]${fault.place}` };
    }
    return;
  }
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== null && proto !== Object.prototype) {
    return { place: '', found: shown(value), ...('stateDict' in value && { remedy: 'Give its `stateDict()`.' }) };
  }
  for (const [key, item] of Object.entries(value)) {
    // A field that may be left out, and is.
    const fault = item === undefined ? undefined : faultIn(item, within);
    if (fault !== undefined) return { ...fault, place: `.${key}${fault.place}` };
  }
  return;
}
