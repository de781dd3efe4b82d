import type { Data, DataType } from 'apache-arrow';
import type { PartOptions, Stretch } from './set-reader.js';

/** Columns by their numbers. */
export type NumberedColumns = ReadonlyMap<number, Data>;

/** Rows that may survive a filter; `all`: every one does. */
export interface Candidates extends Stretch {
  readonly verdict: 'some' | 'all';
}

/** Rows without those that are ruled out, in order, and how many stretches these were, by the keys and by statistics. */
export interface RuledOut {
  readonly candidates: Candidates[];
  readonly byKeys: number;
  readonly byZones: number;
}

/** Rows that are stored together, as a filter reads them: those of a part of a table, or of a file. */
export interface FilterableRows {
  /** The columns that are given, with their types. */
  readonly given: readonly { readonly id: number; readonly type: DataType }[];
  /** Which of the rows may survive, as far as is known without reading a cell (law 21). */
  candidates(from: number, to: number): Promise<RuledOut>;
  /** Rows `from … to` of the columns that the filter reads, of those that are only given, or of all that are given. */
  read(
    columns: 'filtering' | 'others' | 'given',
    from: number,
    to: number,
    options: PartOptions,
  ): Promise<NumberedColumns>;
  /**
   * The columns that are only given of the survivors number `kept.from … kept.to`; it fails where those of any of
   * `survivors`, ascending rows counted from row `base`, cannot be read.
   */
  pick(base: number, survivors: Int32Array, kept: Stretch, options: PartOptions): Promise<NumberedColumns>;
  /** `span` with the rows that are whole or damaged together with its first and its last. */
  around(span: Stretch, options: PartOptions): Promise<Stretch>;
}
