import { columnTree, treeSchema } from '../table/column.js';
import type { KeyRun } from '../table/key-run.js';
import { type ColumnChoice, chooseColumns } from './column-choice.js';
import { type JoinedTable, joinTables, type VersionedTable } from './joined-tables.js';
import { bindQuery, type QueryPlan, type ScanQuery } from './query-plan.js';

/** What a scan reads, as a pure function of the versions of its tables, a projection and a filter. */
export interface ScanPlan extends QueryPlan, ColumnChoice {
  /** At least one. */
  readonly tables: readonly JoinedTable[];
  /** The columns that the filter reads, first; those that only outputs read; and all that outputs read. */
  readonly filtering: ColumnChoice;
  readonly others: ColumnChoice;
  readonly given: ColumnChoice;
  /** In the order of their keys. */
  readonly runs: readonly KeyRun[];
}

/**
 * Plans a scan of `tables`, joined by their keys: a row for each that any of them has.
 *
 * @throws SpiralError `unknown_column`, `invalid_expression`, `type_mismatch`, also for a filter that is not boolean and for
 * tables with other key schemas; `unsupported` for an effect that nothing computes.
 */
export function planScan(versions: readonly VersionedTable[], query: ScanQuery): ScanPlan {
  const { tables, keys, columns, nextColumnId, runs } = joinTables(versions);
  const tableName = tables.map(({ name }) => name).join(' and ');
  const { needed, filtering, ...bound } = bindQuery(query, tables, tableName);
  const choice = (ids: ReadonlySet<number>): ColumnChoice => chooseColumns(keys, columns, ids, nextColumnId);
  return {
    ...bound,
    tables,
    tableName,
    keySchema: treeSchema(columnTree(keys)),
    ...choice(new Set([...needed, ...filtering])),
    filtering: choice(filtering),
    others: choice(new Set([...needed].filter((id) => !filtering.has(id)))),
    given: choice(needed),
    runs,
  };
}
