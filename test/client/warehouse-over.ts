import { Project } from '../../src/client/project.js';
import { Scan } from '../../src/client/scan.js';
import { resolveSettings } from '../../src/client/settings.js';
import type { Table } from '../../src/client/table.js';
import { Warehouse } from '../../src/client/warehouse.js';
import { scanRecipe } from '../../src/scan/recipe.js';
import type { ObjectStore } from '../../src/storage/store.js';

/** A warehouse in a store that a test made, such as one that fails. */
export class WarehouseOver extends Warehouse {
  readonly #given: ObjectStore;

  constructor(store: ObjectStore) {
    super(resolveSettings({}, {}, {}));
    this.#given = store;
  }

  override get store(): ObjectStore {
    return this.#given;
  }

  /** The project `id`, which is there. */
  project(id: string): Project {
    return new Project(this, id);
  }

  /** All rows of `table` now. */
  async rows(table: Table): Promise<Record<string, unknown>[]> {
    const { version } = await (await this.openTable(table.id)).latest();
    return new Scan(await this.openScan(scanRecipe([{ table: table.id, version }], table.node)), {
      batchReadahead: 8,
    }).toRows();
  }
}

/** Puts the project `id` into `store` in one step, and gives the store. */
export async function withProject<S extends ObjectStore>(store: S, id: string): Promise<S> {
  const record = { id, name: null, maker: 'test' };
  await store.put(`projects/${id}/project`, new TextEncoder().encode(JSON.stringify(record)));
  return store;
}
