import { RecordBatch, type Schema, Table } from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';
import { type ColumnsLike, columnsToBatches, rowsToBatch } from './build.js';
import { elementType, isStructLike } from './infer.js';
import { toSchema } from './schema.js';

/** What an iterable of rows yields: rows by the batch. */
export type BatchLike = Table | RecordBatch | readonly object[];
/** Rows in any of the forms that `write` takes. */
export type RowsLike =
  | Table
  | RecordBatch
  | Iterable<Table | RecordBatch>
  | AsyncIterable<BatchLike>
  | readonly object[]
  | ColumnsLike;

/**
 * `data` as record batches: Arrow tables and batches as they are, an array of objects and an object of columns as one batch
 * (columns of chunked Vectors as several), an (async) iterable batch by batch, pulled one at a time and closed when the
 * consumer leaves. No rows, no batch.
 *
 * `schema` names the types of plain values, see `rowsToBatch`; in an iterable of arrays, columns keep the types that
 * earlier batches gave them.
 *
 * @throws SpiralError `invalid_rows` for anything else; `unsupported_type` and `invalid_schema` for Arrow columns that
 * this package does not take; else as `rowsToBatch` and `columnsToBatch`.
 */
export async function* toBatches(data: RowsLike, schema?: Schema, where = 'the rows'): AsyncGenerator<RecordBatch> {
  const reader: Reader = { where, schema, checked: undefined };
  if (isBatchLike(data)) {
    yield* batchesOf(data, reader);
  } else if (isAsyncIterable(data)) {
    for await (const part of data) yield* batchesOf(part, reader);
  } else if (isIterable(data)) {
    for (const part of data) yield* batchesOf(part, reader);
  } else if (isStructLike(data) && Object.keys(data).length > 0) {
    yield* columnsToBatches(data as ColumnsLike, schema, where).filter((batch) => batch.numRows > 0);
  } else throw unknownRows(data, where);
}

interface Reader {
  readonly where: string;
  /** Types for plain values: those given, and those found so far. */
  schema: Schema | undefined;
  /** The last Arrow schema that was found good. */
  checked: Schema | undefined;
}

function* batchesOf(part: unknown, reader: Reader): Generator<RecordBatch> {
  if (RecordBatch.isRecordBatch(part)) {
    checkSchema(part.schema, reader);
    yield part;
  } else if (Table.isTable(part)) {
    checkSchema(part.schema, reader);
    yield* part.batches;
  } else if (Array.isArray(part)) {
    if (part.some((row) => RecordBatch.isRecordBatch(row) || Table.isTable(row))) {
      for (const inner of part) yield* batchesOf(inner, reader);
    } else if (part.length > 0) {
      const batch = rowsToBatch(part as readonly object[], reader.schema, reader.where);
      const known = new Set(reader.schema?.fields.map((field) => field.name));
      const found = batch.schema.fields.filter((field) => !known.has(field.name));
      if (found.length > 0) reader.schema = toSchema([...(reader.schema?.fields ?? []), ...found], reader.where);
      yield batch;
    }
  } else throw unknownRows(part, reader.where);
}

function checkSchema(schema: Schema, reader: Reader): void {
  if (reader.checked === schema) return;
  toSchema(schema, reader.where);
  reader.checked = schema;
}

function isBatchLike(data: unknown): data is BatchLike {
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
    `Expected ${where} to be an Arrow Table or RecordBatch, an iterable of them, an array of objects or an object of ` +
      `columns ({ id: [1, 2], text: ['a', 'b'] }), got ${shown(data)}.`,
    { details: { where } },
  );
}
