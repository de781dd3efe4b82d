import type { DataType } from 'apache-arrow';
import { float16Bits, float16Value } from '../arrow/float16.js';
import { mismatch, outOfRange } from './key-error.js';

/**
 * `value` as a number that a float column of `width` bytes can round without overflow.
 *
 * @throws SpiralError `type_mismatch` for anything but a number; `value_out_of_range` where a finite one would become infinite.
 */
export function doubleOf(value: unknown, type: DataType, width: 2 | 4 | 8, column: string): number {
  if (typeof value !== 'number') throw mismatch(column, type, 'a number', value);
  const kept = width === 8 ? value : width === 4 ? Math.fround(value) : float16Value(float16Bits(value));
  if (Number.isFinite(value) && !Number.isFinite(kept)) {
    throw outOfRange(column, type, `a number that ${8 * width} bits can hold`, value);
  }
  return value;
}
