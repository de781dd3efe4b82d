import { Bool, type Data, type DataType } from 'apache-arrow';
import { bitAt, bitBytes, copyBits } from '../arrow/bits.js';
import { makeColumn, type Validity } from '../arrow/build-data.js';

/**
 * The truth of a row in three-valued logic, as bits of which `and` is the smaller and `or` the larger: so rows are combined
 * by `&` and `|`, four to a word.
 */
export const falseBits = 0;
export const nullBits = 1;
export const trueBits = 3;

/**
 * The values of an expression: one for each row, or one for all of them (`constant`). Of a boolean the `truth`, a byte a
 * row, may stand in for the column, which is made when it is asked for.
 */
export interface Values {
  readonly type: DataType;
  readonly constant: boolean;
  readonly data?: Data;
  readonly truth?: Uint8Array;
}

const bool = new Bool();

/** Values in a column. */
export function columnValues(data: Data, constant = false): Values {
  return { type: data.type, constant, data };
}

/** Booleans by their truth. */
export function truthValues(truth: Uint8Array, constant: boolean): Values {
  return { type: bool, constant, truth };
}

/** How many values there are. */
export function lengthOf(values: Values): number {
  return values.data?.length ?? values.truth!.length;
}

/** The values as a column, of one row where they are constant. */
export function dataOf(values: Values): Data {
  return values.data ?? packedTruth(values.truth!);
}

/** The truth of each row of a boolean, of one row where it is constant. */
export function truthOf(values: Values): Uint8Array {
  if (values.truth !== undefined) return values.truth;
  const data = values.data!;
  const { length, offset } = data;
  const truth = truthArray(length);
  const bits = data.values as Uint8Array;
  for (let row = 0; row < length; row++) truth[row] = -((bits[(offset + row) >> 3]! >> ((offset + row) & 7)) & 1) & 3;
  markNulls(truth, validBits(data));
  return truth;
}

/** A truth of `rows` rows, whose memory ends at a whole word. */
export function truthArray(rows: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer((rows + 3) & ~3), 0, rows);
}

/** A truth four rows at a time, by the memory of {@link truthArray}; what the last word has beyond the rows means nothing. */
export function wordsOf(truth: Uint8Array): Uint32Array {
  return new Uint32Array(truth.buffer as ArrayBuffer, 0, (truth.length + 3) >> 2);
}

/** How many rows are true. */
export function countTrue(truth: Uint8Array): number {
  const words = wordsOf(truth);
  const whole = truth.length >> 2;
  let count = 0;
  // A product adds the bytes of a word up in its top byte.
  for (let word = 0; word < whole; word++) count += Math.imul((words[word]! >>> 1) & 0x01010101, 0x01010101) >>> 24;
  for (let row = whole << 2; row < truth.length; row++) count += truth[row]! >> 1;
  return count;
}

/** Sets the rows that are null by `valid`. */
export function markNulls(truth: Uint8Array, valid: Uint8Array | undefined): void {
  if (valid === undefined) return;
  const rows = truth.length;
  for (let byte = 0, row = 0; row < rows; byte++, row += 8) {
    const bits = valid[byte]!;
    if (bits === 0xff) continue;
    const end = Math.min(rows, row + 8);
    for (let at = row; at < end; at++) if ((bits & (1 << (at & 7))) === 0) truth[at] = nullBits;
  }
}

/**
 * Which rows of `data` are not null, as a bitmap that begins with row 0; undefined where none is null. May be the column's
 * own memory.
 */
export function validBits(data: Data): Uint8Array | undefined {
  if (data.nullCount === 0) return undefined;
  const { nullBitmap, offset, length } = data;
  if ((offset & 7) === 0) return nullBitmap!.subarray(offset >> 3);
  const bits = new Uint8Array(bitBytes(length));
  copyBits(nullBitmap!, offset, bits, 0, length);
  return bits;
}

/** Rows that are valid in all of `args`, constants among which must not be null; undefined where no row is null. */
export function commonBits(args: readonly Values[], rows: number): Uint8Array | undefined {
  let common: Uint8Array | undefined;
  let own = false;
  for (const values of args) {
    if (values.constant) continue;
    const bits = values.truth === undefined ? validBits(values.data!) : truthBits(values.truth);
    if (bits === undefined) continue;
    if (common === undefined) {
      common = bits;
      continue;
    }
    if (!own) common = common.slice(0, bitBytes(rows));
    own = true;
    for (let byte = 0; byte < common.length; byte++) common[byte]! &= bits[byte]!;
  }
  return common;
}

/** The validity of a new column over `bits`. */
export function validityOfBits(bits: Uint8Array | undefined): Validity {
  return { nullCount: bits === undefined ? 0 : -1, bits };
}

/** Whether row `row` is null. */
export function isNullAt(data: Data, row: number): boolean {
  return data.nullCount > 0 && !bitAt(data.nullBitmap!, data.offset + row);
}

/** The rows of `truth` that are not null; undefined where none is. */
function truthBits(truth: Uint8Array): Uint8Array | undefined {
  if (!truth.includes(nullBits)) return undefined;
  const bits = new Uint8Array(bitBytes(truth.length));
  for (let row = 0; row < truth.length; row++) if (truth[row] !== nullBits) bits[row >> 3]! |= 1 << (row & 7);
  return bits;
}

function packedTruth(truth: Uint8Array): Data {
  const rows = truth.length;
  const bits = new Uint8Array(bitBytes(rows));
  const words = wordsOf(truth);
  const whole = rows >> 3;
  for (let byte = 0; byte < whole; byte++) {
    // A product moves the four bits of a word, a byte apart, to its top.
    const low = Math.imul((words[2 * byte]! >>> 1) & 0x01010101, 0x10204080) >>> 28;
    const high = Math.imul((words[2 * byte + 1]! >>> 1) & 0x01010101, 0x10204080) >>> 28;
    bits[byte] = low | (high << 4);
  }
  for (let row = whole << 3; row < rows; row++) bits[row >> 3]! |= (truth[row]! >> 1) << (row & 7);
  return makeColumn(bool, rows, validityOfBits(truthBits(truth)), { values: bits });
}
