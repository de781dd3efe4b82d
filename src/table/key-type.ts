import { DataType, DateUnit } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';

/**
 * How values of a key column become bytes.
 *
 * - `bool`, 1 byte: 0 or 1.
 * - `whole`, `width` bytes: an integer (also dates, times, timestamps, durations, the unscaled decimal), highest byte
 *   first, the sign bit turned over.
 * - `float`, `width` bytes: highest byte first, all bits turned over below zero, else the sign bit; -0 is 0, every NaN is
 *   one NaN above +Infinity.
 * - `fixed`, `width` bytes as they are.
 * - `bytes`, any length: 0x00 becomes 0x00 0xFF, the end is 0x00 0x01, so that no key is the prefix of another.
 */
export type KeyForm =
  | { readonly kind: 'bool'; readonly width: 1 }
  | { readonly kind: 'whole'; readonly width: number; readonly signed: boolean }
  | { readonly kind: 'float'; readonly width: 2 | 4 | 8 }
  | { readonly kind: 'fixed'; readonly width: number }
  | { readonly kind: 'bytes'; readonly width: 0; readonly large: boolean; readonly text: boolean };

/** Whether columns of `type` may be part of a key: numbers, decimals, dates and times, text, bytes and booleans. */
export function isKeyType(type: DataType): boolean {
  return formOf(type) !== undefined;
}

/**
 * The byte form of each key column.
 *
 * @throws SpiralError `invalid_key` where there is no column; `unsupported_type` naming the column that has no order.
 */
export function keyForms(types: readonly DataType[], names?: readonly string[]): KeyForm[] {
  if (types.length === 0) {
    throw new SpiralError(
      'invalid_key',
      'Expected a key of at least one column, got none. Name a column in the key schema.',
    );
  }
  return types.map((type, at) => {
    const form = formOf(type);
    if (form !== undefined) return form;
    const column = columnName(names, at);
    throw new SpiralError(
      'unsupported_type',
      `Expected key column '${column}' to be of a type with an order (bool, integer, float, decimal, utf8, binary, ` +
        `fixed_size_binary, date, time, timestamp or duration), got ${type}. Choose another key column or cast it.`,
      { details: { column, found: String(type) } },
    );
  });
}

/** What messages call key column `at`. */
export function columnName(names: readonly string[] | undefined, at: number): string {
  return names?.[at] ?? `#${at}`;
}

function formOf(type: DataType): KeyForm | undefined {
  if (DataType.isBool(type)) return { kind: 'bool', width: 1 };
  if (DataType.isInt(type)) return { kind: 'whole', width: type.bitWidth / 8, signed: type.isSigned };
  if (DataType.isFloat(type)) return { kind: 'float', width: floatWidths[type.precision]! };
  if (DataType.isDate(type)) return { kind: 'whole', width: type.unit === DateUnit.DAY ? 4 : 8, signed: true };
  if (DataType.isTime(type)) return { kind: 'whole', width: type.bitWidth / 8, signed: true };
  if (DataType.isTimestamp(type) || DataType.isDuration(type)) return { kind: 'whole', width: 8, signed: true };
  if (DataType.isDecimal(type)) {
    const known = type.bitWidth === 128 || type.bitWidth === 256;
    return known ? { kind: 'whole', width: type.bitWidth / 8, signed: true } : undefined;
  }
  if (DataType.isFixedSizeBinary(type))
    return type.byteWidth > 0 ? { kind: 'fixed', width: type.byteWidth } : undefined;
  if (DataType.isUtf8(type)) return { kind: 'bytes', width: 0, large: false, text: true };
  if (DataType.isLargeUtf8(type)) return { kind: 'bytes', width: 0, large: true, text: true };
  if (DataType.isBinary(type)) return { kind: 'bytes', width: 0, large: false, text: false };
  if (DataType.isLargeBinary(type)) return { kind: 'bytes', width: 0, large: true, text: false };
  return undefined;
}

/** Bytes by Arrow's `Precision`: half, single, double. */
const floatWidths = [2, 4, 8] as const;
