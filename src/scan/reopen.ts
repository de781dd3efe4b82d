import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { SpiralError } from '../core/errors.js';
import type { Verify } from '../core/verify.js';
import { FileCache } from '../format/file-cache.js';
import { openStore } from '../storage/open-store.js';
import { portStore } from '../storage/port-store.js';
import { reopenUri } from '../storage/reopenable.js';
import { serveStore } from '../storage/serve-store.js';
import type { ObjectStore } from '../storage/store.js';
import { StoreCaches } from '../storage/store-caches.js';
import { StoreMeter } from '../storage/store-meter.js';
import type { StoreSettings } from '../storage/store-settings.js';
import { TableStore } from '../table/table-store.js';
import type { EffectAccess } from './effect-access.js';
import { openFileSet } from './open-files.js';
import { openRecipe } from './open-recipe.js';
import type { OpenScan } from './open-scan.js';
import { isFileRecipe, type ScanRecipe } from './recipe.js';
import { UdfThreads } from './udf-threads.js';

/** All that another thread needs to open a scan again. */
export interface ReopenRecipe {
  readonly scan: ScanRecipe;
  /** Where each table of the scan is. */
  readonly tables: readonly { readonly id: string; readonly name: string; readonly store: ObjectStore }[];
  readonly verify: Verify;
  readonly effects?: EffectAccess | undefined;
  readonly shardBytesMax: number;
  /** How its stores are read. */
  readonly stores?: StoreSettings | undefined;
  /** What is in memory of each file of a scan of files, so that opening them again is cheap. */
  readonly indexes?: readonly (Uint8Array | undefined)[];
}

/** A recipe that crosses to another thread: stores by their URIs, with a port where this thread must serve them. */
export interface SharedRecipe extends Omit<ReopenRecipe, 'tables'> {
  readonly tables: readonly {
    readonly id: string;
    readonly name: string;
    readonly rootUri: string;
    readonly port: MessagePort | undefined;
  }[];
}

/**
 * `recipe` for another thread, its `ports` to be transferred. Stores that a thread cannot open by their URIs (in memory, or
 * objects of the caller's) are served by this one until `close`, or until that thread ends.
 */
export function shareRecipe(recipe: ReopenRecipe): { shared: SharedRecipe; ports: MessagePort[]; close(): void } {
  const ports: MessagePort[] = [];
  const servers: { close(): void }[] = [];
  const tables = recipe.tables.map(({ id, name, store }) => {
    const rootUri = reopenUri(store);
    if (rootUri !== undefined) return { id, name, rootUri, port: undefined };
    const { port1, port2 } = new MessageChannel();
    servers.push(serveStore(store, port1));
    ports.push(port2);
    return { id, name, rootUri: store.uri, port: port2 };
  });
  const close = (): void => {
    for (const server of servers.splice(0)) server.close();
  };
  return { shared: { ...recipe, tables }, ports, close };
}

/** Opens the scan of `recipe`, with stores of this thread, for as long as this thread lives. */
export async function reopenScan(recipe: SharedRecipe): Promise<OpenScan> {
  const { caches: cached = {}, meter } = recipe.stores ?? {};
  const caches = new StoreCaches(cached, meter === undefined ? undefined : new StoreMeter(meter));
  const content = isFileRecipe(recipe.scan) ? 'files' : 'table';
  const tables = new Map(
    recipe.tables.map(({ id, name, rootUri, port }) => {
      const store =
        port === undefined ? caches.around(openStore(rootUri, recipe.stores), content) : portStore(port, rootUri);
      return [id, new TableStore(store, name)];
    }),
  );
  const tableOf = (id: string): TableStore => {
    const table = tables.get(id);
    if (table !== undefined) return table;
    throw new SpiralError('internal', `Expected the root of table ${id} in the recipe of its scan.`);
  };
  return openRecipe(recipe.scan, {
    files: new FileCache(),
    udfThreads: new UdfThreads(),
    verify: recipe.verify,
    ...(recipe.effects === undefined ? {} : { effects: recipe.effects }),
    shardBytesMax: recipe.shardBytesMax,
    stores: recipe.stores,
    openTable: async (id) => tableOf(id),
    openFiles: ({ table, files }) => openFileSet(files, tableOf(table).store, { indexes: recipe.indexes }),
  });
}
