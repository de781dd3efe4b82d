import type { Data } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { columnName, type KeyForm, keyForms } from './key-type.js';

/**
 * The keys of many rows as bytes whose order is the order of the keys: comparing two of them byte by byte, a shorter
 * prefix first, equals comparing the rows column by column. Keys of one schema are never prefixes of one another.
 *
 * Row i is `bytes[offsets[i], offsets[i + 1])`.
 */
export interface EncodedKeys {
  readonly length: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `length + 1` byte positions, the first 0. */
  readonly offsets: Uint32Array<ArrayBuffer>;
  /** Bytes of every key, or 0 where keys vary in length. */
  readonly width: number;
}

/** Most bytes that the keys of one call may take, since offsets are 32 bits wide. */
const keyBytesMax = 0xffff_ffff;

/**
 * Encodes the key columns of a batch. Numbers order by value (NaN last, -0 as 0), text by code point, binary by bytes,
 * false before true, decimals by value.
 *
 * @param columns one contiguous column each, all of one length; sliced columns are fine.
 * @param names of the columns, for messages.
 * @param rowsBefore what messages add to the number of a row.
 * @throws SpiralError `unsupported_type`; `invalid_key` for a null (naming column and row), for no columns and for columns
 * of unequal lengths; `limit_exceeded` above 4 GiB of keys.
 */
export function encodeKeys(columns: readonly Data[], names: readonly string[], rowsBefore = 0): EncodedKeys {
  const forms = keyForms(
    columns.map((column) => column.type),
    names,
  );
  const length = checkedLength(columns, names);
  columns.forEach((column, at) => {
    refuseNull(column, columnName(names, at), rowsBefore);
  });
  const variable = columns.map((column, at) => variableColumn(column, forms[at]!));
  const { offsets, width, end } = placeKeys(length, forms, variable);
  const bytes = new Uint8Array(end);
  // Each key's place moves from its beginning to its end, which is where the next one begins: what offsets hold.
  const sink: Sink = { view: new DataView(bytes.buffer), bytes, at: offsets.subarray(1) };
  if (length > 0) {
    columns.forEach((column, at) => {
      const texts = variable[at];
      if (texts !== undefined) writeBytes(texts, sink);
      else writeFixedWidth(column, forms[at]!, sink);
    });
  }
  return { length, bytes, offsets, width };
}

/** The key of row `row`: a view, valid as long as `keys` is. */
export function keyAt(keys: EncodedKeys, row: number): Uint8Array<ArrayBuffer> {
  return keys.bytes.subarray(keys.offsets[row]!, keys.offsets[row + 1]!);
}

/** The keys of `rows` of `keys`, in that order. */
export function pickKeys(keys: EncodedKeys, rows: Uint32Array): EncodedKeys {
  const offsets = new Uint32Array(rows.length + 1);
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!;
    offsets[at + 1] = offsets[at]! + keys.offsets[row + 1]! - keys.offsets[row]!;
  }
  const bytes = new Uint8Array(offsets[rows.length]!);
  for (let at = 0; at < rows.length; at++) copyKey(keys, rows[at]!, bytes, offsets[at]!);
  return { length: rows.length, bytes, offsets, width: keys.width };
}

/** Puts key `row` of `keys` at byte `to` of `bytes`. */
export function copyKey(keys: EncodedKeys, row: number, bytes: Uint8Array, to: number): void {
  const end = keys.offsets[row + 1]!;
  let put = to;
  for (let get = keys.offsets[row]!; get < end; get++) bytes[put++] = keys.bytes[get]!;
}

/** Where columns write: row i's next column begins at byte `at[i]`, and each column moves `at[i]` past itself. */
interface Sink {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly at: Uint32Array;
}

/** A column of varying lengths: row i is `values[starts[i], starts[i + 1])`. */
interface VariableColumn {
  readonly values: Uint8Array;
  readonly starts: Int32Array | Float64Array;
  /** Whether any byte is 0x00 and needs its escape; most columns have none and are copied whole. */
  readonly zeros: boolean;
}

function checkedLength(columns: readonly Data[], names: readonly string[]): number {
  const { length } = columns[0]!;
  columns.forEach((column, at) => {
    if (column.length === length) return;
    throw new SpiralError(
      'invalid_key',
      `Expected key columns of one length, got ${length} rows in '${columnName(names, 0)}' and ${column.length} in ` +
        `'${columnName(names, at)}'.`,
      { details: { columns: [columnName(names, 0), columnName(names, at)], lengths: [length, column.length] } },
    );
  });
  return length;
}

function refuseNull(column: Data, name: string, rowsBefore: number): void {
  if (column.nullCount === 0) return;
  for (let row = 0; row < column.length; row++) {
    if (column.getValid(row)) continue;
    throw new SpiralError(
      'invalid_key',
      `Expected key column '${name}' to hold no nulls, found ${column.nullCount}, the first at row ${rowsBefore + row}. ` +
        'Fill or drop these rows before writing.',
      { details: { column: name, row: rowsBefore + row, nulls: column.nullCount } },
    );
  }
}

function variableColumn(column: Data, form: KeyForm): VariableColumn | undefined {
  if (form.kind !== 'bytes') return undefined;
  const rows = column.length;
  if (rows === 0) return { values: new Uint8Array(0), starts: new Int32Array(1), zeros: false };
  const values = column.values as Uint8Array;
  const starts = form.large ? largeStarts(column, rows) : (column.valueOffsets as Int32Array);
  const zero = values.indexOf(0, starts[0]!);
  return { values, starts, zeros: zero >= 0 && zero < starts[rows]! };
}

/** 64-bit offsets as numbers, by their halves: a BigInt per row costs more than all else here. */
function largeStarts(column: Data, rows: number): Float64Array {
  const { buffer, byteOffset } = column.valueOffsets as unknown as BigInt64Array;
  const halves = new Uint32Array(buffer, byteOffset, 2 * (rows + 1));
  const starts = new Float64Array(rows + 1);
  for (let row = 0; row <= rows; row++) starts[row] = halves[2 * row + 1]! * 0x1_0000_0000 + halves[2 * row]!;
  return starts;
}

/** Offsets with the beginning of key i at `i + 1`, where its end will stand. */
function placeKeys(
  length: number,
  forms: readonly KeyForm[],
  variable: readonly (VariableColumn | undefined)[],
): { offsets: Uint32Array<ArrayBuffer>; width: number; end: number } {
  const fixed = forms.reduce((sum, form) => sum + form.width, 0);
  const isFixed = variable.every((column) => column === undefined);
  const sizes = isFixed ? undefined : new Float64Array(length).fill(fixed);
  for (const column of variable) if (column !== undefined) addSizes(column, sizes!);
  const offsets = new Uint32Array(length + 1);
  let end = 0;
  for (let row = 0; row < length; row++) {
    offsets[row + 1] = end;
    end += sizes === undefined ? fixed : sizes[row]!;
  }
  if (end > keyBytesMax) {
    throw new SpiralError(
      'limit_exceeded',
      `Expected the keys of ${length} rows to take at most ${keyBytesMax} bytes, got ${end}. Write in smaller batches.`,
      { details: { rows: length, bytes: end, max: keyBytesMax } },
    );
  }
  return { offsets, width: isFixed ? fixed : 0, end };
}

function addSizes({ values, starts, zeros }: VariableColumn, sizes: Float64Array): void {
  for (let row = 0; row < sizes.length; row++) {
    const from = starts[row]!;
    const to = starts[row + 1]!;
    let escapes = 0;
    if (zeros) for (let at = from; at < to; at++) if (values[at] === 0) escapes++;
    sizes[row] = sizes[row]! + (to - from + escapes + 2);
  }
}

function writeBytes({ values, starts, zeros }: VariableColumn, { bytes, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    const from = starts[row]!;
    const to = starts[row + 1]!;
    let put = at[row]!;
    // A call into the engine's copy pays from about 64 bytes on.
    if (!zeros && to - from > 64) {
      bytes.set(values.subarray(from, to), put);
      put += to - from;
    } else {
      for (let get = from; get < to; get++) {
        const byte = values[get]!;
        bytes[put++] = byte;
        if (byte === 0) bytes[put++] = 0xff;
      }
    }
    bytes[put] = 0;
    bytes[put + 1] = 1;
    at[row] = put + 2;
  }
}

function writeFixedWidth(column: Data, form: KeyForm, sink: Sink): void {
  const { buffer, byteOffset } = column.values as ArrayBufferView<ArrayBuffer>;
  const rows = column.length;
  const as = <T>(view: new (buffer: ArrayBuffer, from: number, length: number) => T, each: number): T =>
    new view(buffer, byteOffset, rows * each);
  const { width } = form;
  if (form.kind === 'bool') writeBits(column, sink);
  else if (form.kind === 'fixed') writeRaw(as(Uint8Array, width), width, sink);
  else if (form.kind === 'float') {
    if (width === 2) writeHalves(as(Uint16Array, 1), sink);
    else if (width === 4) writeSingles(as(Uint32Array, 1), sink);
    else writeDoubles(as(Uint32Array, 2), sink);
  } else if (form.kind === 'whole') {
    const flip = form.signed ? 0x8000_0000 : 0;
    if (width === 1) writeWhole8(as(Uint8Array, 1), flip >>> 24, sink);
    else if (width === 2) writeWhole16(as(Uint16Array, 1), flip >>> 16, sink);
    else if (width === 4) writeWhole32(as(Uint32Array, 1), flip, sink);
    else writeWords(as(Uint32Array, width / 4), width / 4, flip, sink);
  }
}

/** Bits are the one kind of value that a sliced column leaves in place, so `Data.offset` counts here alone. */
function writeBits(column: Data, { bytes, at }: Sink): void {
  const bits = column.values as Uint8Array;
  for (let row = 0; row < at.length; row++) {
    const bit = column.offset + row;
    bytes[at[row]!] = (bits[bit >> 3]! >> (bit & 7)) & 1;
    at[row] = at[row]! + 1;
  }
}

function writeRaw(values: Uint8Array, width: number, { bytes, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    const put = at[row]!;
    for (let byte = 0; byte < width; byte++) bytes[put + byte] = values[row * width + byte]!;
    at[row] = put + width;
  }
}

function writeWhole8(values: Uint8Array, flip: number, { bytes, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    bytes[at[row]!] = values[row]! ^ flip;
    at[row] = at[row]! + 1;
  }
}

function writeWhole16(values: Uint16Array, flip: number, { view, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    view.setUint16(at[row]!, values[row]! ^ flip);
    at[row] = at[row]! + 2;
  }
}

function writeWhole32(values: Uint32Array, flip: number, { view, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    view.setUint32(at[row]!, values[row]! ^ flip);
    at[row] = at[row]! + 4;
  }
}

/** Integers of `words` 32-bit words, lowest first in Arrow, highest first in the key. */
function writeWords(values: Uint32Array, words: number, flip: number, { view, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    let put = at[row]!;
    let get = (row + 1) * words - 1;
    view.setUint32(put, values[get]! ^ flip);
    for (let word = 1; word < words; word++) view.setUint32((put += 4), values[--get]!);
    at[row] = put + 4;
  }
}

function writeHalves(values: Uint16Array, { view, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    let bits = values[row]!;
    if ((bits & 0x7fff) > 0x7c00) bits = 0x7e00;
    else if (bits === 0x8000) bits = 0;
    view.setUint16(at[row]!, bits & 0x8000 ? ~bits : bits | 0x8000);
    at[row] = at[row]! + 2;
  }
}

function writeSingles(values: Uint32Array, { view, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    let bits = values[row]! | 0;
    if ((bits & 0x7fff_ffff) > 0x7f80_0000) bits = 0x7fc0_0000;
    else if (bits === -0x8000_0000) bits = 0;
    view.setUint32(at[row]!, bits < 0 ? ~bits : bits | 0x8000_0000);
    at[row] = at[row]! + 4;
  }
}

function writeDoubles(values: Uint32Array, { view, at }: Sink): void {
  for (let row = 0; row < at.length; row++) {
    const put = at[row]!;
    let low = values[2 * row]!;
    let high = values[2 * row + 1]! | 0;
    const size = high & 0x7fff_ffff;
    if (size > 0x7ff0_0000 || (size === 0x7ff0_0000 && low !== 0)) {
      high = 0x7ff8_0000;
      low = 0;
    } else if (size === 0 && low === 0) high = 0;
    view.setUint32(put, high < 0 ? ~high : high | 0x8000_0000);
    view.setUint32(put + 4, high < 0 ? ~low : low);
    at[row] = put + 8;
  }
}
