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
import { ColumnPaths } from './column-paths.js';
import { checkKeys, type WrittenColumn, writeFragments } from './fragments.js';
import { type Leaf, leavesOf } from './leaves.js';
import type { FragmentRef, WriteOperation } from './operation.js';
import { keyedTable, newColumnId, type TableVersion } from './version.js';

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
 * Writes `data` as new files of `table`, sorted by key, and gives the operation that makes them part of it once it is
 * committed; undefined where there are no rows.
 *
 * A column that a batch has not keeps the older cells of its keys, and is null for keys that are new. Batches with other
 * columns than others are therefore stored apart.
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
): Promise<WriteOperation | undefined> {
  checkSettings(settings);
  const schema = treeSchema(columnTree(table.columns));
  const batches: Leaf[][] = [];
  for await (const batch of toBatches(data, schema, `the rows for ${name}`)) {
    if (batch.numRows > 0) batches.push(leavesOf(batch, name, settings.pushDownNulls ?? false));
  }
  if (batches.length === 0) return undefined;
  const byPath = batches.map((leaves) => new Map(leaves.map((leaf) => [pathText(leaf.path), leaf])));
  const columns = writtenColumns(byPath, table, name);
  const groups = alike(byPath, columns);
  if (groups.length > 1) checkKeys(dataOf(columns.slice(0, table.keys.length), byPath), name);
  const fragments: FragmentRef[] = [];
  for (const group of groups) {
    const written = dataOf(columns, group);
    fragments.push(...(await writeFragments(store, written, keyedTable(table, name), table.fragments, settings)));
  }
  return {
    kind: 'write',
    columns: columns.map(({ id, path, type }) => ({ id, path, type: typeWords(type) })),
    fragments,
  };
}

type Leaves = ReadonlyMap<string, Leaf>;

/** The batches by which of `columns` they have. */
function alike(batches: readonly Leaves[], columns: readonly Column[]): Leaves[][] {
  const groups = new Map<string, Leaves[]>();
  for (const batch of batches) {
    const has = columns.map(({ path }) => (batch.has(pathText(path)) ? '1' : '0')).join('');
    const group = groups.get(has);
    if (group === undefined) groups.set(has, [batch]);
    else group.push(batch);
  }
  return [...groups.values()];
}

/** Those of `columns` that the batches of `group` have. */
function dataOf(columns: readonly Column[], group: readonly Leaves[]): WrittenColumn[] {
  return columns.flatMap((column, number) => {
    const leaves = group.map((batch) => batch.get(pathText(column.path)));
    if (leaves[0] === undefined) return [];
    const data = leaves.map((leaf) => leaf!.data);
    return { number, column, sources: columnSources(column.type, data) };
  });
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

/** The columns of all batches: keys first, in the order of the key. */
function writtenColumns(batches: readonly Leaves[], table: TableVersion, name: string): Column[] {
  const paths = new ColumnPaths(table.columns);
  const keyed = new Set(table.keys.map((key) => pathText(key.path)));
  const columns = new Map<string, Column>();
  for (const leaves of batches) {
    for (const key of table.keys) if (!leaves.has(pathText(key.path))) throw missingKey(key, name, leaves.keys());
    for (const [path, leaf] of leaves) {
      const clash = paths.clash(leaf.path);
      if (clash !== undefined) throw structClash(name, leaf, clash);
      let column = paths.get(leaf.path);
      if (column === undefined) paths.add((column = { id: newColumnId, path: leaf.path, type: leaf.type }));
      checkType(column.type, leaf, keyed.has(path), name);
      columns.set(path, column);
    }
  }
  const keys = table.keys.map((key) => pathText(key.path));
  return [...new Set([...keys, ...columns.keys()])].map((path) => columns.get(path)!);
}

function checkType(expected: DataType, leaf: Leaf, isKey: boolean, name: string): void {
  if (sameType(expected, leaf.type)) return;
  const error = wrongType(name, leaf.path, expected, leaf.type);
  if (!isKey) throw error;
  throw new SpiralError('invalid_key', error.message, { details: error.details });
}

function missingKey(key: Column, name: string, columns: Iterable<string>): SpiralError {
  const found = [...columns];
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
