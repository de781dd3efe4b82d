import { Data, DataType, Field, type FixedSizeList, RecordBatch, type Schema, Struct, Vector } from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';
import { buildBinaries, buildFixedBinaries, buildStrings } from './build-bytes.js';
import { makeColumn, noNulls, type Place } from './build-data.js';
import { buildDictionaries, buildFixedLists, buildLists, buildStructs } from './build-nested.js';
import { buildBools, buildDecimals, buildFloats, buildInts } from './build-numbers.js';
import { buildDays, buildTimesOfDay, buildTimestamps } from './build-times.js';
import { elementType, fittedType, inferType, isStructLike } from './infer.js';
import type { ValueArray } from './layout.js';
import { sameType, toSchema } from './schema.js';
import { supportedTypes, typeWords } from './words.js';

/** One column of plain values, or one that is Arrow already. */
export type ColumnLike = ArrayLike<unknown> | Vector | Data;
/** Columns by name. */
export type ColumnsLike = Readonly<Record<string, ColumnLike>>;

/**
 * JavaScript values as one contiguous Arrow column of `type`, `length` rows long. null and undefined are nulls. Nothing is
 * rounded or cut in silence, but for floats, which take the nearest value they can hold:
 *
 * | type | takes |
 * | --- | --- |
 * | int8 … uint64, duration, time32, time64 | number or bigint in range, times in the type's unit; beyond 2^53 bigint only |
 * | float16, float32, float64 | number that stays finite |
 * | bool | true and false |
 * | utf8, large_utf8 | string without lone surrogates |
 * | binary, large_binary, fixed_size_binary | Uint8Array (so Buffer), ArrayBuffer |
 * | timestamp, date32, date64 | Date or number, both milliseconds since the epoch; bigint in the type's unit |
 * | decimal128, decimal256 | string, bigint, number: `'1.50'`, `2n`, `0.5` |
 * | list, fixed_size_list | array, typed array, Arrow Vector |
 * | struct | object; a missing key is null, an unknown one that is not null is refused |
 * | dictionary | what its value type takes |
 *
 * A typed array of the type's own kind is used as it is, without a copy. `where` stands in the errors.
 *
 * @throws SpiralError `type_mismatch`, `value_out_of_range` naming column, row, type and value; `limit_exceeded` beyond
 * 2^31 - 1 bytes or elements in a column with 32-bit offsets; `invalid_rows` if there are not `length` values;
 * `unsupported_type`.
 */
export function buildColumn(
  name: string,
  type: DataType,
  values: ArrayLike<unknown> | Iterable<unknown>,
  length: number,
  where: string,
): Data {
  const list = 'length' in values ? values : Array.from(values);
  if (list.length !== length) {
    throw new SpiralError(
      'invalid_rows',
      `Expected ${length} values in column '${name}' of ${where}, got ${list.length}.`,
      { details: { where, column: name, expected: length, found: list.length } },
    );
  }
  return build(type, list, length, { where, column: name, rowOf: (index) => index });
}

/**
 * An object of columns as one record batch, columns in the object's order.
 *
 * A column's type is that of `schema` where it has the name, else its own (Arrow, typed arrays: Int32Array is int32), else
 * inferred; see `inferType` and `fittedType`. A column of which nothing but nulls is known is left out. A typed array for a
 * `fixed_size_list<T>[n]` column of `schema` (nested ones too) may be flat, `rows * n` long: `[rows, 784]` pixels in one
 * Uint8Array are used without a copy. Columns that are Arrow already pass as they are.
 *
 * @throws SpiralError as {@link buildColumn}; `invalid_rows` for columns of unequal length and for Vectors of several
 * chunks (see {@link columnsToBatches}); `invalid_schema` for a bad name.
 */
export function columnsToBatch(columns: ColumnsLike, schema?: Schema, where = 'the columns'): RecordBatch {
  const batches = columnsToBatches(columns, schema, where);
  if (batches.length === 1) return batches[0]!;
  throw new SpiralError(
    'invalid_rows',
    `Expected columns of one chunk in ${where}, got Vectors that make ${batches.length} batches. Pass an Arrow Table.`,
    { details: { where, batches: batches.length } },
  );
}

/** As {@link columnsToBatch}, cut wherever a Vector among the columns is cut into chunks; at least one batch. */
export function columnsToBatches(columns: ColumnsLike, schema?: Schema, where = 'the columns'): RecordBatch[] {
  const hints = new Map(schema?.fields.map((field) => [field.name, field]));
  const lengths = new Map<string, number>();
  for (const [name, column] of Object.entries(columns)) {
    lengths.set(name, rowsIn(name, column, hints.get(name)?.type, where));
  }
  const length = commonLength(lengths, where);
  const fields: Field[] = [];
  const chunks: (readonly Data[])[] = [];
  for (const [name, column] of Object.entries(columns)) {
    const hint = hints.get(name);
    const made = chunksOf(name, column, hint?.type, length, where);
    if (made === undefined) continue;
    fields.push(new Field(name, made.type, true, hint?.metadata));
    chunks.push(made.chunks);
  }
  return cut(toSchema(fields, where), chunks, length);
}

/**
 * An array of objects as one record batch. Its columns are the keys of all rows in first-seen order, typed as in
 * {@link columnsToBatch}; a row without a key has a null there, and a key that is null in every row and that `schema` does
 * not know is left out.
 *
 * @throws SpiralError `invalid_rows` for a row that is no object; else as {@link columnsToBatch}.
 */
export function rowsToBatch(rows: readonly object[], schema?: Schema, where = 'the rows'): RecordBatch {
  const columns = new Map<string, unknown[]>();
  for (let row = 0; row < rows.length; row++) {
    const value: unknown = rows[row];
    if (!isStructLike(value)) {
      throw new SpiralError('invalid_rows', `Expected row ${row} of ${where} to be an object, got ${shown(value)}.`, {
        details: { where, row },
      });
    }
    for (const key of Object.keys(value)) {
      let column = columns.get(key);
      if (column === undefined) columns.set(key, (column = new Array<unknown>(rows.length)));
      column[row] = value[key];
    }
  }
  const fields: Field[] = [];
  const children: Data[] = [];
  for (const [name, values] of columns) {
    const hint = schema?.fields.find((field) => field.name === name);
    const type = plainType(name, values, hint?.type, where);
    if (type === undefined) continue;
    fields.push(new Field(name, type, true, hint?.metadata));
    children.push(buildColumn(name, type, values, rows.length, where));
  }
  return makeBatch(toSchema(fields, where), rows.length, children);
}

function build(type: DataType, values: ArrayLike<unknown>, length: number, place: Place): Data {
  const own = ownMemory(type, values);
  if (own !== undefined) return makeColumn(type, length, noNulls, { values: own });
  if (DataType.isInt(type) || DataType.isDuration(type)) return buildInts(type, values, length, place);
  if (DataType.isFloat(type)) return buildFloats(type, values, length, place);
  if (DataType.isBool(type)) return buildBools(type, values, length, place);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return buildStrings(type, values, length, place);
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return buildBinaries(type, values, length, place);
  if (DataType.isFixedSizeBinary(type)) return buildFixedBinaries(type, values, length, place);
  if (DataType.isDate(type)) {
    return type.unit === 0 ? buildDays(type, values, length, place) : buildTimestamps(type, values, length, place);
  }
  if (DataType.isTimestamp(type)) return buildTimestamps(type, values, length, place);
  if (DataType.isTime(type)) return buildTimesOfDay(type, values, length, place);
  if (DataType.isDecimal(type)) return buildDecimals(type, values, length, place);
  if (DataType.isList(type)) return buildLists(type, values, length, place, build);
  if (DataType.isFixedSizeList(type)) return buildFixedLists(type, values, length, place, build);
  if (DataType.isStruct(type)) return buildStructs(type, values, length, place, build);
  if (DataType.isDictionary(type)) return buildDictionaries(type, values, length, place, build);
  throw new SpiralError(
    'unsupported_type',
    `Column '${place.column}' of ${place.where} has the type ${type}, which is not supported. Use ${supportedTypes}.`,
    { details: { where: place.where, column: place.column, type: String(type) } },
  );
}

/** The values themselves where they are in memory as the type keeps them. */
function ownMemory(type: DataType, values: ArrayLike<unknown>): ValueArray | undefined {
  const own = elementType(values);
  if (own === undefined) return undefined;
  const array = values as unknown as ValueArray;
  if (sameType(own, type)) {
    // Buffers and clamped arrays become plain views of their memory.
    return DataType.isInt(own) && own.bitWidth === 8 && !own.isSigned
      ? new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
      : array;
  }
  const keepsUnits =
    DataType.isTimestamp(type) || DataType.isDuration(type) || (DataType.isDate(type) && type.unit === 1);
  return keepsUnits && array instanceof BigInt64Array ? array : undefined;
}

function rowsIn(name: string, column: ColumnLike, hint: DataType | undefined, where: string): number {
  const isColumn = typeof column === 'object' && column !== null && typeof column.length === 'number';
  if (!isColumn) {
    throw new SpiralError(
      'invalid_rows',
      `Expected column '${name}' of ${where} to be an array, typed array or Arrow Vector, got ${shown(column)}. ` +
        'Put rows that are objects into an array: [row].',
      { details: { where, column: name } },
    );
  }
  if (hint === undefined || !isFlat(column, hint)) return column.length;
  const size = flatSize(hint);
  if (column.length % size === 0) return column.length / size;
  throw new SpiralError(
    'invalid_rows',
    `Expected column '${name}' (${typeWords(hint)}) of ${where} to hold a multiple of ${size} elements, got ${column.length}.`,
    { details: { where, column: name, size, found: column.length } },
  );
}

function isFlat(column: ColumnLike, type: DataType): type is FixedSizeList {
  return DataType.isFixedSizeList(type) && elementType(column) !== undefined;
}

function flatSize(type: DataType): number {
  return DataType.isFixedSizeList(type) ? type.listSize * flatSize(type.valueType) : 1;
}

function buildFlat(type: DataType, values: ArrayLike<unknown>, length: number, place: Place): Data {
  if (!DataType.isFixedSizeList(type)) return build(type, values, length, place);
  const { listSize, valueType } = type;
  const rowOf = (index: number): number => place.rowOf(Math.floor(index / listSize));
  const child = buildFlat(valueType, values, length * listSize, { ...place, column: `${place.column}[]`, rowOf });
  return makeColumn(type, length, noNulls, { children: [child] });
}

function chunksOf(
  name: string,
  column: ColumnLike,
  hint: DataType | undefined,
  length: number,
  where: string,
): { type: DataType; chunks: readonly Data[] } | undefined {
  const chunks = Vector.isVector(column) ? column.data : column instanceof Data ? [column] : undefined;
  if (chunks !== undefined) {
    const { type } = column as Vector | Data;
    if (hint === undefined || sameType(hint, type)) return { type, chunks };
    throw new SpiralError(
      'type_mismatch',
      `Expected the Arrow column '${name}' of ${where} to be ${typeWords(hint)}, as the schema says, got ${typeWords(type)}. Cast it first.`,
      { details: { where, column: name, expected: typeWords(hint), found: typeWords(type) } },
    );
  }
  const values = column as ArrayLike<unknown>;
  if (hint !== undefined && isFlat(column, hint)) {
    return { type: hint, chunks: [buildFlat(hint, values, length, { where, column: name, rowOf: (index) => index })] };
  }
  const type = plainType(name, values, hint, where);
  return type && { type, chunks: [buildColumn(name, type, values, length, where)] };
}

function plainType(
  name: string,
  values: ArrayLike<unknown>,
  hint: DataType | undefined,
  where: string,
): DataType | undefined {
  if (hint !== undefined) return fittedType(name, hint, values, where);
  return elementType(values) ?? inferType(name, values, where);
}

function commonLength(lengths: ReadonlyMap<string, number>, where: string): number {
  const [length = 0] = lengths.values();
  if ([...lengths.values()].every((other) => other === length)) return length;
  const found = [...lengths].map(([name, rows]) => `'${name}' ${rows}`).join(', ');
  throw new SpiralError('invalid_rows', `Expected columns of equal length in ${where}, got rows: ${found}.`, {
    details: { where, lengths: Object.fromEntries(lengths) },
  });
}

function cut(schema: Schema, columns: readonly (readonly Data[])[], length: number): RecordBatch[] {
  const ends = new Set<number>();
  for (const chunks of columns) {
    let end = 0;
    for (const chunk of chunks) if (chunk.length > 0) ends.add((end += chunk.length));
  }
  if (ends.size === 0) ends.add(length);
  let start = 0;
  return [...ends]
    .sort((a, b) => a - b)
    .map((end) => {
      const children = columns.map((chunks) => sliceOf(chunks, start, end - start));
      const batch = makeBatch(schema, end - start, children);
      start = end;
      return batch;
    });
}

/** Rows `start` to `start + length` of a chunked column; they lie in one chunk. */
function sliceOf(chunks: readonly Data[], start: number, length: number): Data {
  let before = 0;
  for (const chunk of chunks) {
    if (start < before + chunk.length || length === 0) {
      return start === before && length === chunk.length ? chunk : chunk.slice(start - before, length);
    }
    before += chunk.length;
  }
  throw new SpiralError('internal', `Row ${start} lies beyond the ${before} rows of its column.`);
}

function makeBatch(schema: Schema, length: number, children: Data[]): RecordBatch {
  return new RecordBatch(schema, new Data(new Struct(schema.fields), 0, length, 0, undefined, children));
}
