import { Data, DataType, RecordBatch, type Schema, Table, Vector } from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';
import { type ColumnsLike, columnsToBatches, rowsToBatch } from './build.js';
import { elementType, isStructLike } from './infer.js';
import { RowCollector } from './row-collector.js';
import { toSchema } from './schema.js';

/** What an iterable of rows yields: rows by the batch (columns too, as `{ id: [1, 2] }`), or one by one. */
export type BatchLike = Table | RecordBatch | readonly object[] | object;
/** Rows in any of the forms that `write` takes. Streams are async iterables. */
export type RowsLike =
  | Table
  | RecordBatch
  | Iterable<BatchLike>
  | AsyncIterable<BatchLike>
  | readonly object[]
  | ColumnsLike;

/**
 * `data` as record batches: Arrow tables and batches as they are, an array of objects and an object of columns as one batch
 * (columns of chunked Vectors as several), an (async) iterable part by part, pulled one at a time and closed when the
 * consumer leaves. Single rows of an iterable are gathered, those with the same columns together. No rows, no batch.
 *
 * `schema` names the types of plain values, see `rowsToBatch`; in an iterable, columns keep the types that earlier batches
 * gave them. An object in an iterable is a row, unless the value for the first column of `schema` is a list of values.
 *
 * @throws SpiralError `invalid_rows` for anything else; `unsupported_type` and `invalid_schema` for Arrow columns that
 * this package does not take; else as `rowsToBatch` and `columnsToBatch`.
 */
export async function* toBatches(data: RowsLike, schema?: Schema, where = 'the rows'): AsyncGenerator<RecordBatch> {
  const reader: Reader = { what: where, schema, checked: undefined, rows: new RowCollector(), rowsBefore: 0 };
  if (isBatchLike(data)) {
    yield* batchesOf(data, reader);
  } else if (isAsyncIterable(data)) {
    for await (const part of data) yield* partsOf(part, reader);
    yield* collected(reader);
  } else if (isIterable(data)) {
    for (const part of data) yield* partsOf(part, reader);
    yield* collected(reader);
  } else if (isStructLike(data) && Object.keys(data).length > 0) {
    yield* columnsToBatches(data as ColumnsLike, schema, where).filter((batch) => batch.numRows > 0);
  } else throw unknownRows(data, where);
}

interface Reader {
  readonly what: string;
  /** Types for plain values: those given, and those found so far. */
  schema: Schema | undefined;
  /** The last Arrow schema that was found good. */
  checked: Schema | undefined;
  /** Single rows that are still to become a batch. */
  readonly rows: RowCollector;
  /** Rows in all batches so far. */
  rowsBefore: number;
}

/** The batches of one part of an iterable. */
function* partsOf(part: unknown, reader: Reader): Generator<RecordBatch> {
  if (isStructLike(part) && !isBatchLike(part) && !isColumns(part, reader.schema)) {
    if (reader.rows.add(part)) yield* collected(reader);
    return;
  }
  yield* collected(reader);
  if (!isStructLike(part) || isBatchLike(part)) yield* batchesOf(part, reader);
  else {
    for (const batch of columnsToBatches(part as ColumnsLike, reader.schema, whereOf(reader))) {
      if (batch.numRows > 0) yield counted(learnt(batch, reader), reader);
    }
  }
}

function* collected(reader: Reader): Generator<RecordBatch> {
  for (const rows of reader.rows.take()) yield* batchesOf(rows, reader);
}

function* batchesOf(part: unknown, reader: Reader): Generator<RecordBatch> {
  if (RecordBatch.isRecordBatch(part)) {
    checkSchema(part.schema, reader);
    yield counted(part, reader);
  } else if (Table.isTable(part)) {
    checkSchema(part.schema, reader);
    for (const batch of part.batches) yield counted(batch, reader);
  } else if (Array.isArray(part)) {
    if (part.some((row) => RecordBatch.isRecordBatch(row) || Table.isTable(row))) {
      for (const inner of part) yield* batchesOf(inner, reader);
    } else if (part.length > 0) {
      yield counted(learnt(rowsToBatch(part as readonly object[], reader.schema, whereOf(reader)), reader), reader);
    }
  } else throw unknownRows(part, whereOf(reader));
}

function counted(batch: RecordBatch, reader: Reader): RecordBatch {
  reader.rowsBefore += batch.numRows;
  return batch;
}

/** `batch`, whose types plain values that follow shall have. */
function learnt(batch: RecordBatch, reader: Reader): RecordBatch {
  const known = new Set(reader.schema?.fields.map((field) => field.name));
  const found = batch.schema.fields.filter((field) => !known.has(field.name));
  if (found.length > 0) reader.schema = toSchema([...(reader.schema?.fields ?? []), ...found], reader.what);
  return batch;
}

/** What messages call the rows that come next: rows are counted in each batch. */
function whereOf({ what, rowsBefore }: Reader): string {
  return rowsBefore === 0 ? what : `${what} behind the first ${rowsBefore}`;
}

/** Whether `part` is an object of columns, as the value for the first column of `schema` tells. */
function isColumns(part: Readonly<Record<string, unknown>>, schema: Schema | undefined): boolean {
  const [first] = schema?.fields ?? [];
  const value = first === undefined ? undefined : part[first.name];
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value) || Vector.isVector(value) || value instanceof Data) return !DataType.isList(first!.type);
  return elementType(value) !== undefined && !isBytes(first!.type);
}

function isBytes(type: DataType): boolean {
  return DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type);
}

function checkSchema(schema: Schema, reader: Reader): void {
  if (reader.checked === schema) return;
  toSchema(schema, whereOf(reader));
  reader.checked = schema;
}

function isBatchLike(data: unknown): boolean {
  return Array.isArray(data) || RecordBatch.isRecordBatch(data) || Table.isTable(data);
}

function isAsyncIterable(data: unknown): data is AsyncIterable<unknown> {
  return typeof data === 'object' && data !== null && Symbol.asyncIterator in data;
}

function isIterable(data: unknown): data is Iterable<unknown> {
  if (typeof data !== 'object' || data === null || elementType(data) !== undefined) return false;
  return Symbol.iterator in data;
}

function unknownRows(data: unknown, where: string): SpiralError {
  return new SpiralError(
    'invalid_rows',
    `Expected ${where} to be an Arrow Table or RecordBatch, an iterable of them or of rows, an array of objects or an object of ` +
      `columns ({ id: [1, 2], text: ['a', 'b'] }), got ${shown(data)}.`,
    { details: { where } },
  );
}
