import { SpiralError } from '../core/errors.js';
import { FileCache } from '../format/file-cache.js';
import type { Verify } from '../format/stored-buffers.js';
import { openStore } from '../storage/open-store.js';
import type { ObjectStore } from '../storage/store.js';
import { TableStore } from '../table/table-store.js';
import { type OpenScan, openScan } from './open-scan.js';
import type { ScanRecipe } from './recipe.js';

/** All that another thread needs to open a scan again, cloneable. */
export interface ReopenRecipe {
  readonly scan: ScanRecipe;
  /** Where each table of the scan is. */
  readonly tables: readonly { readonly id: string; readonly name: string; readonly rootUri: string }[];
  readonly verify: Verify;
  readonly shardBytesMax: number;
}

/** Opens the scan of `recipe`, with stores of this thread; `close` lets go of them. */
export async function reopenScan(recipe: ReopenRecipe): Promise<{ scan: OpenScan; close(): Promise<void> }> {
  const stores: ObjectStore[] = [];
  const tables = new Map(
    recipe.tables.map(({ id, name, rootUri }) => {
      const store = openStore(rootUri);
      stores.push(store);
      return [id, new TableStore(store, name)];
    }),
  );
  const scan = await openScan(recipe.scan, {
    files: new FileCache(),
    verify: recipe.verify,
    shardBytesMax: recipe.shardBytesMax,
    openTable: async (id) => {
      const table = tables.get(id);
      if (table !== undefined) return table;
      throw new SpiralError('internal', `Expected the root of table ${id} in the recipe of its scan.`);
    },
  });
  const close = async (): Promise<void> => {
    await Promise.all(stores.map((store) => store.close()));
  };
  return { scan, close };
}
