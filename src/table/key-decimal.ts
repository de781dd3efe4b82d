import type { Decimal } from 'apache-arrow';
import { mismatch, outOfRange } from './key-error.js';

/** Exponents beyond which no decimal256 (77 digits) is in range, so that '1e999999999' costs nothing. */
const exponentMax = 1000;

/**
 * `value` times 10^scale, exactly.
 *
 * @throws SpiralError `type_mismatch` for anything but a string, number or bigint that reads as a decimal;
 * `value_out_of_range` where digits would be lost or exceed the precision.
 */
export function unscaled(value: unknown, type: Decimal, column: string): bigint {
  const text = typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
  const parts = /^([+-]?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text);
  if (parts === null) throw mismatch(column, type, "a decimal such as '12.50', a number or a bigint", value);
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts;
  const digits = BigInt(whole + fraction);
  if (digits === 0n) return 0n;
  const shift = Number(exponent) - fraction.length + type.scale;
  const expected = `a decimal of at most ${type.precision} digits, ${type.scale} of them after the point`;
  if (Math.abs(shift) > exponentMax + text.length) throw outOfRange(column, type, expected, value);
  const factor = 10n ** BigInt(Math.abs(shift));
  if (shift < 0 && digits % factor !== 0n) throw outOfRange(column, type, expected, value);
  const size = shift < 0 ? digits / factor : digits * factor;
  if (size >= 10n ** BigInt(type.precision)) throw outOfRange(column, type, expected, value);
  return sign === '-' ? -size : size;
}

/** An unscaled decimal as text with `scale` digits after the point. */
export function decimalText(whole: bigint, scale: number): string {
  if (scale <= 0) return String(whole * 10n ** BigInt(-scale));
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0');
  return `${whole < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
