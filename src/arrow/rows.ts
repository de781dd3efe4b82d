import {
  type Data,
  DataType,
  type Dictionary,
  type FixedSizeList,
  type RecordBatch,
  type Struct,
  TimeUnit,
} from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { bitAt } from './bits.js';
import { formatDecimal, readUnscaled } from './decimal.js';
import { float16Value } from './float16.js';
import { supportedTypes } from './words.js';

/** Reads the value of one row of a column; `index` counts from the column's own first row. */
export type ValueReader = (index: number) => unknown;

/**
 * The rows of `batch` as plain objects, a key a column, with the values of {@link valueReader}.
 *
 * @throws SpiralError `unsupported_type`; `corrupt_file` for a dictionary index beyond its dictionary.
 */
export function batchRows(batch: RecordBatch): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = Array.from({ length: batch.numRows }, () => ({}));
  for (const [column, field] of batch.schema.fields.entries()) {
    const read = valueReader(batch.data.children[column]!);
    const put = keyWriter(field.name);
    for (let row = 0; row < rows.length; row++) put(rows[row]!, read(row));
  }
  return rows;
}

/** The value of row `index` of `data`, see {@link valueReader}, which is quicker for many rows of one column. */
export function valueAt(data: Data, index: number): unknown {
  return valueReader(data)(index);
}

/**
 * Reads `data`, which may be a slice, as plain JavaScript values that share no memory with it:
 *
 * int8 … uint32, floats, time32: number · int64, uint64, time64, duration: bigint · timestamp[s|ms], date32, date64: Date
 * (an invalid one beyond the range of Date) · timestamp[us|ns]: bigint in that unit · decimal: string with all its
 * digits · utf8: string · binary: Uint8Array · list, fixed_size_list: a typed array where the element type is an integer or
 * a float (float16 in a Float32Array) and none of the list's elements is null, else an array · struct: object ·
 * dictionary: the value itself · null: null.
 *
 * @throws SpiralError `unsupported_type`.
 */
export function valueReader(data: Data): ValueReader {
  const read = soundReader(data);
  if (data.nullCount === 0) return read;
  const { nullBitmap, offset } = data;
  return (index) => (bitAt(nullBitmap, offset + index) ? read(index) : null);
}

/** Writes one key of objects, also one that assignment would take for something else (`__proto__`). */
function keyWriter(key: string): (row: Record<string, unknown>, value: unknown) => void {
  if (!(key in Object.prototype)) {
    return (row, value) => {
      row[key] = value;
    };
  }
  return (row, value) => {
    Object.defineProperty(row, key, { value, enumerable: true, configurable: true, writable: true });
  };
}

function soundReader(data: Data): ValueReader {
  const { type } = data;
  if (DataType.isBool(type)) {
    const bits = data.values as Uint8Array;
    const { offset } = data;
    return (index) => bitAt(bits, offset + index);
  }
  if (DataType.isFloat(type) && type.precision === 0) {
    const halves = data.values as Uint16Array;
    return (index) => float16Value(halves[index]!);
  }
  if (DataType.isInt(type) || DataType.isFloat(type) || DataType.isTime(type) || DataType.isDuration(type)) {
    const values = data.values as ArrayLike<number | bigint>;
    return (index) => values[index];
  }
  if (DataType.isDate(type) || DataType.isTimestamp(type)) return timeReader(data);
  if (DataType.isDecimal(type)) {
    const words = data.values as Uint32Array;
    const width = type.bitWidth / 32;
    return (index) => formatDecimal(readUnscaled(words, index * width, (index + 1) * width), type.scale);
  }
  if (DataType.isFixedSizeBinary(type)) {
    const bytes = data.values as Uint8Array;
    return (index) => copied(bytes, index * type.byteWidth, (index + 1) * type.byteWidth);
  }
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return textReader(data);
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) {
    const bytes = data.values as Uint8Array;
    const offsets = data.valueOffsets as ArrayLike<number | bigint>;
    return (index) => copied(bytes, Number(offsets[index]), Number(offsets[index + 1]));
  }
  return nestedReader(data);
}

function timeReader(data: Data): ValueReader {
  const { type } = data;
  if (DataType.isDate(type)) {
    const dates = data.values as ArrayLike<number | bigint>;
    const ms = type.unit === 0 ? 86_400_000 : 1;
    return (index) => new Date(Number(dates[index]) * ms);
  }
  const times = data.values as BigInt64Array;
  const { unit } = type as DataType & { unit: TimeUnit };
  if (unit !== TimeUnit.SECOND && unit !== TimeUnit.MILLISECOND) return (index) => times[index];
  const ms = unit === TimeUnit.SECOND ? 1000 : 1;
  return (index) => new Date(Number(times[index]) * ms);
}

function textReader(data: Data): ValueReader {
  const values = data.values as Uint8Array;
  const offsets = data.valueOffsets as ArrayLike<number | bigint>;
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return (index) => bytes.toString('utf8', Number(offsets[index]), Number(offsets[index + 1]));
}

function nestedReader(data: Data): ValueReader {
  const { type } = data;
  if (DataType.isList(type)) {
    const offsets = data.valueOffsets as Int32Array;
    const read = rangeReader(data.children[0]!);
    return (index) => read(offsets[index]!, offsets[index + 1]!);
  }
  if (DataType.isFixedSizeList(type)) {
    const { listSize } = type as FixedSizeList;
    const read = rangeReader(data.children[0]!);
    return (index) => read(index * listSize, (index + 1) * listSize);
  }
  if (DataType.isStruct(type)) {
    const fields = (type as Struct).children.map((field, at) => ({
      read: valueReader(data.children[at]!),
      put: keyWriter(field.name),
    }));
    return (index) => {
      const object: Record<string, unknown> = {};
      for (const { read, put } of fields) put(object, read(index));
      return object;
    };
  }
  if (DataType.isDictionary(type)) return dictionaryReader(data, type);
  throw new SpiralError('unsupported_type', `Values of type ${type} cannot be read. Use ${supportedTypes}.`, {
    details: { type: String(type) },
  });
}

/** Reads the elements `start` to `end` of a list's child. */
function rangeReader(child: Data): (start: number, end: number) => unknown {
  const read = valueReader(child);
  const plain = (start: number, end: number): unknown[] => {
    const list: unknown[] = [];
    for (let index = start; index < end; index++) list.push(read(index));
    return list;
  };
  const { type } = child;
  if (!DataType.isInt(type) && !DataType.isFloat(type)) return plain;
  const values = child.values as Float64Array;
  // Not slice(): of a Buffer, which uint8 columns of a file may be, that is a view.
  const copy = type.ArrayType as Float64ArrayConstructor;
  const typed =
    DataType.isFloat(type) && type.precision === 0
      ? (start: number, end: number) => Float32Array.from(values.subarray(start, end), float16Value)
      : (start: number, end: number) => new copy(values.subarray(start, end));
  if (child.nullCount === 0) return typed;
  return (start, end) => {
    for (let index = start; index < end; index++)
      if (!bitAt(child.nullBitmap, child.offset + index)) return plain(start, end);
    return typed(start, end);
  };
}

function dictionaryReader(data: Data, type: Dictionary): ValueReader {
  const indices = data.values as ArrayLike<number | bigint>;
  const chunks = (data.dictionary?.data ?? []).map((chunk) => ({ length: chunk.length, read: valueReader(chunk) }));
  return (index) => {
    let at = Number(indices[index]);
    for (const { length, read } of chunks) {
      if (at >= 0 && at < length) return read(at);
      at -= length;
    }
    throw new SpiralError(
      'corrupt_file',
      `Index ${indices[index]} of a ${type} column, at row ${index} of its batch, lies beyond its dictionary.`,
      { details: { index: Number(indices[index]), row: index } },
    );
  };
}

function copied(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}
