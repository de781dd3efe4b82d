import { Data, type DataType, type Vector } from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';
import type { ValueArray } from './layout.js';
import { typeWords } from './words.js';

/** Where values come from, for errors: a column of `where`, and the row that value number `index` belongs to. */
export interface Place {
  readonly where: string;
  readonly column: string;
  rowOf(index: number): number;
}

/** Which rows are null, as a bitmap; `bits` is undefined where none is. */
export interface Validity {
  readonly nullCount: number;
  readonly bits: Uint8Array | undefined;
}

/** The buffers of a column under construction. */
export interface ColumnParts {
  readonly values?: ValueArray;
  readonly offsets?: Int32Array | BigInt64Array;
  readonly children?: readonly Data[];
  readonly dictionary?: Vector;
}

/** One contiguous column of `length` rows, at offset 0. */
export function makeColumn(type: DataType, length: number, validity: Validity, parts: ColumnParts): Data {
  const data = new Data<DataType>(
    type,
    0,
    length,
    validity.nullCount,
    // Arrow's order: offsets, values, validity. An empty bitmap is its sign for "no nulls".
    [parts.offsets, parts.values, validity.bits ?? new Uint8Array(0)],
    parts.children === undefined ? [] : [...parts.children],
    parts.dictionary,
  );
  return data;
}

export const noNulls: Validity = { nullCount: 0, bits: undefined };

/** The validity of `values`: null and undefined are nulls. */
export function validityOf(values: ArrayLike<unknown>, length: number): Validity {
  if (ArrayBuffer.isView(values)) return noNulls;
  let row = 0;
  while (row < length && values[row] !== null && values[row] !== undefined) row++;
  if (row === length) return noNulls;
  const bits = new Uint8Array(((length + 63) >> 6) << 3);
  let nullCount = 0;
  for (row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) nullCount++;
    else bits[row >> 3]! |= 1 << (row & 7);
  }
  return { nullCount, bits };
}

/** The error of a value of the wrong kind; `expected` says what the type takes. */
export function mismatch(
  place: Place,
  index: number,
  type: DataType,
  expected: string,
  found: unknown,
  remedy = '',
): SpiralError {
  return refusal('type_mismatch', place, index, type, expected, found, remedy);
}

/** The error of a value of the right kind that the type cannot hold exactly. */
export function outOfRange(
  place: Place,
  index: number,
  type: DataType,
  expected: string,
  found: unknown,
  remedy = '',
): SpiralError {
  return refusal('value_out_of_range', place, index, type, expected, found, remedy);
}

/** The error of a column too large for 32-bit offsets. */
export function tooLarge(place: Place, what: string, remedy: string): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected at most ${offsetMax} ${what} in one batch of column '${place.column}' of ${place.where}. ${remedy}`,
    { details: { where: place.where, column: place.column, max: offsetMax } },
  );
}

/** The largest 32-bit offset. */
export const offsetMax = 0x7fff_ffff;

function refusal(
  code: 'type_mismatch' | 'value_out_of_range',
  place: Place,
  index: number,
  type: DataType,
  expected: string,
  found: unknown,
  remedy: string,
): SpiralError {
  const row = place.rowOf(index);
  const words = typeWords(type);
  const message = `Expected ${expected} in column '${place.column}' (${words}) at row ${row} of ${place.where}, got ${shown(found)}.`;
  return new SpiralError(code, remedy === '' ? message : `${message} ${remedy}`, {
    details: { where: place.where, column: place.column, row, type: words, found },
  });
}
