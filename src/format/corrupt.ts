import { isSpiralError, SpiralError } from '../core/errors.js';

/**
 * A `corrupt_file` error with its place: names the file, what was expected and found, and the remedy; in its details the
 * column too where that is known.
 */
export function corrupt(where: string, expected: string, found: string, cause?: unknown, column?: string): SpiralError {
  return new SpiralError(
    'corrupt_file',
    `Expected ${where} to have ${expected}, found ${found}. The file is damaged: restore it from a copy, or write ` +
      'its rows again.',
    { details: { file: where, expected, found, ...(column === undefined ? {} : { column }) }, cause },
  );
}

/** What `work` gives; whatever it throws that is no SpiralError came of damaged metadata. */
export async function readable<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isSpiralError(error)) throw error;
    throw corrupt(where, 'readable metadata', 'damaged metadata', error);
  }
}

/** `error` with the file, place and column added where it is a `corrupt_file` error without them. */
export function placed(error: unknown, where: string, what: string, column?: string): unknown {
  if (!isSpiralError(error, 'corrupt_file') || error.details['file'] !== undefined) return error;
  return corrupt(where, `whole data in ${what}`, error.message, error, column);
}
