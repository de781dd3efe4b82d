import type { Bool, Data, DataType, Decimal, Duration, Float, Int, Time } from 'apache-arrow';
import { type ColumnParts, makeColumn, mismatch, outOfRange, type Place, validityOf } from './build-data.js';
import { parseDecimal, writeUnscaled } from './decimal.js';
import { float16Bits } from './float16.js';

type Values = ArrayLike<unknown>;
type SmallInts = Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array;

/** int8 to uint64, time32 and time64, duration: whole numbers (number or bigint) in the type's own unit. */
export function buildInts(type: Int | Time | Duration, values: Values, length: number, place: Place): Data {
  const array = new (type.ArrayType as new (length: number) => SmallInts | BigInt64Array | BigUint64Array)(length);
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) fillBigInts(array, type, values, place);
  else fillSmallInts(array, type, values, place);
  return makeColumn(type, length, validityOf(values, length), { values: array });
}

function fillSmallInts(array: SmallInts, type: DataType, values: Values, place: Place): void {
  for (let row = 0; row < array.length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    if (typeof value !== 'number' && typeof value !== 'bigint') {
      throw mismatch(place, row, type, 'a whole number', value);
    }
    // A typed array keeps exactly the numbers it can hold: what reads back equal was in range.
    const number = Number(value);
    array[row] = number;
    if (array[row] !== number) throw outOfRange(place, row, type, 'a whole number in range', value);
  }
}

function fillBigInts(array: BigInt64Array | BigUint64Array, type: DataType, values: Values, place: Place): void {
  for (let row = 0; row < array.length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    let exact: bigint;
    if (typeof value === 'bigint') exact = value;
    else if (typeof value !== 'number') throw mismatch(place, row, type, 'a bigint or a whole number', value);
    else if (Number.isSafeInteger(value)) exact = BigInt(value);
    else throw outOfRange(place, row, type, 'a whole number up to 2^53 - 1', value, 'Give larger ones as bigint.');
    array[row] = exact;
    if (array[row] !== exact) throw outOfRange(place, row, type, 'a whole number in range', value);
  }
}

/** float16, float32, float64: numbers, rounded to the nearest; one too large to stay finite is refused. */
export function buildFloats(type: Float, values: Values, length: number, place: Place): Data {
  const parts: ColumnParts = { values: floats(type, values, length, place) };
  return makeColumn(type, length, validityOf(values, length), parts);
}

function floats(type: Float, values: Values, length: number, place: Place): Uint16Array | Float32Array | Float64Array {
  const isHalf = type.precision === 0;
  const array = isHalf ? new Uint16Array(length) : new (type.precision === 1 ? Float32Array : Float64Array)(length);
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (typeof value === 'number') {
      array[row] = isHalf ? float16Bits(value) : value;
      const overflowed = isHalf ? (array[row]! & 0x7fff) === 0x7c00 : !Number.isFinite(array[row]);
      if (overflowed && Number.isFinite(value)) throw outOfRange(place, row, type, 'a number in range', value);
    } else if (value !== null && value !== undefined) {
      const remedy = typeof value === 'bigint' ? 'Convert it with Number().' : '';
      throw mismatch(place, row, type, 'a number', value, remedy);
    }
  }
  return array;
}

/** bool: true and false, nothing that is merely truthy. */
export function buildBools(type: Bool, values: Values, length: number, place: Place): Data {
  const bits = new Uint8Array(((length + 63) >> 6) << 3);
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === true) bits[row >> 3]! |= 1 << (row & 7);
    else if (value !== false && value !== null && value !== undefined) {
      throw mismatch(place, row, type, 'true or false', value);
    }
  }
  return makeColumn(type, length, validityOf(values, length), { values: bits });
}

/**
 * decimal128 and decimal256: a string (`'-12.50'`, `'1e3'`), a bigint (the number itself, not its unscaled form) or a
 * number (the decimal it prints as). Digits beyond the scale are refused, never rounded.
 */
export function buildDecimals(type: Decimal, values: Values, length: number, place: Place): Data {
  const words = type.bitWidth / 32;
  const array = new Uint32Array(length * words);
  const end = 10n ** BigInt(type.precision);
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    const isDecimal = typeof value === 'string' || typeof value === 'bigint' || typeof value === 'number';
    const unscaled = isDecimal ? parseDecimal(String(value), type.scale) : 'malformed';
    if (unscaled === 'malformed') {
      throw mismatch(place, row, type, "a decimal such as '12.50', a bigint or a finite number", value);
    }
    if (unscaled === 'inexact' || unscaled >= end || unscaled <= -end) {
      const expected = `at most ${type.precision} digits, ${type.scale} of them after the point,`;
      throw outOfRange(place, row, type, expected, value, 'Round it first.');
    }
    writeUnscaled(array, row * words, (row + 1) * words, unscaled);
  }
  return makeColumn(type, length, validityOf(values, length), { values: array });
}
