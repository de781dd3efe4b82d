import { type Data, DataType, type RecordBatch, type Schema } from 'apache-arrow';
import { bitAt } from '../../arrow/bits.js';
import type { ValueArray } from '../../arrow/layout.js';
import { type ValueReader, valueReader } from '../../arrow/rows.js';
import { listed, nearest } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { jsonReader } from '../../format/jsonl-encoder.js';
import { mdsNumbers } from '../../format/mds-encoding.js';
import type { Sample } from './shard-layout.js';

/**
 * The encoding of each column of `schema`: as `given`, else by its type. Numbers are themselves, booleans `uint8`, text `str`,
 * bytes `bytes`, decimals `str_decimal`, dates and times `str`, durations `int64`, lists of numbers `ndarray` of their type
 * (and shape, where it is fixed), and all else `json`.
 *
 * @throws SpiralError `unknown_column` for one that is given and not there.
 */
export function encodingsOf(
  schema: Schema,
  given: Readonly<Record<string, string>> | undefined = {},
): Record<string, string> {
  const names = schema.fields.map(({ name }) => name);
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    throw new SpiralError(
      'unknown_column',
      `Expected columns of the scan in \`columns\`, got ${shown(name)}.${near.length > 0 ? ` Did you mean ${listed(near)}?` : ''}`,
      { details: { column: name, near } },
    );
  }
  return Object.fromEntries(
    schema.fields.map(({ name, type }) => [name, Object.hasOwn(given, name) ? given[name]! : encodingOf(type)]),
  );
}

function encodingOf(type: DataType): string {
  if (DataType.isDictionary(type)) return encodingOf(type.dictionary);
  const number = numberName(type);
  if (number !== undefined) return number;
  if (DataType.isBool(type)) return 'uint8';
  if (isText(type) || isTime(type)) return 'str';
  if (DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type)) return 'bytes';
  if (DataType.isDecimal(type)) return 'str_decimal';
  if (DataType.isDuration(type)) return 'int64';
  if (DataType.isList(type)) {
    const item = numberName(type.valueType);
    return item === undefined ? 'json' : `ndarray:${item}`;
  }
  const nested = nestedNumbers(type);
  return nested === undefined ? 'json' : `ndarray:${nested.name}:${nested.sides.join(',')}`;
}

function isTime(type: DataType): boolean {
  return DataType.isDate(type) || DataType.isTimestamp(type) || DataType.isTime(type);
}

/** The name that the format has for numbers of `type`. */
function numberName(type: DataType): string | undefined {
  if (!DataType.isInt(type) && !DataType.isFloat(type)) return undefined;
  const name = String(type).toLowerCase();
  return mdsNumbers.has(name) ? name : undefined;
}

/** The numbers of fixed-size lists in each other, and how many each has, outermost first. */
function nestedNumbers(type: DataType): { name: string; sides: number[] } | undefined {
  const sides: number[] = [];
  let inner = type;
  for (; DataType.isFixedSizeList(inner); inner = inner.children[0]!.type as DataType) sides.push(inner.listSize);
  const name = numberName(inner);
  return name === undefined || sides.length === 0 || sides.includes(0) ? undefined : { name, sides };
}

/**
 * The rows of `batch` as samples for a writer with these `encodings`, the first being sample number `first`. One object is
 * used for all: it is to be copied. @throws SpiralError `type_mismatch` for text that is no JSON where it is to be.
 */
export function* samplesOf(
  batch: RecordBatch,
  encodings: Readonly<Record<string, string>>,
  first: number,
): Generator<Sample, void> {
  const columns = batch.schema.fields.map(({ name, type }, at) => {
    return [name, sampleReader(type as DataType, batch.data.children[at]!, encodings[name]!)] as const;
  });
  const sample = Object.create(null) as Record<string, unknown>;
  for (let row = 0; row < batch.numRows; row++) {
    for (const [name, read] of columns) {
      const value = read(row);
      if (value === notJson) throw refusedText(name, first + row);
      sample[name] = value;
    }
    yield sample;
  }
}

/** What stands for text that is no JSON. */
const notJson: unique symbol = Symbol('no JSON');

function refusedText(column: string, sample: number): SpiralError {
  return new SpiralError(
    'type_mismatch',
    `Expected JSON in the text of column '${column}' in sample ${sample}, as its encoding is json, got other text. Take 'str' for it.`,
    { details: { column, sample } },
  );
}

/** Reads a column as values that a writer takes for `encoding`. */
function sampleReader(type: DataType, data: Data, encoding: string): ValueReader {
  if (encoding === 'json') return jsonBytes(type, data);
  const value = valueReader(data);
  if (DataType.isBool(type)) return (row) => asNumber(value(row));
  if (isTime(type)) return encoding === 'str' ? timeText(data) : timeNumber(data, value);
  if (isText(type) && (encoding === 'str_int' || encoding === 'str_float')) return textBytes(value);
  if (!encoding.startsWith('ndarray')) return value;
  if (DataType.isFixedSizeList(type)) return nestedReader(type, data) ?? value;
  if (!DataType.isStruct(type)) return value;
  // As data sets are read: a shape, and values or bytes of a dtype.
  return (row) => {
    const array = value(row);
    return array !== null && typeof array === 'object' && 'values' in array ? { ...array, data: array.values } : array;
  };
}

const asNumber = (value: unknown): unknown => (typeof value === 'boolean' ? Number(value) : value);

function isText(type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type);
}

/** Text that is stored as it is, once it was checked. */
function textBytes(value: ValueReader): ValueReader {
  return (row) => {
    const text = value(row);
    return typeof text === 'string' ? Buffer.from(text) : text;
  };
}

/** Text is JSON already; of all else it is made. */
function jsonBytes(type: DataType, data: Data): ValueReader {
  if (!isText(type)) {
    const text = jsonReader(data);
    return (row) => Buffer.from(text(row));
  }
  const value = valueReader(data);
  return (row) => {
    const text = value(row);
    if (typeof text !== 'string') return text;
    return isJson(text) ? Buffer.from(text) : notJson;
  };
}

/** Whether Python's `json` reads `text`, which knows NaN and infinities too. */
function isJson(text: string): boolean {
  for (const candidate of [text, text.replace(/-?Infinity|NaN/g, '0')]) {
    try {
      JSON.parse(candidate);
      return true;
    } catch {
      // The other may do.
    }
  }
  return false;
}

function timeText(data: Data): ValueReader {
  const text = jsonReader(data);
  return (row) => {
    const found = text(row);
    return found === 'null' ? null : found.slice(1, -1);
  };
}

/** Times as whole numbers of their unit. */
function timeNumber(data: Data, value: ValueReader): ValueReader {
  const values = data.values as ArrayLike<number | bigint>;
  return (row) => (value(row) === null ? null : values[row]);
}

/** Fixed-size lists in each other as the values of one array, without a copy; null where any of it is. */
function nestedReader(type: DataType, data: Data): ValueReader | undefined {
  const nested = nestedNumbers(type);
  if (nested === undefined) return undefined;
  const { name: dtype, sides: shape } = nested;
  // What each level has for one row.
  const levels = [{ level: data, count: 1 }];
  for (const side of shape) {
    const { level, count } = levels.at(-1)!;
    levels.push({ level: level.children[0]!, count: count * side });
  }
  const { level: leaf, count } = levels.at(-1)!;
  const values = leaf.values as ValueArray;
  const sparse = levels.filter(({ level }) => level.nullCount > 0);
  return (row) => {
    if (sparse.some((part) => hasNull(part.level, row * part.count, part.count))) return null;
    return { shape, data: values.subarray(row * count, (row + 1) * count), dtype };
  };
}

function hasNull({ nullBitmap, offset }: Data, from: number, count: number): boolean {
  for (let at = 0; at < count; at++) if (!bitAt(nullBitmap, offset + from + at)) return true;
  return false;
}
