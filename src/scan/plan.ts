import type { Schema } from 'apache-arrow';
import type { ExprNode } from '../expr/node.js';
import { type Column, columnTree, treeSchema } from '../table/column.js';
import { keyRuns } from '../table/key-run.js';
import { type Fragment, keyedTable, type TableVersion } from '../table/version.js';
import { bindProjection, type OutputNode, outputColumns, outputSchema } from './projection.js';

/** Where the cells of one column are: column number `index` of a file. */
export interface StoredColumn {
  readonly path: string;
  readonly bytes: number;
  readonly index: number;
}

/** Rows with keys of their own: a run of files side by side, column by column the newest that has the column. */
export interface Part {
  readonly rows: number;
  readonly batchRows: number;
  readonly keyMin: Uint8Array;
  readonly keyMax: Uint8Array;
  readonly batchKeys: readonly Uint8Array[];
  /** By column number; a column that is not here is null in every row. */
  readonly columns: ReadonlyMap<number, StoredColumn>;
  /** Bytes of all files that are read for all columns. */
  readonly bytes: number;
}

/** What a scan reads, as a pure function of a table's version and a projection. */
export interface ScanPlan {
  readonly tableId: string;
  readonly tableName: string;
  readonly version: number;
  readonly schema: Schema;
  readonly keySchema: Schema;
  readonly keys: readonly Column[];
  readonly outputs: readonly OutputNode[];
  /** The stored columns that the outputs take, each once. */
  readonly columns: readonly Column[];
  /** In the order of their keys. */
  readonly parts: readonly Part[];
}

/**
 * Plans a scan.
 *
 * @throws SpiralError `unknown_column`, `invalid_expression`; `overlapping_writes` where the keys of two writes cross.
 */
export function planScan(version: TableVersion, projection: ExprNode, tableName: string): ScanPlan {
  const outputs = bindProjection(projection, columnTree(version.columns), tableName);
  return {
    tableId: version.tableId,
    tableName,
    version: version.version,
    schema: outputSchema(outputs),
    keySchema: treeSchema(columnTree(version.keys)),
    keys: version.keys,
    outputs,
    columns: outputColumns(outputs),
    parts: keyRuns(version.fragments, keyedTable(version, tableName)).map((run) => partOf(run.fragments)),
  };
}

/** One part of fragments over equal keys, oldest first: later columns cover earlier ones. */
function partOf(fragments: readonly Fragment[]): Part {
  const [{ rows, batchRows, keyMin, keyMax, batchKeys }] = fragments as [Fragment];
  const columns = new Map<number, StoredColumn>();
  for (const fragment of fragments) {
    for (const { path, bytes, columns: ids } of fragment.files) {
      for (const [index, id] of ids.entries()) columns.set(id, { path, bytes, index });
    }
  }
  const files = new Map(Array.from(columns.values(), ({ path, bytes }) => [path, bytes]));
  const bytes = [...files.values()].reduce((sum, size) => sum + size, 0);
  return { rows, batchRows, keyMin, keyMax, batchKeys, columns, bytes };
}
