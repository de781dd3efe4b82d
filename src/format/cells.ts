import { type Data, DataType } from 'apache-arrow';
import { setBits } from '../arrow/bits.js';
import { noNulls, type Validity } from '../arrow/build-data.js';
import type { ValueArray } from '../arrow/layout.js';
import { typeWords } from '../arrow/words.js';
import type { SpiralError } from '../core/errors.js';
import { shownText, type TextPlace } from './text-place.js';

/** What is asked of a column that is read from text: its type, its name in messages, and about how many rows to expect. */
export interface CellColumn {
  readonly type: DataType;
  readonly column: string;
  readonly place: TextPlace;
  readonly rows: number;
}

/** An Arrow column in the making, appended to cell by cell from text. What a kind of column does not take is refused. */
export abstract class Cells {
  readonly type: DataType;
  readonly column: string;
  readonly place: TextPlace;
  length = 0;
  readonly #nulls: number[] = [];

  constructor({ type, column, place }: CellColumn) {
    this.type = type;
    this.column = column;
    this.place = place;
  }

  /** A number, as JSON writes it, NaN and Infinity too. */
  appendNumber(bytes: Buffer, from: number, to: number): void {
    throw this.refused(this.expected, bytes, from, to);
  }

  /** Text without quotes and escapes. */
  appendText(bytes: Buffer, from: number, to: number): void {
    throw this.refused(this.expected, bytes, from, to);
  }

  appendBool(value: boolean): void {
    throw this.refused(this.expected, Buffer.from(String(value)), 0, 5);
  }

  /** A cell of a CSV file, which is never empty but for text. */
  appendCell(bytes: Buffer, from: number, to: number): void {
    this.appendText(bytes, from, to);
  }

  /** The error of a value of another kind, which is `from … to` of `bytes`. */
  unlike(bytes: Buffer, from: number, to: number): SpiralError {
    return this.refused(this.expected, bytes, from, to);
  }

  appendNull(): void {
    this.#nulls.push(this.length);
    this.appendGap();
  }

  /** The column of all that was appended. */
  abstract data(): Data;

  /** A row of no meaning where a null stands. */
  protected abstract appendGap(): void;

  /** What the column takes, for messages. */
  protected abstract readonly expected: string;

  protected get validity(): Validity {
    if (this.#nulls.length === 0) return noNulls;
    const bits = new Uint8Array(((this.length + 63) >> 6) << 3);
    setBits(bits, 0, this.length);
    for (const row of this.#nulls) bits[row >> 3]! &= ~(1 << (row & 7));
    return { nullCount: this.#nulls.length, bits };
  }

  protected refused(expected: string, bytes: Buffer, from: number, to: number): SpiralError {
    const what = `${expected} (${typeWords(this.type)})`;
    const remedy = `Mend the row, or give the column another type in the schema${DataType.isUtf8(this.type) ? '' : ", such as 'utf8'"}.`;
    return this.place.corrupt(what, shownText(bytes, from, to), remedy, this.column);
  }
}

/** `array` where it is filled for the most part, else a copy of the part that is: what is cut off would stay in memory. */
export function trimmed<A extends ValueArray>(array: A, used: number): A {
  return (used * 1.5 < array.length ? array.slice(0, used) : array.subarray(0, used)) as A;
}

/** An array of twice the length at least, beginning with what `array` holds. */
export function grown<A extends ValueArray>(array: A, needed: number): A {
  const Type = array.constructor as new (length: number) => A;
  const larger = new Type(Math.max(64, array.length * 2, needed));
  (larger as unknown as Uint8Array).set(array as unknown as Uint8Array);
  return larger;
}
