import type { Data, RecordBatch, Schema } from 'apache-arrow';
import { buildColumn, columnsToBatch } from '../../../src/arrow/build.js';
import { hasInnerDictionary } from '../../../src/arrow/flat.js';
import { valueReader } from '../../../src/arrow/rows.js';
import { toSchema } from '../../../src/arrow/schema.js';
import type { RowFile, RowFileFormat } from '../../../src/format/row-file.js';
import { memoryStore } from '../../../src/storage/memory-store.js';

/** Few rows, with a column of every layout: what is small is hit often. */
export const seedSchema: Schema = toSchema(
  {
    n: 'int32',
    wide: 'int64',
    flag: 'bool',
    real: 'float64',
    text: 'utf8',
    bytes: 'binary',
    word: 'dictionary<int8, utf8>',
    list: 'list<int16>',
    texts: 'list<utf8>',
    pair: 'fixed_size_list<float32>[2]',
    inner: 'struct<{a: bool, b: list<uint8>}>',
    day: 'timestamp[ms, UTC]',
    money: 'decimal128(20, 2)',
  },
  'the seeds of fuzzing',
);

const ways: readonly ((row: number) => unknown)[] = [
  (row) => row * 1001,
  (row) => BigInt(row) << 40n,
  (row) => row % 2 === 0,
  (row) => row / 3,
  (row) => `text ${'ab'.repeat(row)}`,
  (row) => Uint8Array.of(row, 0, 255),
  (row) => ['red', 'green', 'blue'][row % 3],
  (row) => Array.from({ length: row % 4 }, (_, at) => (at === 2 ? null : at - row)),
  (row) => Array.from({ length: row % 3 }, (_, at) => `${at}`.repeat(row)),
  (row) => Float32Array.of(row, -row),
  (row) => ({ a: row % 2 === 1, b: Uint8Array.of(row) }),
  (row) => new Date(row * 86_400_000),
  (row) => `${row}.25`,
];

/** A batch of rows `from … to` of the columns `wanted`; every third value is null where `nulls` are wanted. */
export function seedBatch(from: number, to: number, nulls = true, wanted?: readonly string[]): RecordBatch {
  const rows = Array.from({ length: to - from }, (_, at) => from + at);
  const fields = seedSchema.fields.filter(({ name }) => wanted === undefined || wanted.includes(name));
  const built = fields.map((field) => {
    const column = seedSchema.fields.indexOf(field);
    const values = rows.map((row) => (nulls && (row + column) % 3 === 0 ? null : ways[column]!(row)));
    return [field.name, buildColumn(field.name, field.type, values, values.length, 'a seed')] as const;
  });
  const schema = fields.length === seedSchema.fields.length ? seedSchema : toSchema(fields, 'a seed');
  return columnsToBatch(Object.fromEntries(built), schema);
}

/** Whether a format of others can hold the type as it is. */
export const plainColumns: readonly string[] = seedSchema.fields
  .filter(({ type }) => !hasInnerDictionary(type))
  .map(({ name }) => name);

/** Every value of `data`. */
export function valuesOf(data: Data): unknown[] {
  const read = valueReader(data);
  return Array.from({ length: data.length }, (_, row) => read(row));
}

/** Milliseconds that tell the versions of files apart. */
let modifiedMs = 0;

/** Opens `files` in memory, the first of which is the one named, and reads all its rows: whole groups, then a part of each. */
export async function readFile(
  format: RowFileFormat,
  files: Readonly<Record<string, Uint8Array>>,
  schema?: Schema,
): Promise<unknown[][]> {
  const store = memoryStore();
  for (const [path, bytes] of Object.entries(files)) await store.put(path, bytes);
  const [path, bytes] = Object.entries(files)[0]!;
  modifiedMs++;
  const options = { modifiedMs, ...(schema === undefined ? {} : { schema }) };
  const file: RowFile = await format.open(store, path, bytes.length, options);
  const found = await readRows(file);
  await store.close();
  return found;
}

/** All rows of `file`, by column: whole groups, then a part of each. */
export async function readRows(file: RowFile): Promise<unknown[][]> {
  const columns = Array.from(file.schema.fields.keys());
  const found: unknown[][] = columns.map(() => []);
  for (const [group, { rows }] of file.groups.entries()) {
    const read = await file.readGroup(group, columns);
    for (const [column, data] of read.entries()) {
      if (data.length !== rows) throw new Error(`A column of ${data.length} rows in a group of ${rows}.`);
      for (const value of valuesOf(data)) found[column]!.push(value);
    }
    file.columnBytes?.(group, columns);
    if (rows > 2 && file.readRows !== undefined) await file.readRows(group, 1, rows - 1, columns.slice().reverse());
  }
  return found;
}
