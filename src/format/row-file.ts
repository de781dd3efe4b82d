import type { Data, Schema } from 'apache-arrow';
import type { Memory } from '../core/memory-pool.js';
import type { ObjectStore } from '../storage/store.js';
import type { ReadCounters } from './stored-buffers.js';
import type { Zone } from './zone-map.js';

/** Rows of a file that are read together: a Parquet row group, an Arrow record batch, some megabytes of a text file. */
export interface RowGroup {
  /** Never 0: a group without rows is left out. */
  readonly rows: number;
  /** Bytes that it takes in the file. */
  readonly bytes: number;
  /** What the file tells of each column's values in this group, without reading them; undefined where it tells nothing. */
  readonly zones?: readonly (Zone | undefined)[] | undefined;
  /** Whether a shard begins here whatever its size, as a file of its own does. */
  readonly beginsShard?: boolean | undefined;
}

/** A file whose rows can be read in groups. It is opened once, and read by any number of readers at a time. */
export interface RowFile {
  /** All columns, nullable, of types that `layoutOf` knows. No columns and no groups: the file is empty and fits any schema. */
  readonly schema: Schema;
  /** In order. */
  readonly groups: readonly RowGroup[];
  /** What `RowFileOptions.index` takes, where opening costs more than a read or two: a pass over the file, say. */
  readonly index?: Uint8Array | undefined;
  /**
   * The columns with numbers `columns` (in the schema), in that order, as Arrow data of the types of the schema, of all rows
   * of group number `group`: whole columns, with an `offset` of 0 at every level. The caller may keep them.
   *
   * @throws SpiralError `corrupt_file`, with `file`, `group`, and as far as known `row` (of the file) and `column`, in its
   * details; what the store rejects with; `cancelled`.
   */
  readGroup(group: number, columns: readonly number[], options?: GroupOptions): Promise<Data[]>;
  /** Bytes that the columns take in the file for group number `group`; formats that do not store columns apart have none. */
  columnBytes?(group: number, columns: readonly number[]): number;
  /**
   * As `readGroup`, of rows `from … to` of the group alone, whatever is wrong with its others: for formats in which rows are
   * damaged one by one. An error's `row` is the first bad one. Formats without it have groups that are damaged as a whole.
   */
  readRows?(
    group: number,
    from: number,
    to: number,
    columns: readonly number[],
    options?: GroupOptions,
  ): Promise<Data[]>;
}

/** How a group is read. */
export interface GroupOptions {
  readonly signal?: AbortSignal | undefined;
  /** Counts what is read of the store. */
  readonly counters?: ReadCounters | undefined;
  /** Memory to make columns in, by formats that can: it is taken back. */
  readonly memory?: Memory | undefined;
}

/** How a file is opened. */
export interface RowFileOptions {
  /** The columns to read, for formats that do not tell their types themselves. Default: inferred from the whole file. */
  readonly schema?: Schema | undefined;
  /** When the file was last changed: with path and size it names the version to read. Milliseconds since the epoch. */
  readonly modifiedMs: number;
  /** `RowFile.index` of the same version of the file, from another thread: trusted, so that opening need not read. */
  readonly index?: Uint8Array | undefined;
  /** Where a format may keep what it learnt of files in a pass over them, for other processes; undefined: nowhere. */
  readonly indexes?: ObjectStore | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly counters?: ReadCounters | undefined;
}

/** A format of files. */
export interface RowFileFormat {
  /**
   * Opens the file at `path`, of `size` bytes.
   *
   * @throws SpiralError `corrupt_file` for one that is no whole file of this format, `unsupported` and `unsupported_type`
   * for what is well-formed and not read, naming file and column; `not_found`; `cancelled`.
   */
  open(store: ObjectStore, path: string, size: number, options: RowFileOptions): Promise<RowFile>;
}
