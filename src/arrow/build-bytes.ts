import {
  type Binary,
  type Data,
  DataType,
  type FixedSizeBinary,
  type LargeBinary,
  type LargeUtf8,
  type Utf8,
} from 'apache-arrow';
import { makeColumn, mismatch, offsetMax, outOfRange, type Place, tooLarge, validityOf } from './build-data.js';

type Values = ArrayLike<unknown>;

/** utf8 and large_utf8: strings. A lone surrogate has no UTF-8 form and is refused. */
export function buildStrings(type: Utf8 | LargeUtf8, values: Values, length: number, place: Place): Data {
  const ends = new Float64Array(length);
  let arena: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(Math.max(64, length * 16));
  let at = 0;
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (typeof value === 'string') {
      // No UTF-16 unit takes more than three bytes of UTF-8.
      if (at + value.length * 3 > arena.length) arena = grown(arena, at, value.length * 3);
      const written = arena.write(value, at, 'utf8');
      if (written !== value.length && /\p{Surrogate}/u.test(value)) {
        throw outOfRange(place, row, type, 'text without lone surrogates', value, 'Repair it with toWellFormed().');
      }
      at += written;
    } else if (value !== null && value !== undefined) throw mismatch(place, row, type, 'a string', value);
    ends[row] = at;
  }
  return bytesColumn(type, values, ends, trimmed(arena, at), place);
}

/** binary and large_binary: Uint8Array (Buffer is one) or ArrayBuffer, copied. */
export function buildBinaries(type: Binary | LargeBinary, values: Values, length: number, place: Place): Data {
  const ends = new Float64Array(length);
  let total = 0;
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value !== null && value !== undefined) total += bytesOf(value, type, row, place).byteLength;
    ends[row] = total;
  }
  checkTotal(type, total, place);
  const bytes = new Uint8Array(total);
  for (let row = 0, at = 0; row < length; row++) {
    const value = values[row];
    if (value !== null && value !== undefined) bytes.set(bytesOf(value, type, row, place), at);
    at = ends[row]!;
  }
  return bytesColumn(type, values, ends, bytes, place);
}

/** fixed_size_binary[n]: as binary, each of exactly n bytes. */
export function buildFixedBinaries(type: FixedSizeBinary, values: Values, length: number, place: Place): Data {
  const width = type.byteWidth;
  const bytes = new Uint8Array(length * width);
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    const found = bytesOf(value, type, row, place);
    if (found.byteLength !== width) throw outOfRange(place, row, type, `${width} bytes`, value);
    bytes.set(found, row * width);
  }
  return makeColumn(type, length, validityOf(values, length), { values: bytes });
}

function bytesOf(value: unknown, type: DataType, row: number, place: Place): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  const remedy = typeof value === 'string' ? 'Encode text with Buffer.from(text, encoding).' : '';
  throw mismatch(place, row, type, 'bytes (a Uint8Array)', value, remedy);
}

function bytesColumn(
  type: Utf8 | LargeUtf8 | Binary | LargeBinary,
  values: Values,
  ends: Float64Array,
  bytes: Uint8Array,
  place: Place,
): Data {
  checkTotal(type, bytes.length, place);
  const length = ends.length;
  const validity = validityOf(values, length);
  if (DataType.isLargeUtf8(type) || DataType.isLargeBinary(type)) {
    const offsets = new BigInt64Array(length + 1);
    for (let row = 0; row < length; row++) offsets[row + 1] = BigInt(ends[row]!);
    return makeColumn(type, length, validity, { offsets, values: bytes });
  }
  const offsets = new Int32Array(length + 1);
  offsets.set(ends, 1);
  return makeColumn(type, length, validity, { offsets, values: bytes });
}

function checkTotal(type: DataType, total: number, place: Place): void {
  if (total <= offsetMax || DataType.isLargeUtf8(type) || DataType.isLargeBinary(type)) return;
  const wide = DataType.isUtf8(type) ? 'large_utf8' : 'large_binary';
  throw tooLarge(place, 'bytes', `Give fewer rows at a time, or make the column ${wide}.`);
}

function grown(arena: Buffer<ArrayBuffer>, used: number, more: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(Math.max(arena.length * 2, used + more));
  larger.set(arena.subarray(0, used));
  return larger;
}

/** The bytes used, as a plain Uint8Array; copied where the arena would keep much more alive than that. */
function trimmed(arena: Buffer<ArrayBuffer>, used: number): Uint8Array {
  const view = new Uint8Array(arena.buffer, arena.byteOffset, used);
  return used * 1.5 < arena.length ? view.slice() : view;
}
