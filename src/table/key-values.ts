import { Data, type DataType } from 'apache-arrow';
import { float16Bits, float16Value } from '../arrow/float16.js';
import { SpiralError } from '../core/errors.js';
import { encodeKeys, keyAt } from './key-codec.js';
import { mismatch, outOfRange } from './key-error.js';
import { doubleOf } from './key-float.js';
import { columnName, type KeyForm, keyForms } from './key-type.js';
import { wholeOf, wholeValue } from './key-whole.js';

/**
 * One key from JS values, the same bytes as `encodeKeys` gives for them.
 *
 * Takes a boolean for bool; a whole number or bigint for integers, times and durations (in the column's unit); a number
 * for floats (rounded to the column's precision); a string for utf8; a Uint8Array for binary; a Date, a number of
 * milliseconds or a bigint of the column's unit for dates and timestamps; a string, number or bigint for decimals.
 *
 * @throws SpiralError `type_mismatch` or `value_out_of_range` naming the column; `invalid_key` for null and for a wrong
 * number of values; `unsupported_type`.
 */
export function encodeKeyValues(
  values: readonly unknown[],
  types: readonly DataType[],
  names: readonly string[],
): Uint8Array<ArrayBuffer> {
  const forms = keyForms(types, names);
  if (values.length !== types.length) {
    throw new SpiralError(
      'invalid_key',
      `Expected a key of ${types.length} values (${names.join(', ')}), got ${values.length}. Give one value per key column.`,
      { details: { columns: names, found: values.length } },
    );
  }
  const columns = types.map((type, at) => oneRow(values[at], type, forms[at]!, columnName(names, at)));
  return keyAt(encodeKeys(columns, names), 0);
}

/**
 * The JS values of one key: bigint for 64-bit integers, times and durations, number for narrower ones and for floats (every
 * NaN alike, -0 as 0), string for utf8 and decimals, a copied Uint8Array for binary, Date for dates and for timestamps in s
 * and ms (a bigint of the unit where a Date cannot hold it), bigint for timestamps in us and ns. `encodeKeyValues` takes
 * them back.
 *
 * @throws SpiralError `invalid_key` where `key` is no key of `types`.
 */
export function decodeKey(key: Uint8Array, types: readonly DataType[]): unknown[] {
  // A Buffer's slice and map share or misplace memory; a plain copy behaves.
  const bytes = new Uint8Array(key);
  let at = 0;
  const values = keyForms(types).map((form, column) => {
    const type = types[column]!;
    if (form.kind === 'bytes') {
      const { raw, next } = unescaped(bytes, at, column);
      at = next;
      return form.text ? decoder.decode(raw) : raw;
    }
    const from = at;
    at += form.width;
    if (at > bytes.length) throw broken(bytes, column, `${form.width} bytes at ${from}`);
    return fixedValue(bytes.subarray(from, at), type, form);
  });
  if (at !== bytes.length) throw broken(bytes, types.length - 1, `the key to end at ${at}`);
  return values;
}

/** Keeps a leading U+FEFF, which is part of the value. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A key for messages: `(1, 'abc')`. */
export function keyText(bytes: Uint8Array, types: readonly DataType[]): string {
  return `(${decodeKey(bytes, types).map(valueText).join(', ')})`;
}

function valueText(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 80 ? `${value.slice(0, 77)}...` : value}'`;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, 16)).toString('hex');
    return `0x${hex}${value.length > 16 ? '...' : ''}`;
  }
  return String(value);
}

/** A column of one row, so that this way to a key and `encodeKeys` cannot differ. */
function oneRow(value: unknown, type: DataType, form: KeyForm, column: string): Data {
  if (value === null || value === undefined) {
    throw new SpiralError(
      'invalid_key',
      `Expected a value for key column '${column}' (${type}), got ${value}. Keys hold no nulls.`,
      { details: { column, expected: String(type), found: value } },
    );
  }
  const values = rawValue(value, type, form, column);
  if (form.kind !== 'bytes') return new Data(type, 0, 1, 0, [undefined, values]);
  const offsets = form.large ? BigInt64Array.of(0n, BigInt(values.length)) : Int32Array.of(0, values.length);
  return new Data(type, 0, 1, 0, [offsets as never, values]);
}

/** The value as Arrow stores it, lowest byte first. */
function rawValue(value: unknown, type: DataType, form: KeyForm, column: string): Uint8Array {
  switch (form.kind) {
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(column, type, 'a boolean', value);
      return Uint8Array.of(value ? 1 : 0);
    case 'whole':
      return littleEndian(wholeOf(value, type, form, column), form.width);
    case 'float':
      return floatBytes(doubleOf(value, type, form.width, column), form.width);
    case 'fixed':
      if (!(value instanceof Uint8Array)) throw mismatch(column, type, 'a Uint8Array', value);
      if (value.length !== form.width) throw outOfRange(column, type, `${form.width} bytes`, value);
      return value.slice();
    case 'bytes':
      return form.text ? textBytes(value, type, column) : binaryBytes(value, type, column);
  }
}

function textBytes(value: unknown, type: DataType, column: string): Uint8Array {
  if (typeof value !== 'string') throw mismatch(column, type, 'a string', value);
  if (/\p{Surrogate}/u.test(value)) throw outOfRange(column, type, 'well-formed text (no lone surrogate)', value);
  return new TextEncoder().encode(value);
}

function binaryBytes(value: unknown, type: DataType, column: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw mismatch(column, type, 'a Uint8Array', value);
  return value;
}

function littleEndian(value: bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(width);
  let rest = BigInt.asUintN(8 * width, value);
  for (let at = 0; at < width; at++, rest >>= 8n) bytes[at] = Number(rest & 255n);
  return bytes;
}

function floatBytes(value: number, width: 2 | 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(width));
  if (width === 2) view.setUint16(0, float16Bits(value), true);
  else if (width === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return new Uint8Array(view.buffer);
}

function fixedValue(key: Uint8Array, type: DataType, form: KeyForm): unknown {
  if (form.kind === 'bool') return key[0] === 1;
  if (form.kind === 'whole') return wholeValue(bigEndian(key, form.signed), type);
  if (form.kind === 'float') return floatValue(key);
  return key.slice();
}

function bigEndian(key: Uint8Array, signed: boolean): bigint {
  let value = 0n;
  for (const byte of key) value = (value << 8n) | BigInt(byte);
  return signed ? value - (1n << BigInt(8 * key.length - 1)) : value;
}

function floatValue(key: Uint8Array): number {
  const positive = key[0]! >= 0x80;
  const bits = key.map((byte, at) => (positive ? (at === 0 ? byte ^ 0x80 : byte) : byte ^ 0xff));
  const view = new DataView(bits.buffer);
  if (key.length === 2) return float16Value(view.getUint16(0));
  return key.length === 4 ? view.getFloat32(0) : view.getFloat64(0);
}

function unescaped(bytes: Uint8Array, from: number, column: number): { raw: Uint8Array; next: number } {
  const raw = new Uint8Array(bytes.length - from);
  let length = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte !== 0) {
      raw[length++] = byte;
      continue;
    }
    const mark = bytes[++at];
    if (mark === 1) return { raw: raw.slice(0, length), next: at + 1 };
    if (mark !== 0xff) throw broken(bytes, column, `0x00 to be followed by 0x01 or 0xff at ${at}`);
    raw[length++] = 0;
  }
  throw broken(bytes, column, 'the end mark 0x00 0x01');
}

function broken(bytes: Uint8Array, column: number, expected: string): SpiralError {
  return new SpiralError(
    'invalid_key',
    `Expected ${expected} in column ${column} of an encoded key, got ${bytes.length} bytes that do not hold it. ` +
      'The key was encoded with another schema or is damaged.',
    { details: { column, expected, bytes: bytes.length } },
  );
}
