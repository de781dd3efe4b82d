import type { Ranges } from '../arrow/ranges.js';
import type { ColumnSources } from '../arrow/sources.js';
import type { EncodedKeys } from './key-codec.js';

/** Rows in ascending key order, no key twice, still in the batches they came in. */
export interface SortedRows {
  readonly keys: EncodedKeys;
  /** Of every column that the rows have, the key first. */
  readonly sources: readonly ColumnSources[];
  readonly ranges: Ranges;
  /** Bytes that the rows take once they are gathered. */
  readonly bytes: number;
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
