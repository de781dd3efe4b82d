import type { ErrorCode } from '../core/codes.js';

/** A value that a column cannot hold. Who knows the column and the row makes an error of it that names both. */
export class RefusedValue extends Error {
  readonly code: ErrorCode;
  readonly expected: string;
  readonly found: string;

  constructor(expected: string, found: string, code: ErrorCode = 'type_mismatch') {
    super(`Expected ${expected}, got ${found}.`);
    this.code = code;
    this.expected = expected;
    this.found = found;
  }
}
