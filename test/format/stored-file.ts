import { type Data, DataType, type RecordBatch, type Schema } from 'apache-arrow';
import fc from 'fast-check';
import { buildColumn, columnsToBatch } from '../../src/arrow/build.js';
import { hasInnerDictionary } from '../../src/arrow/flat.js';
import { valueReader } from '../../src/arrow/rows.js';
import { toSchema } from '../../src/arrow/schema.js';
import { parseType } from '../../src/arrow/words.js';
import { isSpiralError, type SpiralError } from '../../src/core/errors.js';
import type { Verify } from '../../src/core/verify.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { type ReadRequest, readRows } from '../../src/format/arrow-read.js';
import { ArrowFileWriter, type WrittenFile } from '../../src/format/arrow-writer.js';
import type { Compression } from '../../src/format/codec.js';
import type { ReadCounters } from '../../src/format/stored-buffers.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { arbValue, arbWords, canonical } from '../arrow/arbitrary.js';

/** The name of the only file in the stores made here. */
export const path = 'data.arrow';

/** Batches of one schema, and the values of each of their columns. */
export interface Source {
  readonly schema: Schema;
  readonly batches: readonly RecordBatch[];
  /** `values[column][batch][row]`, as reading shall give them. */
  readonly values: readonly (readonly (readonly unknown[])[])[];
}

/** Several batches of a random schema, some of them slices, each with dictionaries of its own. */
export function arbSource(
  options: { columnsMax?: number; batchesMax?: number; rowsMax?: number } = {},
): fc.Arbitrary<Source> {
  const { columnsMax = 4, batchesMax = 4, rowsMax = 24 } = options;
  const words = arbWords(2).filter((type) => !hasInnerDictionary(parseType(type)));
  return fc.array(words, { minLength: 1, maxLength: columnsMax }).chain((types) => {
    const schema = toSchema(
      types.map((type, at) => [`c${at}`, type] as const),
      'the test',
    );
    return fc
      .array(arbRows(schema, rowsMax), { maxLength: batchesMax })
      .map((drawn): Source => toSource(schema, drawn));
  });
}

interface DrawnBatch {
  readonly columns: readonly (readonly unknown[])[];
  readonly from: number;
  readonly to: number;
}

function arbRows(schema: Schema, rowsMax: number): fc.Arbitrary<DrawnBatch> {
  return fc.tuple(fc.nat(rowsMax), fc.nat(), fc.nat(), fc.boolean()).chain(([length, a, b, whole]) =>
    fc.tuple(...schema.fields.map(({ type }) => arbCells(type, length))).map((columns) => {
      const from = whole ? 0 : a % (length + 1);
      return { columns, from, to: whole ? length : from + (b % (length - from + 1)) };
    }),
  );
}

function arbCells(type: DataType, length: number): fc.Arbitrary<readonly unknown[]> {
  const lengths = { minLength: length, maxLength: length };
  const cells = fc.array(arbValue(type), lengths);
  if (!DataType.isDictionary(type)) return cells;
  const few = fc.array(arbValue(type), { minLength: 1, maxLength: 4 });
  return few.chain((values) => fc.array(fc.constantFrom(...values), lengths));
}

function toSource(schema: Schema, drawn: readonly DrawnBatch[]): Source {
  const batches = drawn.map(({ columns, from, to }) => batchOf(schema, columns).slice(from, to));
  const values = schema.fields.map(({ type }, column) =>
    drawn.map(({ columns, from, to }) => columns[column]!.slice(from, to).map((value) => canonical(type, value))),
  );
  return { schema, batches, values };
}

/** A batch of `columns` of values. */
export function batchOf(schema: Schema, columns: readonly (readonly unknown[])[]): RecordBatch {
  const built = schema.fields.map(({ name, type }, at) => [
    name,
    buildColumn(name, type, columns[at]!, columns[at]!.length, 'the test'),
  ]);
  return columnsToBatch(Object.fromEntries(built), schema);
}

/** The bytes of a file with `batches`. */
export async function fileBytes(
  schema: Schema,
  batches: readonly RecordBatch[],
  compression: Compression = 'none',
): Promise<{ bytes: Uint8Array; written: WrittenFile }> {
  const writer = await ArrowFileWriter.create(schema, compression);
  const chunks = [...writer.start(), ...batches.flatMap((batch) => writer.batch(batch))];
  const { chunks: last, file } = writer.finish();
  return { bytes: new Uint8Array(Buffer.concat([...chunks, ...last])), written: file };
}

/** A store that holds `bytes` as {@link path}. */
export async function storeOf(bytes: Uint8Array): Promise<ObjectStore> {
  const store = memoryStore();
  await store.put(path, bytes);
  return store;
}

/** A file with `batches`, opened. */
export async function openedFile(
  schema: Schema,
  batches: readonly RecordBatch[],
  compression: Compression = 'none',
): Promise<ArrowFile> {
  const { bytes } = await fileBytes(schema, batches, compression);
  return ArrowFile.open(await storeOf(bytes), path, bytes.byteLength);
}

/** What to read: by default every column, verified on the first read. */
export function request(
  file: ArrowFile,
  options: { columns?: readonly number[]; verify?: Verify; counters?: ReadCounters } = {},
): ReadRequest {
  return { columns: Array.from(file.schema.fields.keys()), verify: 'first', ...options };
}

/** The values of `data`. */
export function valuesOf(data: Data): unknown[] {
  const read = valueReader(data);
  return Array.from({ length: data.length }, (_, row) => read(row));
}

/** Every value of `file`: `[column][batch][row]`. */
export async function allValues(file: ArrowFile, verify: Verify = 'first'): Promise<unknown[][][]> {
  const read = await Promise.all(
    file.index.batches.map(({ rows }, batch) => readRows(file, batch, 0, rows, request(file, { verify }))),
  );
  return file.schema.fields.map((_, column) => read.map((batch) => valuesOf(batch[column]!)));
}

/** The SpiralError that `work` rejects with; anything else it does is a failure. */
export async function refusal(work: Promise<unknown>): Promise<SpiralError> {
  try {
    await work;
  } catch (error) {
    if (isSpiralError(error)) return error;
    throw error;
  }
  throw new Error('Expected an error, got none.');
}
