import { isSpiralError, SpiralError } from '../core/errors.js';

/** A `corrupt_file` error with its place: names the file, what was expected and found, and the remedy. */
export function corrupt(where: string, expected: string, found: string, cause?: unknown): SpiralError {
  return new SpiralError(
    'corrupt_file',
    `Expected ${where} to have ${expected}, found ${found}. The file is damaged: restore it from a copy, or drop the ` +
      'rows it holds by writing them again.',
    { details: { file: where, expected, found }, cause },
  );
}

/** `error` with the file and place added where it is a `corrupt_file` error without one. */
export function placed(error: unknown, where: string, what: string): unknown {
  if (!isSpiralError(error, 'corrupt_file') || error.details['file'] !== undefined) return error;
  return corrupt(where, `whole data in ${what}`, error.message, error);
}
