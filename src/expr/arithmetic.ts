import { type Data, DataType } from 'apache-arrow';
import { bitBytes, setBits } from '../arrow/bits.js';
import { makeColumn } from '../arrow/build-data.js';
import { layoutOf, type ValueArray } from '../arrow/layout.js';
import { SpiralError } from '../core/errors.js';
import { floatArray } from './cast-numbers.js';
import { doublesOf, halvesOf, type NumberView, numbersOf } from './number-view.js';
import { intBounds, isSound, overflow } from './overflow.js';
import { allConstant, type StrictKernel, type ValidBits } from './strict.js';
import { columnValues, dataOf, type Values, validityOfBits } from './values.js';

/** A function of two numbers. */
export type Arithmetic = 'add' | 'subtract' | 'multiply' | 'divide' | 'modulo';

interface Operands {
  readonly a: Data;
  readonly b: Data;
  readonly aStep: number;
  readonly bStep: number;
  readonly rows: number;
  readonly valid: ValidBits;
}

/** Computes `how` over two columns of numbers as values of `type`. Whole numbers that overflow are an error. */
export function arithmeticKernel(how: Arithmetic, type: DataType): StrictKernel {
  return (args, rows, valid, where) => {
    const [left, right] = args as [Values, Values];
    const operands = {
      a: dataOf(left),
      b: dataOf(right),
      aStep: left.constant ? 0 : 1,
      bStep: right.constant ? 0 : 1,
      rows,
      valid,
    };
    const of = DataType.isFloat(type) ? floats : isWide(type) ? wholes64 : wholes32;
    return columnValues(of(how, type, operands, where), allConstant(args));
  };
}

/** Whether `type` is an integer of 64 bits. */
export function isWide(type: DataType): boolean {
  return DataType.isInt(type) && type.bitWidth === 64;
}

function floats(how: Arithmetic, type: DataType, { a, b, aStep, bStep, rows, valid }: Operands): Data {
  const out = new Float64Array(rows);
  combine(how, doublesOf(a), aStep, doublesOf(b), bStep, out);
  return makeColumn(type, rows, validityOfBits(valid), { values: floatArray(out, type) });
}

function combine(how: Arithmetic, x: NumberView, xStep: number, y: NumberView, yStep: number, out: Float64Array): void {
  const rows = out.length;
  switch (how) {
    case 'add':
      for (let row = 0; row < rows; row++) out[row] = x[row * xStep]! + y[row * yStep]!;
      break;
    case 'subtract':
      for (let row = 0; row < rows; row++) out[row] = x[row * xStep]! - y[row * yStep]!;
      break;
    case 'multiply':
      for (let row = 0; row < rows; row++) out[row] = x[row * xStep]! * y[row * yStep]!;
      break;
    case 'divide':
      for (let row = 0; row < rows; row++) out[row] = x[row * xStep]! / y[row * yStep]!;
      break;
    case 'modulo':
      for (let row = 0; row < rows; row++) out[row] = x[row * xStep]! % y[row * yStep]!;
  }
}

/** Integers below 64 bits, in doubles: what they give is exact, or so large that it overflows. */
function wholes32(how: Arithmetic, type: DataType, operands: Operands, where: () => string): Data {
  const { a, b, aStep, bStep, rows } = operands;
  const out = new Float64Array(rows);
  const divisors = numbersOf(b);
  combine(how, numbersOf(a), aStep, divisors, bStep, out);
  const valid =
    how === 'modulo' ? withoutZeros(operands.valid, rows, (row) => divisors[row * bStep]! === 0) : operands.valid;
  return makeColumn(type, rows, validityOfBits(valid), { values: wholeArray(out, type, valid, where) });
}

/** Doubles that are whole as the values of an integer type below 64 bits. */
export function wholeArray(out: Float64Array, type: DataType, valid: ValidBits, where: () => string): ValueArray {
  const [min, max] = intBounds(type);
  for (let row = 0; row < out.length; row++) {
    const value = out[row]!;
    if ((value < min || value > max) && isSound(valid, row)) throw overflow(row, type, where);
  }
  const layout = layoutOf(type);
  if (layout.kind !== 'fixed') throw new SpiralError('internal', `Expected an integer type, got ${type}.`);
  const values = new layout.array(new ArrayBuffer(out.length * layout.array.BYTES_PER_ELEMENT), 0, out.length);
  (values as Int32Array).set(out);
  return values;
}

function withoutZeros(valid: ValidBits, rows: number, isZero: (row: number) => boolean): ValidBits {
  let bits: Uint8Array | undefined;
  for (let row = 0; row < rows; row++) {
    if (!isZero(row)) continue;
    if (bits === undefined) {
      bits = new Uint8Array(bitBytes(rows));
      if (valid === undefined) setBits(bits, 0, rows);
      else bits.set(valid.subarray(0, bits.length));
    }
    bits[row >> 3]! &= ~(1 << (row & 7));
  }
  return bits ?? valid;
}

/** Integers of 64 bits: sums by halves, the rest in doubles where those are exact, else in bigints. */
function wholes64(how: Arithmetic, type: DataType, operands: Operands, where: () => string): Data {
  const { rows, b, bStep } = operands;
  if (how === 'add' || how === 'subtract') {
    return makeColumn(type, rows, validityOfBits(operands.valid), { values: sums(how, type, operands, where) });
  }
  const y = halvesOf(b);
  const isZero = (row: number): boolean => y.low[2 * row * bStep] === 0 && y.high[2 * row * bStep + 1] === 0;
  const valid = how === 'modulo' ? withoutZeros(operands.valid, rows, isZero) : operands.valid;
  const values = products(how === 'multiply', type, { ...operands, valid }, where);
  return makeColumn(type, rows, validityOfBits(valid), { values });
}

function sums(how: 'add' | 'subtract', type: DataType, operands: Operands, where: () => string): ValueArray {
  const { a, b, aStep, bStep, rows, valid } = operands;
  const [x, y] = [halvesOf(a), halvesOf(b)];
  const { isSigned } = type as DataType & { isSigned: boolean };
  const low = new Uint32Array(rows * 2);
  const sign = how === 'add' ? 1 : -1;
  const [min, max] = isSigned ? [-2147483648, 2147483647] : [0, 4294967295];
  for (let row = 0; row < rows; row++) {
    const i = 2 * row * aStep;
    const j = 2 * row * bStep;
    const bottom = x.low[i]! + sign * y.low[j]!;
    const carry = Math.floor(bottom / 4294967296);
    const p = isSigned ? x.high[i + 1]! : x.high[i + 1]! >>> 0;
    const q = isSigned ? y.high[j + 1]! : y.high[j + 1]! >>> 0;
    const top = p + sign * q + carry;
    if ((top < min || top > max) && isSound(valid, row)) throw overflow(row, type, where);
    low[2 * row] = bottom;
    low[2 * row + 1] = top;
  }
  return isSigned ? new BigInt64Array(low.buffer) : new BigUint64Array(low.buffer);
}

function products(isProduct: boolean, type: DataType, operands: Operands, where: () => string): ValueArray {
  const { rows, valid, aStep, bStep } = operands;
  const [x, y] = [wideReader(operands.a), wideReader(operands.b)];
  const [p, q] = [doublesOf(operands.a), doublesOf(operands.b)];
  const { isSigned } = type as DataType & { isSigned: boolean };
  const low = new Uint32Array(rows * 2);
  const wide = isSigned ? new BigInt64Array(low.buffer) : new BigUint64Array(low.buffer);
  for (let row = 0; row < rows; row++) {
    if (!isSound(valid, row)) continue;
    const a = p[row * aStep]!;
    const b = q[row * bStep]!;
    const result = isProduct ? a * b : a % b;
    const isExact = Math.max(Math.abs(a), Math.abs(b), Math.abs(result)) <= Number.MAX_SAFE_INTEGER;
    if (isExact) {
      low[2 * row] = result;
      low[2 * row + 1] = Math.floor(result / 4294967296);
      continue;
    }
    const exact = isProduct ? x(row * aStep) * y(row * bStep) : x(row * aStep) % y(row * bStep);
    wide[row] = exact;
    if (wide[row] !== exact) throw overflow(row, type, where);
  }
  return wide;
}

/** Reads whole numbers of any width as bigints. */
export function wideReader(data: Data): (row: number) => bigint {
  const values = data.values as ArrayLike<number | bigint>;
  return (row) => BigInt(values[row]!);
}
