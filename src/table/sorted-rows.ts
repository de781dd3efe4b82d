import type { Data, RecordBatch, Schema } from 'apache-arrow';
import { gatherBatch } from '../arrow/gather.js';
import { type Ranges, sliceRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import type { ColumnSources } from '../arrow/sources.js';
import type { EncodedKeys } from './key-codec.js';

/** Rows in ascending key order, no key twice, still in the batches they came in. */
export interface SortedRows {
  readonly keys: EncodedKeys;
  /** Of every column that the rows have, the key first. */
  readonly sources: readonly ColumnSources[];
  readonly ranges: Ranges;
  /** The columns of each batch. */
  readonly data: readonly (readonly Data[])[];
  /** Bytes that the rows take once they are gathered. */
  readonly bytes: number;
}

/** Rows `from … to` as one batch: views where they lie in one batch already, else copies. */
export function rowsBetween(schema: Schema, rows: SortedRows, from: number, to: number): RecordBatch {
  const ranges = sliceRanges(rows.ranges, from, to);
  if (ranges.count > 1) return gatherBatch(schema, rows.sources, ranges);
  const [source, start] = [ranges.source[0]!, ranges.start[0]!];
  const columns = rows.data[source]!.map((column) => column.slice(start, to - from));
  return recordBatch(schema, columns, to - from);
}

/** Rows of one set of columns: the numbers of their columns in the write. */
export interface ColumnSet {
  readonly columns: readonly number[];
}

/** Sets of columns by what is in them: equal sets are one object. */
export class ColumnSets {
  readonly #sets = new Map<string, ColumnSet>();

  of(columns: readonly number[]): ColumnSet {
    const key = columns.join();
    let set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, (set = { columns }));
    return set;
  }
}
