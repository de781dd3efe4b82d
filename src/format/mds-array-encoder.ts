import { float16Bits } from '../arrow/float16.js';
import { shown } from '../core/errors.js';
import { type MdsNumber, mdsNumbers } from './mds-encoding.js';
import type { ValueEncoder } from './mds-number-encoder.js';
import { RefusedValue } from './refused-value.js';

/** An n-dimensional array, row by row, as a column of `ndarray` takes it. */
export interface NdArray {
  /** Sides, outermost first: at least one, none of them 0. */
  readonly shape: ArrayLike<number>;
  /** The values: a typed array of the dtype, or their bytes, little-endian. float16 is rounded from a Float32Array. */
  readonly data: ArrayBufferView;
  /** Default: the column's, else that of the typed array. */
  readonly dtype?: string;
}

/** Dimensions that the format's header can count. */
const dimensionsMax = 63;

const dtypes = new Map<string, string>([
  ['Uint8Array', 'uint8'],
  ['Uint8ClampedArray', 'uint8'],
  ['Buffer', 'uint8'],
  ['Int8Array', 'int8'],
  ['Uint16Array', 'uint16'],
  ['Int16Array', 'int16'],
  ['Float16Array', 'float16'],
  ['Uint32Array', 'uint32'],
  ['Int32Array', 'int32'],
  ['Float32Array', 'float32'],
  ['BigUint64Array', 'uint64'],
  ['BigInt64Array', 'int64'],
  ['Float64Array', 'float64'],
]);

/**
 * Appends arrays: a typed array, which has one dimension unless the column says the shape, or an {@link NdArray}. What the
 * column does not say stands before the values: the number of the dtype, and the shape.
 */
export function arrayEncoder(column: MdsNumber | undefined, columnShape: readonly number[] | undefined): ValueEncoder {
  const count = columnShape?.reduce((product, side) => product * side, 1);
  return (value, into) => {
    if (isPlain(value, column, count)) {
      into.add(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      return;
    }
    const { shape, bytes, number } = parsed(value, column, columnShape);
    if (columnShape === undefined) {
      const width = shapeWidth(shape);
      const head = column === undefined ? 1 : 0;
      const at = into.append(head + 1 + shape.length * width);
      if (column === undefined) into.bytes[at] = number.code;
      into.bytes[at + head] = (shape.length << 2) | Math.log2(width);
      for (const [index, side] of shape.entries()) into.bytes.writeUIntLE(side, at + head + 1 + index * width, width);
    }
    into.add(bytes);
  };
}

/** The usual: a typed array of the column's dtype, with as many values as its shape has. */
function isPlain(value: unknown, column: MdsNumber | undefined, count: number | undefined): value is Uint8Array {
  if (count === undefined || !ArrayBuffer.isView(value) || dtypes.get(value.constructor.name) !== column!.name)
    return false;
  return value.byteLength === count * column!.bytes;
}

interface Parsed {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  readonly number: MdsNumber;
}

function parsed(value: unknown, column: MdsNumber | undefined, columnShape: readonly number[] | undefined): Parsed {
  const isPlain = ArrayBuffer.isView(value);
  const { data, shape, dtype } = (isPlain ? { data: value } : (value ?? {})) as Partial<NdArray>;
  if (!ArrayBuffer.isView(data) || data instanceof DataView) {
    const expected = 'a typed array, or { shape, data } with a typed array as data';
    throw new RefusedValue(expected, shown(isPlain || data === undefined ? value : data));
  }
  const number = numberOf(dtype, data, column, isPlain);
  const bytes = bytesOf(data, number, isPlain);
  const count = bytes.length / number.bytes;
  const sides = shape === undefined ? (columnShape ?? [count]) : sidesOf(shape);
  if (columnShape !== undefined && String(sides) !== String(columnShape)) {
    throw new RefusedValue(`an array of the shape ${columnShape.join('×')}`, `the shape ${sides.join('×')}`);
  }
  const expected = sides.reduce((product, side) => product * side, 1);
  if (expected === 0 || count === 0) throw new RefusedValue('an array with values', 'one without');
  if (expected !== count) {
    throw new RefusedValue(
      `the ${expected} values of the shape ${sides.join('×')} (${number.name})`,
      `${count} values`,
    );
  }
  return { shape: sides, bytes, number };
}

function numberOf(dtype: unknown, data: ArrayBufferView, column: MdsNumber | undefined, isPlain: boolean): MdsNumber {
  const own = dtypes.get(data.constructor.name);
  const name = dtype ?? column?.name ?? own;
  const number = typeof name === 'string' ? mdsNumbers.get(name) : undefined;
  if (number === undefined) throw new RefusedValue(`a dtype of ${[...mdsNumbers.keys()].join(', ')}`, shown(name));
  if (column !== undefined && column !== number) {
    throw new RefusedValue(`an array of ${column.name}`, `one of ${number.name}`);
  }
  const isBytes = own === 'uint8' && !isPlain;
  const isHalf = number.name === 'float16' && (own === 'float32' || (own === 'uint16' && !isPlain));
  if (own === number.name || isBytes || isHalf) return number;
  throw new RefusedValue(`an array of ${number.name}`, shown(data));
}

/** The bytes of the values; a Uint16Array of float16 holds their bits. */
function bytesOf(data: ArrayBufferView, number: MdsNumber, isPlain: boolean): Uint8Array {
  if (data instanceof Float32Array && number.name === 'float16') {
    const halves = Uint16Array.from(data, (value) => {
      const bits = float16Bits(value);
      if ((bits & 0x7fff) !== 0x7c00 || !Number.isFinite(value)) return bits;
      throw new RefusedValue('numbers that float16 does not round to infinity', shown(value), 'value_out_of_range');
    });
    return new Uint8Array(halves.buffer);
  }
  if (data.byteLength % number.bytes !== 0) {
    throw new RefusedValue(`bytes of whole values of ${number.name}`, shown(isPlain ? data : { data }));
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function sidesOf(shape: unknown): number[] {
  const isList = Array.isArray(shape) || (ArrayBuffer.isView(shape) && !(shape instanceof DataView));
  const sides = isList ? Array.from(shape as unknown as ArrayLike<unknown>, Number) : [];
  const isSound =
    sides.length > 0 && sides.length <= dimensionsMax && sides.every((side) => Number.isSafeInteger(side) && side >= 0);
  if (isSound) return sides;
  throw new RefusedValue(`a shape of 1 to ${dimensionsMax} whole numbers`, isList ? `[${sides}]` : shown(shape));
}

/** Bytes of each side: as few as the largest takes. */
function shapeWidth(shape: readonly number[]): number {
  const most = Math.max(...shape);
  return most < 2 ** 8 ? 1 : most < 2 ** 16 ? 2 : 4;
}
