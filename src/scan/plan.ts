import type { Schema } from 'apache-arrow';
import type { ExprNode } from '../expr/node.js';
import { type Column, columnTree, treeSchema } from '../table/column.js';
import { type KeyRun, keyRuns } from '../table/key-run.js';
import type { TableVersion } from '../table/version.js';
import { bindProjection, type OutputNode, outputColumns, outputSchema } from './projection.js';

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
  /** By column number: its place in `columns`, or -1. */
  readonly slots: Int32Array;
  /** In the order of their keys. */
  readonly runs: readonly KeyRun[];
}

/**
 * Plans a scan.
 *
 * @throws SpiralError `unknown_column`, `invalid_expression`.
 */
export function planScan(version: TableVersion, projection: ExprNode, tableName: string): ScanPlan {
  const outputs = bindProjection(projection, columnTree(version.columns), tableName);
  const columns = outputColumns(outputs);
  const slots = new Int32Array(version.nextColumnId).fill(-1);
  for (const [slot, { id }] of columns.entries()) slots[id] = slot;
  return {
    tableId: version.tableId,
    tableName,
    version: version.version,
    schema: outputSchema(outputs),
    keySchema: treeSchema(columnTree(version.keys)),
    keys: version.keys,
    outputs,
    columns,
    slots,
    runs: keyRuns(version.fragments),
  };
}
