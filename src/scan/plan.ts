import type { DataType, Schema } from 'apache-arrow';
import { parseType } from '../arrow/words.js';
import { type BindScope, bindPredicate } from '../expr/bind.js';
import { auxOf, type BoundExpr, type BoundStruct, columnsOf } from '../expr/bound.js';
import { type ExprNode, partsOf } from '../expr/node.js';
import { columnTree, treeSchema } from '../table/column.js';
import { type KeyRun, keyRuns } from '../table/key-run.js';
import type { TableVersion } from '../table/version.js';
import { type ColumnChoice, chooseColumns } from './column-choice.js';
import { bindProjection, outputSchema, refuseEffects } from './projection.js';

/** What a scan reads, as a pure function of a table's version, a projection and a filter. */
export interface ScanPlan extends ColumnChoice {
  readonly tableId: string;
  readonly tableName: string;
  readonly version: number;
  readonly schema: Schema;
  readonly keySchema: Schema;
  readonly outputs: BoundStruct;
  /** The rows that are given; undefined: all. */
  readonly where: BoundExpr | undefined;
  /** The columns that the filter reads, first; those that only outputs read; and all that outputs read. */
  readonly filtering: ColumnChoice;
  readonly others: ColumnChoice;
  readonly given: ColumnChoice;
  /** The auxiliary columns that a key table has to have, with their types. */
  readonly aux: ReadonlyMap<string, DataType>;
  /** In the order of their keys. */
  readonly runs: readonly KeyRun[];
}

/** What is asked of a table. */
export interface ScanQuery {
  readonly projection: ExprNode;
  readonly where?: ExprNode | undefined;
}

/**
 * Plans a scan.
 *
 * @throws SpiralError `unknown_column`, `invalid_expression`, `type_mismatch`, also for a filter that is not boolean;
 * `unsupported` for a function that only an effect computes.
 */
export function planScan(version: TableVersion, query: ScanQuery, tableName: string): ScanPlan {
  const { tableId, keys, nextColumnId } = version;
  const table = { name: tableName, fields: columnTree(version.columns) };
  const aux = auxTypes(query);
  const scope: BindScope = { table: (id) => (id === tableId ? table : undefined), aux };
  const outputs = bindProjection(query.projection, scope, tableName);
  const where = query.where === undefined ? undefined : bindPredicate(query.where, scope);
  if (where !== undefined) refuseEffects(where, tableName);
  // Of what is named only what is given in the end is needed.
  const named = new Set([...auxOf(outputs), ...(where === undefined ? [] : auxOf(where))]);
  const needed = columnsOf(outputs);
  const filtering = where === undefined ? new Set<number>() : columnsOf(where);
  const choice = (ids: ReadonlySet<number>): ColumnChoice => chooseColumns(keys, version.columns, ids, nextColumnId);
  return {
    tableId,
    tableName,
    version: version.version,
    schema: outputSchema(outputs),
    keySchema: treeSchema(columnTree(keys)),
    outputs,
    where,
    ...choice(new Set([...needed, ...filtering])),
    filtering: choice(filtering),
    others: choice(new Set([...needed].filter((id) => !filtering.has(id)))),
    given: choice(needed),
    aux: new Map([...aux].filter(([name]) => named.has(name))),
    runs: keyRuns(version.fragments),
  };
}

/** The auxiliary columns that a query names, with the types that it gives them. */
function auxTypes({ projection, where }: ScanQuery): Map<string, DataType> {
  const types = new Map<string, DataType>();
  const visit = (node: ExprNode): void => {
    if (node.kind === 'aux') types.set(node.name, parseType(node.type, `aux '${node.name}'`));
    else partsOf(node).forEach(visit);
  };
  visit(projection);
  if (where !== undefined) visit(where);
  return types;
}
