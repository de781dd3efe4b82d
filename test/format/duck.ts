import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Schema } from 'apache-arrow';
import { recordBatch } from '../../src/arrow/record-batch.js';
import { batchRows } from '../../src/arrow/rows.js';
import type { RowFile, RowFileFormat } from '../../src/format/row-file.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { type Plain, plainDuck, plainRow } from './plain-value.js';

let connected: Promise<DuckDBConnection> | undefined;

/** A connection to one DuckDB in memory, for all tests of a file. */
export function duck(): Promise<DuckDBConnection> {
  connected ??= DuckDBInstance.create().then((instance) => instance.connect());
  return connected;
}

/** The rows that DuckDB gives for `query`, as plain values. */
export async function duckRows(query: string): Promise<Plain[][]> {
  const read = await (await duck()).runAndReadAll(query);
  return read.getRows().map((row) => row.map(plainDuck));
}

/** Opens the file at `path` of `store`, as it is now. */
export async function openFile(format: RowFileFormat, store: ObjectStore, path: string): Promise<RowFile> {
  const { size, modifiedMs } = (await store.head(path))!;
  return format.open(store, path, size, { modifiedMs });
}

/** Every row of `file`, as plain values. */
export async function fileRows(file: RowFile): Promise<Plain[][]> {
  const rows: Plain[][] = [];
  const columns = file.schema.fields.map((_, column) => column);
  for (const [number, group] of file.groups.entries()) {
    const batch = recordBatch(file.schema, await file.readGroup(number, columns), group.rows);
    for (const row of batchRows(batch)) rows.push(plainOf(row, file.schema));
  }
  return rows;
}

/** A row of `toRows()` as plain values, column by column. */
export function plainOf(row: Record<string, unknown>, schema: Schema): Plain[] {
  return schema.fields.map(({ name, type }) => plainRow(row[name], type));
}

/** The first row that two readers disagree on, as each has it; both undefined where they agree. */
export function firstDifference(ours: readonly Plain[][], theirs: readonly Plain[][]): (Plain[] | undefined)[] {
  for (let row = 0; row < Math.max(ours.length, theirs.length); row++) {
    if (JSON.stringify(ours[row]) !== JSON.stringify(theirs[row])) return [ours[row], theirs[row]];
  }
  return [];
}
