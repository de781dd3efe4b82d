import type { DataType, Schema } from 'apache-arrow';
import { parseType } from '../arrow/words.js';
import { type BindScope, type BindTable, bindPredicate } from '../expr/bind.js';
import { auxOf, type BoundExpr, type BoundStruct, columnsOf } from '../expr/bound.js';
import { type ExprNode, partsOf } from '../expr/node.js';
import type { Column } from '../table/column.js';
import { bindProjection, outputSchema, refuseEffects } from './projection.js';

/** What is asked of tables or of files. */
export interface ScanQuery {
  readonly projection: ExprNode;
  readonly where?: ExprNode | undefined;
}

/** What a query gives of rows, whatever they are stored in. */
export interface QueryPlan {
  /** Names the tables or the files, for messages. */
  readonly tableName: string;
  readonly schema: Schema;
  readonly keySchema: Schema;
  readonly keys: readonly Column[];
  readonly outputs: BoundStruct;
  /** The rows that are given; undefined: all. */
  readonly where: BoundExpr | undefined;
  /** The auxiliary columns that a key table has to have, with their types. */
  readonly aux: ReadonlyMap<string, DataType>;
}

/** Columns that a query may read, under the id that it has for them. */
export interface QueryTable extends BindTable {
  readonly id: string;
}

/** A query bound to columns. */
export interface BoundQuery extends Pick<QueryPlan, 'schema' | 'outputs' | 'where' | 'aux'> {
  /** Numbers of the columns that outputs read, and that the filter reads. */
  readonly needed: ReadonlySet<number>;
  readonly filtering: ReadonlySet<number>;
}

/**
 * Binds `query` to `tables`, which are together called `name`.
 *
 * @throws SpiralError `unknown_column`, `invalid_expression`, `type_mismatch`, also for a filter that is not boolean;
 * `unsupported` for an effect that nothing computes.
 */
export function bindQuery(query: ScanQuery, tables: readonly QueryTable[], name: string): BoundQuery {
  const aux = auxTypes(query);
  const scope: BindScope = { table: (asked) => tables.find(({ id }) => id === asked), aux };
  const outputs = bindProjection(query.projection, scope, name);
  const where = query.where === undefined ? undefined : bindPredicate(query.where, scope);
  if (where !== undefined) refuseEffects(where, name);
  // Of what is named only what is given in the end is needed.
  const named = new Set([...auxOf(outputs), ...(where === undefined ? [] : auxOf(where))]);
  return {
    schema: outputSchema(outputs),
    outputs,
    where,
    aux: new Map([...aux].filter(([column]) => named.has(column))),
    needed: columnsOf(outputs),
    filtering: where === undefined ? new Set() : columnsOf(where),
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
