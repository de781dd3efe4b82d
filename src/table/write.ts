import type { DataType } from 'apache-arrow';
import { type RowsLike, toBatches } from '../arrow/rows-like.js';
import { sameType } from '../arrow/schema.js';
import { columnSources } from '../arrow/sources.js';
import { typeWords } from '../arrow/words.js';
import { knownOptions, oneOf, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import type { Compression } from '../format/codec.js';
import type { ObjectStore } from '../storage/store.js';
import { type Column, columnTree, pathText, treeSchema, wrongType } from './column.js';
import { type WrittenColumn, writeFragments } from './fragments.js';
import { type Leaf, leavesOf } from './leaves.js';
import type { WriteOperation } from './operation.js';
import { clashing, newColumnId, type TableVersion } from './version.js';

/** How rows are written. */
export interface WriteSettings {
  /** Turns a null struct into nulls of its fields, which tables know instead. Default false: refused. */
  readonly pushDownNulls?: boolean;
  /** Rows of a record batch. Default 8,192, fewer where those would take more than 8 MiB. */
  readonly batchRows?: number;
  /** How buffers are compressed. Default none, which reads fastest. */
  readonly compression?: Compression;
}

/**
 * Writes `data` as new files of `table`, sorted by key, and gives the operations that make them part of it once they are
 * committed; none where there are no rows. Batches with different columns make operations of their own, as a column that
 * a batch has not keeps its older cells.
 *
 * @throws SpiralError `invalid_key` for a key column that is missing, of another type or null in a row; `duplicate_key`;
 * `type_mismatch` for a column of another type than the table's; `invalid_rows`, `unsupported_type` and others of the
 * builders.
 */
export async function writeRows(
  store: ObjectStore,
  table: TableVersion,
  name: string,
  data: RowsLike,
  settings: WriteSettings = {},
): Promise<WriteOperation[]> {
  checkSettings(settings);
  const schema = treeSchema(columnTree(table.columns));
  const groups = new Map<string, Leaf[][]>();
  for await (const batch of toBatches(data, schema, `the rows for ${name}`)) {
    if (batch.numRows === 0) continue;
    const leaves = leavesOf(batch, name, settings.pushDownNulls ?? false);
    const columns = leaves.map((leaf) => pathText(leaf.path)).join('\n');
    const group = groups.get(columns);
    if (group === undefined) groups.set(columns, [leaves]);
    else group.push(leaves);
  }
  const operations: WriteOperation[] = [];
  for (const batches of groups.values()) {
    const columns = writtenColumns(batches, table, name);
    const fragments = await writeFragments(store, columns, table.keys.length, name, settings);
    operations.push({
      kind: 'write',
      columns: columns.map(({ column: { id, path, type } }) => ({ id, path, type: typeWords(type) })),
      fragments,
    });
  }
  return operations;
}

function checkSettings(settings: WriteSettings): void {
  knownOptions('write', settings, ['pushDownNulls', 'batchRows', 'compression']);
  if (settings.pushDownNulls !== undefined && typeof settings.pushDownNulls !== 'boolean') {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`pushDownNulls\` to be true or false, got ${shown(settings.pushDownNulls)}.`,
    );
  }
  if (settings.batchRows !== undefined) wholeNumber('batchRows', settings.batchRows, { min: 1, max: 2 ** 24 });
  if (settings.compression !== undefined) oneOf('compression', settings.compression, ['none', 'lz4', 'zstd']);
}

/** The columns of batches that all have the same ones: keys first, in the order of the key. */
function writtenColumns(batches: readonly (readonly Leaf[])[], table: TableVersion, name: string): WrittenColumn[] {
  const known = new Map(table.columns.map((column) => [pathText(column.path), column]));
  const keyed = new Set(table.keys.map((key) => pathText(key.path)));
  const written = batches[0]!.map((leaf, at) => {
    const own = known.get(pathText(leaf.path));
    const type = own?.type ?? leaf.type;
    for (const batch of batches) checkType(type, batch[at]!, keyed.has(pathText(leaf.path)), name);
    const clash = own === undefined ? clashing(leaf.path, table.columns) : undefined;
    if (clash !== undefined) throw structClash(name, leaf, clash);
    const column: Column = own ?? { id: newColumnId, path: leaf.path, type };
    const sources = columnSources(
      column.type,
      batches.map((batch) => batch[at]!.data),
    );
    return { column, sources };
  });
  const keys = table.keys.map((key) => {
    const found = written.find(({ column }) => column.id === key.id);
    if (found === undefined) throw missingKey(key, name, batches[0]!);
    return found;
  });
  return [...keys, ...written.filter(({ column }) => !keyed.has(pathText(column.path)))];
}

function checkType(expected: DataType, leaf: Leaf, isKey: boolean, name: string): void {
  if (sameType(expected, leaf.type)) return;
  const error = wrongType(name, leaf.path, expected, leaf.type);
  if (!isKey) throw error;
  throw new SpiralError('invalid_key', error.message, { details: error.details });
}

function missingKey(key: Column, name: string, leaves: readonly Leaf[]): SpiralError {
  const found = leaves.map((leaf) => pathText(leaf.path));
  return new SpiralError(
    'invalid_key',
    `Expected the rows for ${name} to have the key column '${pathText(key.path)}' (${typeWords(key.type)}), found only ` +
      `${found.slice(0, 20).join(', ')}.`,
    { details: { table: name, column: pathText(key.path), found } },
  );
}

function structClash(name: string, leaf: Leaf, clash: Column): SpiralError {
  const [inner, outer] = leaf.path.length > clash.path.length ? [leaf.path, clash.path] : [clash.path, leaf.path];
  return new SpiralError(
    'type_mismatch',
    `Expected '${pathText(outer)}' of ${name} to be either a struct or a column, but '${pathText(inner)}' makes it a ` +
      `struct and '${pathText(outer)}' a column. Write one of them under another name.`,
    { details: { table: name, column: pathText(leaf.path), other: pathText(clash.path) } },
  );
}
