/** What commits are made of: plain data, as it stands in the log (`docs/format.md`). Types are in words. */

/** A column as an operation names it. */
export interface ColumnRef {
  readonly path: readonly string[];
  readonly type: string;
  /** Set when the operation is committed: the table's number for the column. */
  readonly id: number;
}

/** A stored file of a fragment; `columns` are indices into the operation's columns, in the order of the file. */
export interface FileRef {
  /** Relative to the table's root. */
  readonly path: string;
  readonly bytes: number;
  readonly columns: readonly number[];
}

/**
 * Rows sorted by key, in one file a column group. The first file holds the key columns. Row `i` of every file belongs to
 * row `i` of the others.
 */
export interface FragmentRef {
  readonly rows: number;
  /** Rows of each record batch but the last of the first file; others, after a compaction, may have other batches. */
  readonly batchRows: number;
  /** Encoded keys of the first and the last row. */
  readonly keyMin: Uint8Array;
  readonly keyMax: Uint8Array;
  /** Encoded key of the first row of each record batch. */
  readonly batchKeys: readonly Uint8Array[];
  /** SHA-256 of all encoded keys: fragments over equal keys are put side by side without comparing them. */
  readonly keyDigest: Uint8Array;
  readonly files: readonly FileRef[];
}

/** The first operation of every table. */
export interface CreateOperation {
  readonly kind: 'create';
  readonly tableId: string;
  readonly keys: readonly ColumnRef[];
}

/** Cells written: every column of `columns` for every key of the fragments. */
export interface WriteOperation {
  readonly kind: 'write';
  readonly columns: readonly ColumnRef[];
  readonly fragments: readonly FragmentRef[];
}

/** Columns dropped, by number. */
export interface DropOperation {
  readonly kind: 'drop';
  readonly columns: readonly { readonly path: readonly string[]; readonly id: number }[];
}

/** Keys deleted: all cells of theirs that were written before are gone. The fragments hold the key columns alone. */
export interface DeleteOperation {
  readonly kind: 'delete';
  readonly columns: readonly ColumnRef[];
  readonly fragments: readonly FragmentRef[];
}

/** A fragment as the log names it: number `ordinal`, from 0, of those that version `commit` made. */
export interface FragmentId {
  readonly commit: number;
  readonly ordinal: number;
}

/** Fragments that hold the cells of others, and take their place. Changes how a table is stored, not what it holds. */
export interface CompactOperation {
  readonly kind: 'compact';
  /** The numbers of the columns that files of the fragments name, keys first. */
  readonly columns: readonly number[];
  readonly rewrites: readonly FragmentRewrite[];
}

/** One replacement: `fragments` stand where the last of `replaced` stood, and are as new as the newest of them. */
export interface FragmentRewrite {
  readonly replaced: readonly FragmentId[];
  readonly fragments: readonly FragmentRef[];
}

/** One change of a table. */
export type Operation = CreateOperation | WriteOperation | DeleteOperation | DropOperation | CompactOperation;

/** One entry of a table's log: entry n makes version n. */
export interface Commit {
  /** Names the transaction, so that a writer whose answer was lost knows its own commit again. */
  readonly transaction: string;
  /** Microseconds since the epoch, above that of the entry before. */
  readonly time: number;
  readonly operations: readonly Operation[];
  /** Whose commit it is, as the client was set to say. */
  readonly author?: string | undefined;
}
