import { DataType, DateUnit, TimeUnit } from 'apache-arrow';
import { formatDecimal } from '../arrow/decimal.js';
import { unscaled } from './key-decimal.js';
import { mismatch, outOfRange } from './key-error.js';

/** Milliseconds from the epoch that a Date can hold, either way. */
const dateMsMax = 8_640_000_000_000_000n;

/**
 * The integer that stands for `value` in a column of integers, dates, times, timestamps, durations or decimals.
 *
 * @throws SpiralError `type_mismatch` or `value_out_of_range`, naming the column.
 */
export function wholeOf(
  value: unknown,
  type: DataType,
  form: { readonly width: number; readonly signed: boolean },
  column: string,
): bigint {
  const whole = DataType.isDecimal(type)
    ? unscaled(value, type, column)
    : isInstant(type)
      ? instantOf(value, type, column)
      : integerOf(value, type, column);
  const bits = BigInt(8 * form.width);
  const min = form.signed ? -(1n << (bits - 1n)) : 0n;
  const max = form.signed ? (1n << (bits - 1n)) - 1n : (1n << bits) - 1n;
  if (whole < min || whole > max) throw outOfRange(column, type, `between ${min} and ${max}`, value);
  return whole;
}

/** The JS value of the integer that a column of `type` holds; `wholeOf` takes it back. */
export function wholeValue(whole: bigint, type: DataType): unknown {
  if (DataType.isDecimal(type)) return formatDecimal(whole, type.scale);
  if (isInstant(type)) return instantValue(whole, type);
  const narrow = (DataType.isInt(type) || DataType.isTime(type)) && type.bitWidth < 64;
  return narrow ? Number(whole) : whole;
}

function isInstant(type: DataType): boolean {
  return DataType.isDate(type) || DataType.isTimestamp(type);
}

function integerOf(value: unknown, type: DataType, column: string): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'number') throw mismatch(column, type, 'a whole number or a bigint', value);
  if (!Number.isSafeInteger(value)) {
    throw outOfRange(column, type, 'a whole number of at most 2^53 - 1 (a bigint above it)', value);
  }
  return BigInt(value);
}

function instantOf(value: unknown, type: DataType, column: string): bigint {
  if (typeof value === 'bigint') return value;
  const ms = value instanceof Date ? value.getTime() : value;
  if (typeof ms !== 'number') throw mismatch(column, type, 'a Date, a number of ms or a bigint of its unit', value);
  if (!Number.isSafeInteger(ms)) throw outOfRange(column, type, 'a valid Date or a whole number of ms', value);
  const { multiply, divide } = scaleOf(type);
  const units = BigInt(ms) * multiply;
  if (units % divide !== 0n) throw outOfRange(column, type, `a multiple of ${divide} ms`, value);
  return units / divide;
}

function instantValue(whole: bigint, type: DataType): Date | bigint {
  const { multiply, divide } = scaleOf(type);
  const ms = whole * divide;
  return multiply !== 1n || ms > dateMsMax || ms < -dateMsMax ? whole : new Date(Number(ms));
}

/** Units of a date or timestamp: one is `divide / multiply` ms. */
function scaleOf(type: DataType): { multiply: bigint; divide: bigint } {
  if (DataType.isDate(type)) return { multiply: 1n, divide: type.unit === DateUnit.DAY ? 86_400_000n : 1n };
  if (!DataType.isTimestamp(type) || type.unit === TimeUnit.MILLISECOND) return { multiply: 1n, divide: 1n };
  if (type.unit === TimeUnit.SECOND) return { multiply: 1n, divide: 1000n };
  return { multiply: type.unit === TimeUnit.MICROSECOND ? 1000n : 1_000_000n, divide: 1n };
}
