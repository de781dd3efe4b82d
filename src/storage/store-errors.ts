import { constants } from 'node:buffer';
import { wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';

/** The error of reading an object that is not there. */
export function notFound(uri: string, path: string, cause?: unknown): SpiralError {
  return new SpiralError(
    'not_found',
    `Expected an object at ${shown(path)} in ${uri}, found none. Check the path; if it was there before, it was deleted or vacuumed.`,
    { details: { uri, path }, cause },
  );
}

/** The error of an object that ends before the range that was asked of it. `found` is the bytes there were. */
export function truncated(uri: string, path: string, offset: number, expected: number, found: number): SpiralError {
  return new SpiralError(
    'corrupt_file',
    `Expected ${expected} bytes at offset ${offset} of ${shown(path)} in ${uri}, found ${found}: the object is truncated. Restore it from a copy, or write it again.`,
    { details: { reason: 'truncated', uri, path, offset, expected, found } },
  );
}

/** The error of an object that is another version than the one that is being read. */
export function versionChanged(uri: string, path: string): SpiralError {
  return new SpiralError(
    'file_changed',
    `Expected ${shown(path)} in ${uri} to stay as it was when it was opened, found that it was replaced. Open it again, and start anew.`,
    { details: { uri, path } },
  );
}

/** The error of using a store after its `close()`. */
export function storeClosed(uri: string): SpiralError {
  return new SpiralError(
    'closed',
    `The store ${uri} is closed, as is the client that opened it. Make another client.`,
    { details: { uri } },
  );
}

/**
 * Checks the numbers of a range read.
 *
 * @throws SpiralError `invalid_size` for the numbers, `invalid_argument` where `into` is shorter than `length`.
 */
export function checkRange(offset: number, length: number, into: Uint8Array | undefined): void {
  wholeNumber('offset', offset, { unit: 'bytes' });
  wholeNumber('length', length, { max: constants.MAX_LENGTH, unit: 'bytes' });
  if (into === undefined || into.byteLength >= length) return;
  throw new SpiralError(
    'invalid_argument',
    `Expected \`into\` to hold at least the ${length} bytes asked for, got ${shown(into)}.`,
    { details: { length, found: into.byteLength } },
  );
}

/** Checks the length of a tail read. @throws SpiralError `invalid_size`. */
export function checkTail(length: number): void {
  wholeNumber('length', length, { min: 1, max: constants.MAX_LENGTH, unit: 'bytes' });
}

/** Checks that an object fits one buffer. @throws SpiralError `limit_exceeded`, naming `getRange`. */
export function checkWhole(uri: string, path: string, size: number): void {
  if (size <= constants.MAX_LENGTH) return;
  throw new SpiralError(
    'limit_exceeded',
    `Expected ${shown(path)} in ${uri} to have at most ${constants.MAX_LENGTH} bytes, which is what one buffer holds, found ${size}. Read it in parts with getRange.`,
    { details: { uri, path, size, max: constants.MAX_LENGTH } },
  );
}
