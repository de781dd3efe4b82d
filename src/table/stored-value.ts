import { SpiralError, shown } from '../core/errors.js';
import { nestingMax } from '../core/limits.js';

/** Reads of what a file held, once decoded: each gives the value as the type it must be, or says what it was instead. */

/** The error of metadata that cannot be trusted; whoever reads the file adds its name. */
export function untrusted(what: string, expected: string, found: unknown): SpiralError {
  return new SpiralError('corrupt_log', `Expected ${what} to be ${expected}, found ${shown(found)}.`, {
    details: { what, expected, found: shown(found) },
  });
}

export function storedObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw untrusted(what, 'an object', value);
}

export function storedList(value: unknown, what: string, least = 0): readonly unknown[] {
  if (Array.isArray(value) && value.length >= least) return value;
  throw untrusted(what, `a list of ${least} or more`, value);
}

export function storedText(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw untrusted(what, 'text', value);
}

/** The path of a column: of as many parts as types may be nested. */
export function storedPath(value: unknown): string[] {
  const path = storedList(value, "a column's path", 1);
  if (path.length > pathPartsMax) throw untrusted("a column's path", `${pathPartsMax} parts at most`, path);
  return path.map((name) => storedText(name, "a part of a column's path"));
}

/** A leaf below as many structs as there may be. */
const pathPartsMax: number = nestingMax + 1;

export function storedWhole(value: unknown, what: string, min = 0, max: number = Number.MAX_SAFE_INTEGER): number {
  const whole = typeof value === 'bigint' ? Number(value) : value;
  if (typeof whole === 'number' && Number.isSafeInteger(whole) && whole >= min && whole <= max) return whole;
  throw untrusted(what, `a whole number from ${min} to ${max}`, value);
}

/** Bytes, as a copy: a decoder's views keep the whole file in memory. */
export function storedBytes(value: unknown, what: string): Uint8Array {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw untrusted(what, 'bytes', value);
}

/** What `text` holds as JSON. */
export function storedJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw untrusted(what, 'JSON', text);
  }
}
