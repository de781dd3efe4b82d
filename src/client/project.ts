import { type SchemaLike, sameType, toSchema } from '../arrow/schema.js';
import { typeWords } from '../arrow/words.js';
import { knownOptions, wholeNumber } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import { type ExprLike, toNode } from '../expr/expr.js';
import { checkKeySpace, keySpaceTable } from '../indexes/key-space.js';
import { columnTree, treeSchema } from '../table/column.js';
import { keyForms } from '../table/key-type.js';
import { TableStore } from '../table/table-store.js';
import { Catalog, type CatalogTable, identifierOf, parseIdentifier, tableName } from './catalog.js';
import { type CatalogIndex, IndexCatalog } from './index-catalog.js';
import { type KeySpaceRecord, putIndexRecord, readIndexRecord } from './index-record.js';
import { KeySpaceIndex } from './key-space-index.js';
import { newestScan } from './newest-scan.js';
import { projectionNode } from './projection-node.js';
import { Table } from './table.js';
import { putTableRecord } from './table-record.js';
import type { Warehouse } from './warehouse.js';

/** What a new table is made of. */
export interface CreateTableOptions {
  /** The key columns, in order: `{ id: 'int64' }`, an Arrow Schema, fields or pairs. */
  readonly keySchema: SchemaLike;
  /** A path or URI: the table's files go into a folder in it that is named by the table's id. Default: the warehouse. */
  readonly rootUri?: string;
  /** Gives the table that has the name already, if its key is the same. Default false. */
  readonly existOk?: boolean;
}

/** What a new index is made of, besides what it is over. */
export interface CreateIndexOptions {
  /** Only rows for which it is true. Default: all. */
  readonly where?: ExprLike;
  /** A path or URI: the index's files go into a folder in it that is named by the index's id. Default: the warehouse. */
  readonly rootUri?: string;
  /** Gives the index that has the name already, if it is over the same. Default false. */
  readonly existOk?: boolean;
}

/** A set of tables, and of indexes over them, under one id. */
export class Project {
  readonly id: string;
  readonly #warehouse: Warehouse;
  readonly #catalog: Catalog;
  readonly #indexes: IndexCatalog;

  /** Made by `Spiral.project`, `createProject` and `listProjects`. */
  constructor(warehouse: Warehouse, id: string) {
    this.id = id;
    this.#warehouse = warehouse;
    this.#catalog = new Catalog(warehouse.store, id);
    this.#indexes = new IndexCatalog(warehouse.store, id);
  }

  /**
   * The table called `dataset.table`, or `table` in the dataset `default`.
   *
   * @throws SpiralError `unknown_table`, with the nearest names; `unknown_project`; `invalid_identifier`.
   */
  async table(identifier: string): Promise<Table> {
    return this.#open(await this.#catalog.table(identifier));
  }

  /**
   * Makes a table.
   *
   * @throws SpiralError `already_exists`; with `existOk`, only when the key is another; `invalid_schema` and
   * `unsupported_type` for a key that cannot be one; `invalid_identifier`, `unknown_project`.
   */
  async createTable(identifier: string, options: CreateTableOptions): Promise<Table> {
    knownOptions('createTable', options, ['keySchema', 'rootUri', 'existOk']);
    const { dataset, table } = parseIdentifier(identifier);
    const name = identifierOf({ dataset, table });
    const keys = toSchema(options.keySchema, `the key of ${name}`).fields;
    if (keys.length === 0) throw new SpiralError('invalid_schema', `Expected ${name} to have a key, got no columns.`);
    keyForms(
      keys.map((field) => field.type),
      keys.map((field) => field.name),
    );
    const taken = await this.#catalog.find(identifier);
    if (taken !== undefined) return this.#existing(taken, keys, options);
    const tableId = uniqueId('tbl_');
    const rootUri = options.rootUri === undefined ? null : this.#warehouse.rootUri(options.rootUri);
    const record = { id: tableId, project: this.id, rootUri };
    const columns = keys.map((field, id) => ({ id, path: [field.name], type: typeWords(field.type) }));
    const root = this.#warehouse.rootOf(record);
    const creation = { kind: 'create', tableId, keys: columns } as const;
    if (!(await TableStore.create(root, creation, this.#warehouse.tableOptions))) {
      throw new SpiralError('already_exists', `Expected ${root.uri} to be free for ${name}, found a table there.`, {
        details: { project: this.id, table: name, root: root.uri },
      });
    }
    await putTableRecord(this.#warehouse.store, record);
    const winner = await this.#catalog.add({ tableId, dataset, table });
    return winner.tableId === tableId ? this.#open(winner) : this.#existing(winner, keys, options);
  }

  /** Every table of the project. */
  async listTables(): Promise<Table[]> {
    return Promise.all((await this.#catalog.tables()).map((table) => this.#open(table)));
  }

  /**
   * Moves a table to another dataset of the project. Its id stays, and who reads it goes on.
   *
   * @throws SpiralError `unknown_table`; `already_exists` where that dataset has a table of its name.
   */
  async moveTable(identifier: string, newDataset: string): Promise<void> {
    await this.#catalog.rename(identifier, { dataset: tableName(newDataset, 'dataset') });
  }

  /**
   * Gives a table another name in its dataset. Its id stays, and who reads it goes on.
   *
   * @throws SpiralError `unknown_table`; `already_exists` where the dataset has a table of that name.
   */
  async renameTable(identifier: string, newTable: string): Promise<void> {
    await this.#catalog.rename(identifier, { table: tableName(newTable, 'table') });
  }

  /** The key-space index called `name`, as it was last synced. @throws SpiralError `unknown_index`, with the nearest names. */
  async keySpaceIndex(name: string): Promise<KeySpaceIndex> {
    const { indexId } = await this.#indexes.index(name);
    return KeySpaceIndex.open(this.#warehouse, await readIndexRecord(this.#warehouse.store, indexId), name);
  }

  /**
   * Makes a key-space index over the rows of one table for which `where` is true: ranges of its keys with about `granularity`
   * rows each, and at most twice as many. It is empty until `sync()`.
   *
   * @param projections what `table.toStreaming(index)` reads; rows and ranges do not depend on it.
   * @throws SpiralError `invalid_size` for a granularity below 1; `already_exists` (with `existOk` only where the other index is
   * another: granularity, projections and filter must be the same); `invalid_identifier`, `unknown_project`;
   * `invalid_expression` for several tables, files, auxiliary columns, and a filter that runs code or fetches;
   * `unknown_column`, `type_mismatch`.
   */
  async createKeySpaceIndex(
    name: string,
    granularity: number,
    projections: ExprLike | readonly ExprLike[],
    options: CreateIndexOptions = {},
  ): Promise<KeySpaceIndex> {
    knownOptions('createKeySpaceIndex', options, ['where', 'rootUri', 'existOk']);
    const space = {
      granularity: wholeNumber('granularity', granularity, { min: 1, unit: 'rows of a range' }),
      projection: projectionNode(projections),
      where: options.where === undefined ? undefined : toNode(options.where),
    };
    const table = keySpaceTable(space.projection, space.where);
    const taken = await this.#indexes.find(name);
    if (taken !== undefined) return this.#existingIndex(taken, space, options);
    const opened = await this.#warehouse.openTable(table);
    checkKeySpace({ ...space, name, table }, opened.name, await opened.latest());
    const rootUri = options.rootUri === undefined ? null : this.#warehouse.rootUri(options.rootUri);
    const record = { ...space, id: uniqueId('idx_'), project: this.id, table, rootUri };
    await putIndexRecord(this.#warehouse.store, record);
    const winner = await this.#indexes.add({ indexId: record.id, name });
    return winner.indexId === record.id
      ? KeySpaceIndex.open(this.#warehouse, record, name)
      : this.#existingIndex(winner, space, options);
  }

  async #existingIndex(
    { indexId, name }: CatalogIndex,
    { granularity, projection, where }: Pick<KeySpaceRecord, 'granularity' | 'projection' | 'where'>,
    options: CreateIndexOptions,
  ): Promise<KeySpaceIndex> {
    const record = await readIndexRecord(this.#warehouse.store, indexId);
    const other = [
      record.granularity !== granularity && `granularity, ${record.granularity}`,
      JSON.stringify(record.projection) !== JSON.stringify(projection) && 'projection',
      JSON.stringify(record.where) !== JSON.stringify(where) && 'filter',
    ].find((word) => word !== false);
    if (options.existOk === true && other === undefined) return KeySpaceIndex.open(this.#warehouse, record, name);
    const why =
      options.existOk === true
        ? `has another ${other}. Take another name`
        : 'is there already. Open it with keySpaceIndex(), or pass { existOk: true }';
    throw new SpiralError('already_exists', `The index '${name}' of project '${this.id}' ${why}.`, {
      details: { project: this.id, index: name },
    });
  }

  async #existing(
    taken: CatalogTable,
    keys: readonly { readonly name: string; readonly type: Parameters<typeof sameType>[0] }[],
    options: CreateTableOptions,
  ): Promise<Table> {
    const table = await this.#open(taken);
    const own = table.keySchema.fields;
    const same =
      own.length === keys.length &&
      own.every((field, at) => field.name === keys[at]!.name && sameType(field.type, keys[at]!.type));
    if (options.existOk === true && same) return table;
    const why =
      options.existOk === true
        ? `has another key: ${own.map((field) => `${field.name} ${typeWords(field.type)}`).join(', ')}`
        : 'is there already. Open it with table(), or pass { existOk: true }';
    throw new SpiralError('already_exists', `The table '${identifierOf(taken)}' of project '${this.id}' ${why}.`, {
      details: { project: this.id, table: identifierOf(taken) },
    });
  }

  async #open(named: CatalogTable): Promise<Table> {
    const store = await this.#warehouse.openTable(named.tableId);
    store.name = identifierOf(named);
    const { keys } = await store.latest();
    return new Table(store, named.tableId, treeSchema(columnTree(keys)), this.id, named, (projection) =>
      newestScan(this.#warehouse, projection),
    );
  }
}
