import { type Data, DataType } from 'apache-arrow';
import { float16Value } from '../arrow/float16.js';
import { floatRank } from './promote.js';

/** Numbers as a kernel reads them. Two kinds and no more, so that its loops stay fast for both. */
export type NumberView = Int32Array | Float64Array;

/** The values of a column of integers below 64 bits, floats, bits of dates or times: as they are, or widened exactly. */
export function numbersOf(data: Data): NumberView {
  const { values, length, type } = data;
  if (values instanceof Int32Array || values instanceof Float64Array) return values.subarray(0, length);
  if (DataType.isFloat(type)) {
    if (floatRank(type) === 0) return Float64Array.from((values as Uint16Array).subarray(0, length), float16Value);
    return new Float64Array((values as Float32Array).subarray(0, length));
  }
  if (values instanceof Uint32Array) return new Float64Array(values.subarray(0, length));
  return new Int32Array((values as Int8Array).subarray(0, length));
}

/** As {@link numbersOf}, always as doubles; integers of 64 bits are rounded to the nearest. */
export function doublesOf(data: Data): Float64Array {
  if (isWideData(data)) return wideDoubles(data);
  const numbers = numbersOf(data);
  return numbers instanceof Float64Array ? numbers : new Float64Array(numbers);
}

/** Whether the values of `data` take 64 bits and are whole. */
export function isWideData(data: Data): boolean {
  return data.values instanceof BigInt64Array || data.values instanceof BigUint64Array;
}

/** Integers of 64 bits as halves: word `2 * row` is the low one of `row`, the next the high one. No bigint is made. */
export interface WideView {
  readonly low: Uint32Array;
  readonly high: Int32Array;
  readonly isSigned: boolean;
}

/** The values of a column of whole numbers as halves; those below 64 bits are widened. */
export function halvesOf(data: Data): WideView {
  if (isWideData(data)) {
    const values = data.values as BigInt64Array;
    return {
      low: new Uint32Array(values.buffer, values.byteOffset, data.length * 2),
      high: new Int32Array(values.buffer, values.byteOffset, data.length * 2),
      isSigned: values instanceof BigInt64Array,
    };
  }
  const numbers = numbersOf(data);
  const low = new Uint32Array(data.length * 2);
  const high = new Int32Array(low.buffer);
  for (let row = 0; row < data.length; row++) {
    const value = numbers[row]!;
    low[2 * row] = value;
    high[2 * row + 1] = value < 0 ? -1 : 0;
  }
  return { low, high, isSigned: true };
}

function wideDoubles(data: Data): Float64Array {
  const { low, high, isSigned } = halvesOf(data);
  const doubles = new Float64Array(data.length);
  for (let row = 0; row < doubles.length; row++) {
    const top = high[2 * row + 1]!;
    doubles[row] = (isSigned ? top : top >>> 0) * 4294967296 + low[2 * row]!;
  }
  return doubles;
}
