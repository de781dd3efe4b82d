import type { DataType } from 'apache-arrow';
import { mismatch, outOfRange } from './key-error.js';

/**
 * `value` as a number that a float column of `width` bytes can round without overflow.
 *
 * @throws SpiralError `type_mismatch` for anything but a number; `value_out_of_range` where a finite one would become infinite.
 */
export function doubleOf(value: unknown, type: DataType, width: 2 | 4 | 8, column: string): number {
  if (typeof value !== 'number') throw mismatch(column, type, 'a number', value);
  const kept = width === 8 ? value : width === 4 ? Math.fround(value) : halfValue(halfBits(value));
  if (Number.isFinite(value) && !Number.isFinite(kept)) {
    throw outOfRange(column, type, `a number that ${8 * width} bits can hold`, value);
  }
  return value;
}

/** The bits of the nearest IEEE 754 binary16, ties to even; above 65504 rounded, Infinity. */
export function halfBits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = size === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(size)));
  // Counted in steps of the last bit, a mantissa that rounds up carries into the exponent by plain addition.
  return sign | (((exponent + 14) << 10) + roundedToEven(size * 2 ** (10 - exponent)));
}

/** The number that binary16 `bits` stand for. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

function roundedToEven(value: number): number {
  const floor = Math.floor(value);
  const over = value - floor;
  return over > 0.5 || (over === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
