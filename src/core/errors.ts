import { type ErrorCode, kindOf } from './codes.js';

/** What to do next: mend the call, look elsewhere, try again, restore the file, and so on. */
export type ErrorKind =
  | 'invalid_argument'
  | 'not_found'
  | 'conflict'
  | 'corrupt'
  | 'unavailable'
  | 'denied'
  | 'unsupported'
  | 'cancelled'
  | 'limit'
  | 'internal';

/** Typed facts of one error: what was expected, what was found, and where (table, file, shard, row, column). */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * The one error this package throws on purpose.
 *
 * `kind` says what to do next, `code` which error it is (stable across releases), `details` hold the facts as data and
 * `cause` the error underneath. The text of `message` is for people and is not API.
 */
export class SpiralError extends Error {
  override readonly name = 'SpiralError';
  readonly kind: ErrorKind;
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = kindOf(code);
    this.details = options.details ?? {};
  }
}

/** Narrows `error` to a {@link SpiralError}, and to one of `codes` where any are given. */
export function isSpiralError(error: unknown, ...codes: string[]): error is SpiralError {
  return error instanceof SpiralError && (codes.length === 0 || codes.includes(error.code));
}

/** A value as it should stand in a message: short, quoted where it is text, never a whole buffer. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `a function (${value.name || 'anonymous'})`;
  if (value === null || typeof value !== 'object') return String(value);
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${value.byteLength} bytes`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Date) return `Date(${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()})`;
  const name = value.constructor?.name;
  return name === undefined || name === 'Object'
    ? `an object {${Object.keys(value).slice(0, 5).join(', ')}}`
    : `a ${name}`;
}
