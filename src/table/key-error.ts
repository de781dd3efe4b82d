import type { DataType } from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';

/** A key value of the wrong JS type. */
export function mismatch(column: string, type: DataType, expected: string, found: unknown): SpiralError {
  return new SpiralError('type_mismatch', `${expectation(column, type, expected)}, got ${shown(found)}.`, {
    details: { column, type: String(type), expected, found },
  });
}

/** A key value that its column cannot hold without change. */
export function outOfRange(column: string, type: DataType, expected: string, found: unknown): SpiralError {
  return new SpiralError('value_out_of_range', `${expectation(column, type, expected)}, got ${shown(found)}.`, {
    details: { column, type: String(type), expected, found },
  });
}

function expectation(column: string, type: DataType, expected: string): string {
  return `Expected the value of key column '${column}' (${type}) to be ${expected}`;
}
