import { type Data, DataType, type Decimal } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { makeColumn } from '../arrow/build-data.js';
import { parseDecimal, writeUnscaled } from '../arrow/decimal.js';
import { float16Bits } from '../arrow/float16.js';
import { layoutOf, type ValueArray } from '../arrow/layout.js';
import { typeWords } from '../arrow/words.js';
import { SpiralError, shown } from '../core/errors.js';
import type { DataCast } from './cast.js';
import { unscaledReader } from './compare.js';
import { doublesOf, isWideData, numbersOf } from './number-view.js';
import { floatRank } from './promote.js';
import { validityOfBits } from './values.js';

/**
 * Casts among integers, floats and decimals. To a float: the nearest. To an integer: the nearest, halves to the even one. To a
 * decimal: the nearest with its scale, halves away from zero.
 */
export function castNumbers(from: DataType, to: DataType): DataCast {
  if (DataType.isDecimal(to)) return (data, valid, where) => toDecimals(data, to, valid, where);
  if (DataType.isFloat(to)) return (data, valid) => toFloats(from, data, to, valid);
  return (data, valid, where) => toInts(from, data, to, valid, where);
}

/** The error of a value that a type does not hold. */
export function uncastable(value: unknown, row: number, to: DataType, where: () => string): SpiralError {
  const words = typeWords(to);
  const text = where();
  return new SpiralError(
    'value_out_of_range',
    `Expected a value that ${words} holds, got ${shown(value)} at row ${row} of a batch in the expression ${text}. ` +
      'Filter such rows out, or cast to a wider type.',
    { details: { expression: text, row, type: words, found: value } },
  );
}

function toFloats(from: DataType, data: Data, to: DataType, valid: Uint8Array | undefined): Data {
  const doubles = DataType.isDecimal(from) ? decimalDoubles(data) : doublesOf(data);
  return makeColumn(to, data.length, validityOfBits(valid), { values: floatArray(doubles, to) });
}

/** Doubles as the values of a float type. */
export function floatArray(doubles: Float64Array, to: DataType): ValueArray {
  const rank = floatRank(to);
  if (rank === 2) return doubles;
  return rank === 1 ? new Float32Array(doubles) : Uint16Array.from(doubles, float16Bits);
}

function decimalDoubles(data: Data): Float64Array {
  const unscaled = unscaledReader(data);
  const { scale } = data.type as Decimal;
  return Float64Array.from({ length: data.length }, (_, row) => Number(`${unscaled(row)}e${-scale}`));
}

function toInts(from: DataType, data: Data, to: DataType, valid: Uint8Array | undefined, where: () => string): Data {
  const { bitWidth, isSigned } = to as DataType & { bitWidth: number; isSigned: boolean };
  const layout = layoutOf(to);
  if (layout.kind !== 'fixed') throw uncastable(null, 0, to, where);
  const values = new layout.array(new ArrayBuffer(data.length * layout.array.BYTES_PER_ELEMENT), 0, data.length);
  const isSound = (row: number): boolean => valid === undefined || bitAt(valid, row);
  if (bitWidth < 64 && !isWideData(data) && !DataType.isDecimal(from)) {
    const numbers = numbersOf(data);
    const [min, max] = isSigned ? [-(2 ** (bitWidth - 1)), 2 ** (bitWidth - 1) - 1] : [0, 2 ** bitWidth - 1];
    for (let row = 0; row < data.length; row++) {
      const value = nearestEven(numbers[row]!);
      if (!(value >= min && value <= max) && isSound(row)) throw uncastable(numbers[row], row, to, where);
      values[row] = value;
    }
  } else {
    const read = wholeReader(from, data);
    for (let row = 0; row < data.length; row++) {
      if (!isSound(row)) continue;
      const value = read(row);
      const held =
        value === undefined ? undefined : isSigned ? BigInt.asIntN(bitWidth, value) : BigInt.asUintN(bitWidth, value);
      if (held === undefined || held !== value) throw uncastable(value ?? numbersOf(data)[row], row, to, where);
      values[row] = bitWidth === 64 ? held : Number(held);
    }
  }
  return makeColumn(to, data.length, validityOfBits(valid), { values });
}

/** The nearest whole number, halves to the even one. */
export function nearestEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** Reads numbers of any kind as whole ones; undefined for NaN and what is infinite. */
function wholeReader(from: DataType, data: Data): (row: number) => bigint | undefined {
  if (DataType.isDecimal(from)) {
    const unscaled = unscaledReader(data);
    return (row) => rescaled(unscaled(row), -from.scale);
  }
  if (isWideData(data)) {
    const values = data.values as BigInt64Array;
    return (row) => values[row]!;
  }
  const numbers = numbersOf(data);
  return (row) => (Number.isFinite(numbers[row]!) ? BigInt(nearestEven(numbers[row]!)) : undefined);
}

/** `value` times ten to the power `by`, halves away from zero. */
export function rescaled(value: bigint, by: number): bigint {
  if (by >= 0) return value * 10n ** BigInt(by);
  const divisor = 10n ** BigInt(-by);
  const half = value < 0n ? -(divisor / 2n) : divisor / 2n;
  return (value + half) / divisor;
}

function toDecimals(data: Data, to: Decimal, valid: Uint8Array | undefined, where: () => string): Data {
  const { scale, precision, bitWidth } = to;
  const width = bitWidth / 32;
  const words = new Uint32Array(data.length * width);
  const read = decimalReader(data, scale);
  const limit = 10n ** BigInt(precision);
  for (let row = 0; row < data.length; row++) {
    if (valid !== undefined && !bitAt(valid, row)) continue;
    const value = read(row);
    if (value === undefined || value >= limit || value <= -limit) {
      throw uncastable(value === undefined ? numbersOf(data)[row] : value, row, to, where);
    }
    writeUnscaled(words, row * width, (row + 1) * width, value);
  }
  return makeColumn(to, data.length, validityOfBits(valid), { values: words });
}

/** Reads numbers of any kind as decimals of `scale`, unscaled. */
function decimalReader(data: Data, scale: number): (row: number) => bigint | undefined {
  if (DataType.isDecimal(data.type)) {
    const unscaled = unscaledReader(data);
    const by = scale - data.type.scale;
    return (row) => rescaled(unscaled(row), by);
  }
  if (isWideData(data)) {
    const values = data.values as BigInt64Array;
    return (row) => rescaled(values[row]!, scale);
  }
  const numbers = numbersOf(data);
  return (row) => {
    const value = numbers[row]!;
    if (!Number.isFinite(value)) return undefined;
    const text = String(value);
    const exact = parseDecimal(text, 400);
    return typeof exact === 'bigint' ? rescaled(exact, scale - 400) : undefined;
  };
}
