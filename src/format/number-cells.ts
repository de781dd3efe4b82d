import { type Data, DataType } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { parseDecimal, writeUnscaled } from '../arrow/decimal.js';
import { float16Bits } from '../arrow/float16.js';
import { fixedStride, type ValueArray } from '../arrow/layout.js';
import { type CellColumn, Cells, grown, trimmed } from './cells.js';
import { floatAt, isNumberWord, noNumber, numberForm, wholeAt } from './text-number.js';

const space = 0x20;

/** A column of values of one width. */
export abstract class FixedCells extends Cells {
  protected values: ValueArray;
  readonly #stride: number;

  constructor(column: CellColumn) {
    super(column);
    this.#stride = fixedStride(column.type);
    const Type = column.type.ArrayType as new (length: number) => ValueArray;
    this.values = new Type(column.rows * this.#stride);
  }

  data(): Data {
    return makeColumn(this.type, this.length, this.validity, {
      values: trimmed(this.values, this.length * this.#stride),
    });
  }

  /** Where the next value goes. */
  protected room(): number {
    const at = this.length * this.#stride;
    if (at + this.#stride > this.values.length) this.values = grown(this.values, at + this.#stride);
    return at;
  }

  protected override appendGap(): void {
    this.room();
    this.length++;
  }
}

/** Numbers: a cell may have spaces around them, and none of it is null. */
abstract class NumberCells extends FixedCells {
  override appendCell(bytes: Buffer, start: number, end: number): void {
    let [from, to] = [start, end];
    while (from < to && bytes[from] === space) from++;
    while (from < to && bytes[to - 1] === space) to--;
    if (from === to) this.appendNull();
    else if (numberForm(bytes, from, to) === noNumber) throw this.refused(this.expected, bytes, start, end);
    else this.appendNumber(bytes, from, to);
  }
}

/** int8 to uint32. */
export class SmallIntCells extends NumberCells {
  protected readonly expected = 'a whole number in range';

  override appendNumber(bytes: Buffer, from: number, to: number): void {
    const at = this.room();
    let value = wholeAt(bytes, from, to);
    if (Number.isNaN(value)) value = Number(exactWhole(bytes, from, to) ?? Number.NaN);
    const values = this.values as Int32Array;
    values[at] = value;
    // -0 is 0 here, which Object.is would tell apart.
    if (values[at] !== value) throw this.refused(this.expected, bytes, from, to);
    this.length++;
  }
}

/** int64, uint64: exact to the last digit. */
export class WideIntCells extends NumberCells {
  protected readonly expected = 'a whole number in range';
  #words: Uint32Array;

  constructor(column: CellColumn) {
    super(column);
    this.#words = wordsOf(this.values);
  }

  override appendNumber(bytes: Buffer, from: number, to: number): void {
    const at = this.room();
    const whole = wholeAt(bytes, from, to);
    const isUnsigned = this.values instanceof BigUint64Array;
    if (Number.isNaN(whole) || (isUnsigned && whole < 0)) {
      const exact = exactWhole(bytes, from, to);
      if (exact === undefined) throw this.refused(this.expected, bytes, from, to);
      (this.values as BigInt64Array)[at] = exact;
      if (this.values[at] !== exact) throw this.refused(this.expected, bytes, from, to);
    } else {
      // Written as two halves: a bigint would be allocated for every value.
      if (this.#words.buffer !== this.values.buffer) this.#words = wordsOf(this.values);
      const high = Math.floor(whole / 0x1_0000_0000);
      this.#words[2 * at] = whole - high * 0x1_0000_0000;
      this.#words[2 * at + 1] = high;
    }
    this.length++;
  }
}

/** float16, float32, float64: the nearest number they can hold; one too large to stay finite is refused. */
export class FloatCells extends NumberCells {
  protected readonly expected = 'a number in range';
  readonly #isHalf: boolean;

  constructor(column: CellColumn) {
    super(column);
    this.#isHalf = this.values instanceof Uint16Array;
  }

  override appendNumber(bytes: Buffer, from: number, to: number): void {
    const at = this.room();
    const value = floatAt(bytes, from, to);
    const values = this.values as Float64Array;
    values[at] = this.#isHalf ? float16Bits(value) : value;
    const overflowed = this.#isHalf ? (values[at]! & 0x7fff) === 0x7c00 : Math.abs(values[at]!) === Infinity;
    if (overflowed && !isNumberWord(bytes, to)) throw this.refused(this.expected, bytes, from, to);
    this.length++;
  }
}

/** decimal128, decimal256: numbers, or text of them; digits beyond the scale are refused, never rounded. */
export class DecimalCells extends NumberCells {
  protected readonly expected = 'a decimal of at most its digits';

  override appendNumber(bytes: Buffer, from: number, to: number): void {
    this.appendText(bytes, from, to);
  }

  override appendText(bytes: Buffer, from: number, to: number): void {
    const { type } = this;
    const at = this.room();
    if (!DataType.isDecimal(type)) throw this.refused(this.expected, bytes, from, to);
    const unscaled = parseDecimal(bytes.toString('utf8', from, to), type.scale);
    const end = 10n ** BigInt(type.precision);
    if (typeof unscaled === 'string' || unscaled >= end || unscaled <= -end) {
      throw this.refused(this.expected, bytes, from, to);
    }
    writeUnscaled(this.values as Uint32Array, at, at + type.bitWidth / 32, unscaled);
    this.length++;
  }
}

/** The whole number that the text is exactly, `1.0` and `1e3` too; undefined where it is none. */
function exactWhole(bytes: Buffer, from: number, to: number): bigint | undefined {
  const found = parseDecimal(bytes.toString('latin1', from, to), 0);
  return typeof found === 'bigint' ? found : undefined;
}

function wordsOf(values: ValueArray): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}
