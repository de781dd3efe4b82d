import { bytesOf } from './byte-view.js';
import { numbersOf } from './number-view.js';
import { classOf, isNarrow } from './promote.js';
import { isNullConstant } from './strict.js';
import {
  commonBits,
  dataOf,
  falseBits,
  markNulls,
  nullBits,
  trueBits,
  truthArray,
  truthValues,
  type Values,
} from './values.js';

/** Constants from which on a set of them is quicker than a comparison with each. */
const setMin = 8;

/**
 * Whether `value` equals one of `others`, many constants, by a set of them: a pass over the rows whatever their number.
 * Undefined for few of them, or for what is no constant, no text, no binary and no number below 64 bits.
 */
export function memberValues(value: Values, others: readonly Values[], rows: number): Values | undefined {
  if (others.length < setMin || value.constant || !others.every((other) => other.constant)) return undefined;
  const known = others.filter((other) => !isNullConstant(other));
  const types = [value, ...known].map(({ type }) => type);
  const of = classOf(value.type);
  const truth = truthArray(rows);
  const miss = known.length < others.length ? nullBits : falseBits;
  if (types.every(isNarrow)) markNumbers(value, known, miss, truth);
  else if (of === 'text' || of === 'binary') markBytes(value, known, miss, truth);
  else return undefined;
  markNulls(truth, commonBits([value], rows));
  return truthValues(truth, false);
}

function markNumbers(value: Values, known: readonly Values[], miss: number, truth: Uint8Array): void {
  // A set takes NaN for NaN, and -0 for 0, as comparisons do.
  const wanted = new Set(known.map((other) => numbersOf(dataOf(other))[0]!));
  const numbers = numbersOf(dataOf(value));
  for (let row = 0; row < truth.length; row++) truth[row] = wanted.has(numbers[row]!) ? trueBits : miss;
}

function markBytes(value: Values, known: readonly Values[], miss: number, truth: Uint8Array): void {
  const wanted = new Set(known.map((other) => reader(other)(0)));
  const read = reader(value);
  for (let row = 0; row < truth.length; row++) truth[row] = wanted.has(read(row)) ? trueBits : miss;
}

/** The bytes of a row as a key: equal for equal bytes only. */
function reader(values: Values): (row: number) => string {
  const { bytes, offsets } = bytesOf(dataOf(values));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (row) => buffer.toString('latin1', offsets[row], offsets[row + 1]);
}
