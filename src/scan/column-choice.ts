import type { Column } from '../table/column.js';

/** Columns of a table that are read together. */
export interface ColumnChoice {
  /** The key columns, whether they are chosen or not. */
  readonly keys: readonly Column[];
  /** The columns that are chosen, each once. */
  readonly columns: readonly Column[];
  /** By column number: its place in `columns`, or -1. */
  readonly slots: Int32Array;
}

/** Those of `columns` whose numbers are in `ids`. */
export function chooseColumns(
  keys: readonly Column[],
  all: readonly Column[],
  ids: ReadonlySet<number>,
  columnIds: number,
): ColumnChoice {
  const columns = all.filter(({ id }) => ids.has(id));
  const slots = new Int32Array(columnIds).fill(-1);
  for (const [slot, { id }] of columns.entries()) slots[id] = slot;
  return { keys, columns, slots };
}
