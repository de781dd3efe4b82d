import { type Data, DataType, TimeUnit } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { readUnscaled } from '../arrow/decimal.js';
import { valueReader } from '../arrow/rows.js';

/** Gives the value of one row as `hyparquet-writer` takes it. */
type ParquetReader = (index: number) => unknown;

/**
 * Reads a column as Parquet stores it: text and bytes as views of the column's memory, times as integers of the unit of
 * `parquetSchema`, decimals unscaled, lists as arrays, structs as objects without a prototype.
 */
export function parquetReader(data: Data): ParquetReader {
  const read = soundReader(data);
  if (data.nullCount === 0) return read;
  const { nullBitmap, offset } = data;
  return (index) => (bitAt(nullBitmap, offset + index) ? read(index) : null);
}

function soundReader(data: Data): ParquetReader {
  const { type } = data;
  const values = data.values as ArrayLike<number | bigint>;
  if (DataType.isDate(type))
    return type.unit === 0 ? (index) => Number(values[index]) : (index) => BigInt(values[index]!);
  if (DataType.isTime(type)) {
    if (type.unit === TimeUnit.SECOND) return (index) => (values[index] as number) * 1000;
    return (index) => values[index];
  }
  if (DataType.isTimestamp(type)) {
    if (type.unit === TimeUnit.SECOND) return (index) => (values[index] as bigint) * 1000n;
    return (index) => values[index];
  }
  if (DataType.isDecimal(type)) {
    const words = data.values as Uint32Array;
    const width = type.bitWidth / 32;
    return (index) => readUnscaled(words, index * width, (index + 1) * width);
  }
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type) || DataType.isBinary(type) || DataType.isLargeBinary(type)) {
    const bytes = data.values as Uint8Array;
    const offsets = data.valueOffsets as ArrayLike<number | bigint>;
    return (index) => bytes.subarray(Number(offsets[index]), Number(offsets[index + 1]));
  }
  if (DataType.isFixedSizeBinary(type)) {
    const bytes = data.values as Uint8Array;
    return (index) => bytes.subarray(index * type.byteWidth, (index + 1) * type.byteWidth);
  }
  if (DataType.isList(type)) {
    const offsets = data.valueOffsets as ArrayLike<number>;
    return listReader(data, (index) => [offsets[index]!, offsets[index + 1]!]);
  }
  if (DataType.isFixedSizeList(type)) {
    return listReader(data, (index) => [index * type.listSize, (index + 1) * type.listSize]);
  }
  if (DataType.isStruct(type)) return structReader(data);
  if (DataType.isDictionary(type)) return dictionaryReader(data);
  return valueReader(data);
}

function listReader(data: Data, rangeOf: (index: number) => [number, number]): ParquetReader {
  const read = parquetReader(data.children[0]!);
  return (index) => {
    const [from, to] = rangeOf(index);
    return Array.from({ length: to - from }, (_, at) => read(from + at));
  };
}

function structReader(data: Data): ParquetReader {
  const fields = data.type.children.map(({ name }, at) => [name, parquetReader(data.children[at]!)] as const);
  return (index) => {
    const object = Object.create(null) as Record<string, unknown>;
    for (const [name, read] of fields) object[name] = read(index);
    return object;
  };
}

function dictionaryReader(data: Data): ParquetReader {
  const indices = data.values as ArrayLike<number | bigint>;
  const chunks = (data.dictionary?.data ?? []).map((chunk) => ({ length: chunk.length, read: parquetReader(chunk) }));
  const checked = valueReader(data);
  return (index) => {
    let at = Number(indices[index]);
    for (const { length, read } of chunks) {
      if (at >= 0 && at < length) return read(at);
      at -= length;
    }
    // Beyond the dictionary: the reader of values tells of it.
    return checked(index);
  };
}
