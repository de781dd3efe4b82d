import { resolve } from 'node:path';
import { SpiralError } from '../core/errors.js';
import { FileCache } from '../format/file-cache.js';
import type { EffectAccess } from '../scan/effect-access.js';
import { type FileSet, fileSetId } from '../scan/file-set.js';
import { type OpenFiles, openFileSet } from '../scan/open-files.js';
import { openRecipe } from '../scan/open-recipe.js';
import type { OpenScan, ScanEnvironment } from '../scan/open-scan.js';
import type { FileRecipe, ScanRecipe } from '../scan/recipe.js';
import { UdfThreads } from '../scan/udf-threads.js';
import { openStore } from '../storage/open-store.js';
import { Pace } from '../storage/pace.js';
import type { ObjectStore } from '../storage/store.js';
import { StoreCaches } from '../storage/store-caches.js';
import { StoreMeter } from '../storage/store-meter.js';
import type { StoreSettings } from '../storage/store-settings.js';
import { subStore } from '../storage/sub-store.js';
import { TableStore, type TableStoreOptions } from '../table/table-store.js';
import { isHosted } from '../workers/hosted-thread.js';
import { cacheSettings } from './cache-settings.js';
import type { KeySpaceRecord } from './index-record.js';
import { s3FoldersOf } from './s3-folders.js';
import type { ScanLimits } from './scan.js';
import type { ClientSettings } from './setting-keys.js';
import { pathsOf } from './settings.js';
import { readTableRecord, type TableRecord } from './table-record.js';

/** What the handles of one client share: the store, and everything that is open. Opened on first use. */
export class Warehouse implements ScanEnvironment {
  readonly settings: ClientSettings;
  readonly files: FileCache;
  /** Counts what is asked of far stores, by threads that read for this client as well. */
  readonly meter: StoreMeter = new StoreMeter();
  readonly #tables = new Map<string, Promise<TableStore>>();
  readonly #files = new Map<string, Promise<OpenFiles>>();
  readonly #stores = new Map<string, ObjectStore>();
  readonly #udfThreads = new UdfThreads();
  readonly #storeSettings: StoreSettings;
  readonly #caches: StoreCaches;
  #closed = false;

  constructor(settings: ClientSettings) {
    this.settings = settings;
    this.files = new FileCache(settings['limits.block_cache_bytes']);
    this.#storeSettings = {
      caches: cacheSettings(settings),
      concurrency: settings['limits.concurrency'],
      bytesPerSecond: settings['limits.bytes_per_second'] ?? undefined,
      pace: new Pace(1).shared,
      hedgeQuantile: settings['hedge.quantile'] ?? undefined,
      meter: this.meter.shared,
    };
    this.#caches = new StoreCaches(this.#storeSettings.caches ?? {}, this.meter);
  }

  get store(): ObjectStore {
    return this.#opened(this.settings['warehouse.uri']);
  }

  get verify(): ClientSettings['verify'] {
    return this.settings.verify;
  }

  get effects(): EffectAccess {
    return {
      privateAddresses: this.settings['effects.private_addresses'],
      folders: pathsOf(this.settings['effects.file_folders']).map((path) => resolve(path)),
      s3Folders: s3FoldersOf(this.settings['effects.s3_folders']),
      udfWorkers: 0,
    };
  }

  get shardBytesMax(): number {
    return this.settings['limits.partition_max_bytes'];
  }

  /** How scans are read. */
  get scanLimits(): ScanLimits {
    return {
      batchReadahead: this.settings['limits.batch_readahead'],
      memoryBytesMax: this.settings['limits.memory_bytes'] ?? undefined,
    };
  }

  /** How tables are written to. */
  get tableOptions(): TableStoreOptions {
    return {
      author: this.settings['commit.author'] || undefined,
      writeMemoryBytesMax: this.settings['limits.memory_bytes'] ?? undefined,
    };
  }

  /** `uri` as it can be opened from anywhere: a relative path is the one from here. @throws as `openStore`. */
  rootUri(uri: string): string {
    return this.#opened(uri).uri;
  }

  /**
   * The store of a table's files.
   *
   * @throws SpiralError `path_outside_root` for a place on this machine where the warehouse is in an object store: others write
   * there, and do not choose which folders of this machine are read and written.
   */
  rootOf(record: TableRecord): ObjectStore {
    const { rootUri, id } = record;
    const root = rootUri === null ? subStore(this.store, `tables/${id}`) : this.#below(rootUri, id, 'table');
    return this.#caches.around(root, 'table');
  }

  /** The store of an index's files. @throws SpiralError as {@link rootOf}. */
  indexRootOf({ id, rootUri }: Pick<KeySpaceRecord, 'id' | 'rootUri'>): ObjectStore {
    const root = rootUri === null ? subStore(this.store, `indexes/${id}`) : this.#below(rootUri, id, 'index');
    return this.#caches.around(root, 'index');
  }

  /** The table with the id `tableId`, opened once. @throws SpiralError `unknown_table`. */
  openTable(tableId: string): Promise<TableStore> {
    let table = this.#tables.get(tableId);
    if (table === undefined) {
      table = readTableRecord(this.store, tableId).then(
        (record) => new TableStore(this.rootOf(record), tableId, this.tableOptions),
      );
      this.#tables.set(tableId, table);
      table.catch(() => this.#tables.delete(tableId));
    }
    return table;
  }

  /**
   * Opens a scan whose udfs run in `udfWorkers` threads; 0: in the thread that reads.
   *
   * @throws SpiralError as `openRecipe`; `invalid_transform` for threads in a thread of this package.
   */
  openScan(recipe: ScanRecipe, udfWorkers = 0): Promise<OpenScan> {
    if (udfWorkers > 0) refuseHostedUdfs();
    return openRecipe(recipe, {
      files: this.files,
      verify: this.verify,
      effects: { ...this.effects, udfWorkers },
      udfThreads: this.#udfThreads,
      shardBytesMax: this.shardBytesMax,
      stores: this.#storeSettings,
      openTable: (tableId) => this.openTable(tableId),
      openFiles: ({ files }: FileRecipe) => this.openFileSet(files),
    });
  }

  /** The files of `set`, opened once. @throws SpiralError as `openFileSet`. */
  openFileSet(set: FileSet, signal?: AbortSignal): Promise<OpenFiles> {
    const id = `${set.root} ${fileSetId(set)}`;
    let files = this.#files.get(id);
    if (files === undefined) {
      const store = this.#caches.around(this.#opened(set.root), 'files');
      files = openFileSet(set, store, { signal, indexStore: subStore(this.store, 'file-indexes') });
      this.#files.set(id, files);
      files.catch(() => this.#files.delete(id));
    }
    return files;
  }

  /** The set that was opened under the id `id`. @throws SpiralError `unknown_table`. */
  async fileSet(id: string): Promise<FileSet> {
    for (const opened of [...this.#files.values()].reverse()) {
      const { set } = await opened;
      if (fileSetId(set) === id) return set;
    }
    throw new SpiralError(
      'unknown_table',
      'Expected files that this client has opened. Open them with its `files()`.',
      {
        details: { table: id },
      },
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#udfThreads.close();
    await Promise.all(Array.from(this.#stores.values(), (store) => store.close()));
    await this.#caches.close();
  }

  #below(rootUri: string, id: string, what: 'table' | 'index'): ObjectStore {
    const [root, { uri }] = [this.#opened(rootUri), this.store];
    if (!isOfThisMachine(root.uri) || isOfThisMachine(uri)) return subStore(root, id);
    throw new SpiralError(
      'path_outside_root',
      `Expected the ${what} ${id} of the warehouse ${uri} to be in an object store as well, got ${root.uri}, a place of this ` +
        'machine alone. Give `rootUri` a place that all machines reach; if the warehouse holds it, do not trust that warehouse.',
      { details: { [what]: id, uri: root.uri, warehouse: uri } },
    );
  }

  #opened(uri: string): ObjectStore {
    let store = this.#stores.get(uri);
    if (store === undefined) {
      if (this.#closed) throw new SpiralError('closed', 'The client was closed. Make another with `new Spiral()`.');
      store = openStore(uri, this.#storeSettings);
      this.#stores.set(uri, store);
    }
    return store;
  }
}

function isOfThisMachine(uri: string): boolean {
  return /^(file|memory):/.test(uri);
}

/** A module that starts threads for its functions when it is imported would be imported for ever, each time in another thread. */
function refuseHostedUdfs(): void {
  if (!isHosted()) return;
  throw new SpiralError(
    'invalid_transform',
    'Expected a module that only defines functions, but one that a thread loaded for its functions makes a scan with ' +
      '`udfWorkers`. Move the functions to a file of their own.',
  );
}
