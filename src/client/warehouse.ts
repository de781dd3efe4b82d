import { FileCache } from '../format/file-cache.js';
import type { OpenScan, ScanEnvironment } from '../scan/open-scan.js';
import { openScan } from '../scan/open-scan.js';
import type { ScanRecipe } from '../scan/recipe.js';
import { openStore } from '../storage/open-store.js';
import type { ObjectStore } from '../storage/store.js';
import { subStore } from '../storage/sub-store.js';
import { TableStore } from '../table/table-store.js';
import type { ClientSettings } from './settings.js';
import { readTableRecord, type TableRecord } from './table-record.js';

/** What the handles of one client share: the store, and everything that is open. Opened on first use. */
export class Warehouse implements ScanEnvironment {
  readonly settings: ClientSettings;
  readonly files: FileCache = new FileCache();
  readonly #tables = new Map<string, Promise<TableStore>>();
  readonly #stores: ObjectStore[] = [];
  #store: ObjectStore | undefined;

  constructor(settings: ClientSettings) {
    this.settings = settings;
  }

  get store(): ObjectStore {
    this.#store ??= this.#opened(this.settings['warehouse.uri']);
    return this.#store;
  }

  get verify(): ClientSettings['verify'] {
    return this.settings.verify;
  }

  get shardBytesMax(): number {
    return this.settings['limits.partition_max_bytes'];
  }

  /** The store of a table's files. */
  rootOf(record: TableRecord): ObjectStore {
    return record.rootUri === null ? subStore(this.store, `tables/${record.id}`) : this.#opened(record.rootUri);
  }

  /** The table with the id `tableId`, opened once. @throws SpiralError `unknown_table`. */
  openTable(tableId: string): Promise<TableStore> {
    let table = this.#tables.get(tableId);
    if (table === undefined) {
      table = readTableRecord(this.store, tableId).then((record) => new TableStore(this.rootOf(record), tableId));
      this.#tables.set(tableId, table);
      table.catch(() => this.#tables.delete(tableId));
    }
    return table;
  }

  openScan(recipe: ScanRecipe): Promise<OpenScan> {
    return openScan(recipe, this);
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()));
  }

  #opened(uri: string): ObjectStore {
    const store = openStore(uri);
    this.#stores.push(store);
    return store;
  }
}
