import type { Schema } from 'apache-arrow';
import type { RowsLike } from '../arrow/rows-like.js';
import { SpiralError, shown } from '../core/errors.js';
import { Expr } from '../expr/node.js';
import { columnTree, nodeAt, treeSchema } from '../table/column.js';
import { deleteRows } from '../table/deletion.js';
import type { TableStore } from '../table/table-store.js';
import { type WriteSettings, writeRows } from '../table/write.js';
import { type AsOf, asOfMicros } from './as-of.js';
import { type CatalogTable, identifierOf } from './catalog.js';
import { Snapshot } from './snapshot.js';

/**
 * A table: sorted rows under a unique key, in columns that may be added at any time. As an expression it is the struct of
 * its columns, keys included, so `spiral.scan(table)` reads all of it.
 */
export class Table extends Expr {
  readonly id: string;
  readonly project: string | null;
  readonly dataset: string | null;
  readonly name: string | null;
  readonly keySchema: Schema;
  readonly #store: TableStore;

  /** Made by `Project.table` and `Spiral.table`. */
  constructor(store: TableStore, id: string, keySchema: Schema, project: string | null, named: CatalogTable | null) {
    super({ kind: 'table', table: id });
    this.#store = store;
    this.id = id;
    this.keySchema = keySchema;
    this.project = project;
    this.dataset = named?.dataset ?? null;
    this.name = named?.table ?? null;
  }

  /** `dataset.table`, or the id where the table has no name. */
  get identifier(): string {
    return this.dataset === null || this.name === null
      ? this.id
      : identifierOf({ dataset: this.dataset, table: this.name });
  }

  /** The schema of all columns now, keys first, structs for nested columns. */
  async schema(): Promise<Schema> {
    return treeSchema(columnTree((await this.#store.latest()).columns));
  }

  /** A column, by its dotted path. */
  col(path: string): Expr {
    return this.getitem(path);
  }

  /**
   * Writes rows: new keys are added, cells of keys that are there replaced, columns that are not written kept. One
   * transaction: when the promise resolves all of it is durable, when it rejects none of it is there. No rows, no commit.
   *
   * Rows come in any order, and their keys may lie anywhere among those that are there. A row without a key that other rows
   * of its array have gets null there.
   *
   * Plain values take the table's types, or for new columns `float64` for numbers, `int64` for bigints, `utf8`, `bool`,
   * `timestamp[us, UTC]` for dates, `binary` for bytes, lists and structs; Arrow data and typed arrays keep theirs.
   *
   * @throws SpiralError `invalid_key`, `duplicate_key`, `type_mismatch`, `invalid_rows`, `value_out_of_range`,
   * `unsupported_type`, `write_conflict`: nothing was written; `unavailable`, where
   * `details.outcome` is 'unknown' only if the store does not tell whether the commit is there.
   */
  async write(data: RowsLike, options: WriteSettings = {}): Promise<void> {
    const version = await this.#store.latest();
    const operation = await writeRows(this.#store.store, version, this.identifier, data, options);
    if (operation !== undefined) await this.#store.commit([operation]);
  }

  /**
   * Deletes rows by their keys: rows, columns or Arrow data of the key columns alone, in any of the forms that `write` takes.
   * All cells of these keys that were written before are gone from later versions; a key that is written again has what is
   * then written, and nothing else. Keys that are not there are passed over. Earlier versions keep their rows.
   *
   * @throws SpiralError `invalid_rows` for a column that is no key column, and as `write`: nothing was deleted.
   */
  async deleteKeys(keys: RowsLike): Promise<void> {
    const version = await this.#store.latest();
    const operation = await deleteRows(this.#store.store, version, this.identifier, keys);
    if (operation !== undefined) await this.#store.commit([operation]);
  }

  /**
   * Drops columns, by dotted path; their cells are gone from later versions, also when a column of that name comes again.
   *
   * @throws SpiralError `unknown_column` if any is not there, `invalid_argument` for a key column or a struct.
   */
  async dropColumns(columnPaths: readonly string[]): Promise<void> {
    if (!Array.isArray(columnPaths) || !columnPaths.every((path) => typeof path === 'string')) {
      throw new SpiralError(
        'invalid_argument',
        `Expected an array of column paths, got ${shown(columnPaths)}. Pass ['a', 'meta.size'].`,
        { details: { table: this.identifier } },
      );
    }
    const version = await this.#store.latest();
    const tree = columnTree(version.columns);
    const columns = [...new Set(columnPaths)].map((path) => {
      const node = nodeAt(tree, path.split('.'), this.identifier);
      if (!('column' in node) || version.keys.some((key) => key.id === node.column.id)) {
        throw new SpiralError(
          'invalid_argument',
          `Expected a column of ${this.identifier} that is no key and no struct, got '${path}'.`,
          { details: { table: this.identifier, column: path } },
        );
      }
      return { path: node.column.path, id: node.column.id };
    });
    if (columns.length > 0) await this.#store.commit([{ kind: 'drop', columns }]);
  }

  /** The table as it was at `asof`, or as it is when the snapshot is first used. */
  snapshot(asof?: AsOf): Snapshot {
    return new Snapshot(this, this.#store, asof === undefined ? undefined : asOfMicros(asof));
  }

  override toString(): string {
    return this.identifier;
  }
}
