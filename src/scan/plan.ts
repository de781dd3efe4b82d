import { columnTree, treeSchema } from '../table/column.js';
import { type KeyRun, keyRuns } from '../table/key-run.js';
import type { TableVersion } from '../table/version.js';
import { type ColumnChoice, chooseColumns } from './column-choice.js';
import { bindQuery, type QueryPlan, type ScanQuery } from './query-plan.js';

/** What a scan reads, as a pure function of a table's version, a projection and a filter. */
export interface ScanPlan extends QueryPlan, ColumnChoice {
  readonly tableId: string;
  readonly version: number;
  /** The columns that the filter reads, first; those that only outputs read; and all that outputs read. */
  readonly filtering: ColumnChoice;
  readonly others: ColumnChoice;
  readonly given: ColumnChoice;
  /** In the order of their keys. */
  readonly runs: readonly KeyRun[];
}

/**
 * Plans a scan.
 *
 * @throws SpiralError `unknown_column`, `invalid_expression`, `type_mismatch`, also for a filter that is not boolean;
 * `unsupported` for an effect that nothing computes.
 */
export function planScan(version: TableVersion, query: ScanQuery, tableName: string): ScanPlan {
  const { tableId, keys, nextColumnId } = version;
  const { needed, filtering, ...bound } = bindQuery(query, tableId, tableName, columnTree(version.columns));
  const choice = (ids: ReadonlySet<number>): ColumnChoice => chooseColumns(keys, version.columns, ids, nextColumnId);
  return {
    ...bound,
    tableId,
    tableName,
    version: version.version,
    keySchema: treeSchema(columnTree(keys)),
    ...choice(new Set([...needed, ...filtering])),
    filtering: choice(filtering),
    others: choice(new Set([...needed].filter((id) => !filtering.has(id)))),
    given: choice(needed),
    runs: keyRuns(version.fragments),
  };
}
