import type { Decimal } from 'apache-arrow';
import { parseDecimal } from '../arrow/decimal.js';
import { mismatch, outOfRange } from './key-error.js';

/**
 * `value` times 10^scale, exactly.
 *
 * @throws SpiralError `type_mismatch` for anything but a string, number or bigint that reads as a decimal;
 * `value_out_of_range` where digits would be lost or exceed the precision.
 */
export function unscaled(value: unknown, type: Decimal, column: string): bigint {
  const text = typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
  const whole = parseDecimal(text, type.scale);
  if (whole === 'malformed') throw mismatch(column, type, "a decimal such as '12.50', a number or a bigint", value);
  const most = 10n ** BigInt(type.precision);
  if (whole === 'inexact' || whole >= most || whole <= -most) {
    const expected = `a decimal of at most ${type.precision} digits, ${type.scale} of them after the point`;
    throw outOfRange(column, type, expected, value);
  }
  return whole;
}
