import { SpiralError, shown } from '../../core/errors.js';

/** A `newline` or `separator` that was given, or `'\n'`. @throws SpiralError `invalid_argument`. */
export function lineEnd(name: string, value: unknown = '\n'): string {
  if (typeof value === 'string' && value !== '' && !/\p{Surrogate}/u.test(value)) return value;
  throw new SpiralError('invalid_argument', `Expected \`${name}\` to be text that is not empty, got ${shown(value)}.`, {
    details: { name, found: shown(value) },
  });
}
