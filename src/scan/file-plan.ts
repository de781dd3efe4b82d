import { type DataType, Field, Int64, Schema, Utf8 } from 'apache-arrow';
import { type ExprNode, keyFieldName } from '../expr/node.js';
import type { Column } from '../table/column.js';
import { bindQuery, type QueryPlan, type ScanQuery } from './query-plan.js';

const keyTypes = { file: new Utf8(), row: new Int64() } as const;

/** The schema of the key of a row of files: the path of its file below the root, and its number in there, from 0. */
export const fileKeySchema: Schema = new Schema(
  Object.entries(keyTypes).map(([name, type]) => new Field(name, type, true)),
);

/** A column of files, or of their rows' key. */
export interface FileColumn {
  readonly id: number;
  readonly type: DataType;
}

/** What a scan of files reads. Columns are numbered as in the files' schema, those of the key behind them. */
export interface FilePlan extends QueryPlan {
  /** What every row may be asked for. */
  readonly columns: readonly FileColumn[];
  /** All that are read; those that the filter reads, first; those that only outputs read; and all that outputs read. */
  readonly all: readonly FileColumn[];
  readonly filtering: readonly FileColumn[];
  readonly others: readonly FileColumn[];
  readonly given: readonly FileColumn[];
  /** The numbers of the key columns. */
  readonly fileId: number;
  readonly rowId: number;
}

/** What is known of the files of a plan. */
interface PlannedFiles {
  readonly id: string;
  readonly name: string;
  readonly schema: Schema;
  /** Whether a column can be read without the others. */
  readonly columnar: boolean;
}

/**
 * Plans a scan of files. The set itself is its columns; those of its key are given where they are named, by their own
 * names where no column has these. Where columns are not stored apart a filter reads all of them at once.
 *
 * @throws SpiralError as `bindQuery`.
 */
export function planFiles(files: PlannedFiles, query: ScanQuery): FilePlan {
  const { id, name, schema, columnar } = files;
  const columns = schema.fields.map(({ type }, number): FileColumn => ({ id: number, type }));
  const fileId = columns.length;
  const rowId = fileId + 1;
  columns.push({ id: fileId, type: keyTypes.file }, { id: rowId, type: keyTypes.row });
  const keys: Column[] = [
    { id: fileId, path: ['file'], type: keyTypes.file },
    { id: rowId, path: ['row'], type: keyTypes.row },
  ];
  const stored = schema.fields.map((field, number): Column => ({ id: number, path: [field.name], type: field.type }));
  const free = keys.filter(({ path }) => !schema.names.includes(path[0]!));
  const hidden = free.map(({ path }) => path[0]!);
  const fields = [...stored, ...free].map((column) => ({ name: column.path[0]!, column }));
  const aside = keys.map((column) => ({ name: keyFieldName(column.path[0]!), column }));
  const projection = withoutKeys(query.projection, hidden);
  const where = query.where === undefined ? undefined : withoutKeys(query.where, hidden);
  const { needed, filtering, ...bound } = bindQuery({ projection, where }, [{ id, name, fields, aside }], name);
  const read = new Set([...needed, ...filtering]);
  const first = columnar || bound.where === undefined ? filtering : read;
  const chosen = (numbers: ReadonlySet<number>): FileColumn[] => columns.filter((column) => numbers.has(column.id));
  return {
    ...bound,
    tableName: name,
    keySchema: fileKeySchema,
    keys,
    columns,
    all: chosen(read),
    filtering: chosen(first),
    others: chosen(new Set([...needed].filter((number) => !first.has(number)))),
    given: chosen(needed),
    fileId,
    rowId,
  };
}

/** `node` with the columns of the key left out of every place where the whole set stands. */
function withoutKeys(node: ExprNode, keys: readonly string[]): ExprNode {
  if (keys.length === 0) return node;
  const visit = (at: ExprNode): ExprNode => {
    switch (at.kind) {
      case 'table':
        return { kind: 'select', of: at, paths: keys, exclude: true };
      case 'field':
        return at.of.kind === 'table' ? at : { ...at, of: visit(at.of) };
      case 'select':
        // Asked for by name they are given; what is to be all but some names is so without them.
        return at.of.kind === 'table' && !at.exclude ? at : { ...at, of: visit(at.of) };
      case 'pack':
        return { kind: 'pack', fields: at.fields.map(([name, value]) => [name, visit(value)]) };
      case 'merge':
        return { kind: 'merge', of: at.of.map(visit) };
      case 'call':
        return { ...at, args: at.args.map(visit) };
      case 'aux':
      case 'literal':
        return at;
    }
  };
  return visit(node);
}
