import { newestScan } from '../../src/client/newest-scan.js';
import { Project } from '../../src/client/project.js';
import { Scan } from '../../src/client/scan.js';
import { resolveSettings } from '../../src/client/settings.js';
import type { Table } from '../../src/client/table.js';
import { Warehouse } from '../../src/client/warehouse.js';
import { isSpiralError } from '../../src/core/errors.js';
import type { Expr } from '../../src/expr/expr.js';
import { toNode } from '../../src/expr/expr.js';
import { parseRecipe } from '../../src/scan/recipe.js';
import { openStore } from '../../src/storage/open-store.js';
import { retryStore } from '../../src/storage/retry-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { type FaultPlan, faultStore } from '../../src/testing/fault-store.js';

/** What happens to a store's operations: five in a hundred fail, one of them after it took effect; one breaks off. */
export const soakFaults: Required<
  Pick<FaultPlan, 'failShare' | 'loseAnswerShare' | 'truncateShare' | 'delayMsMax' | 'spikeShare' | 'spikeMs'>
> = {
  failShare: 0.04,
  loseAnswerShare: 0.01,
  truncateShare: 0.01,
  delayMsMax: 3,
  spikeShare: 0.002,
  spikeMs: 1000,
};

const projectId = 'soak';

/** The warehouse of a soak, over a store that fails where a `seed` for its faults is given. */
export class SoakWarehouse extends Warehouse {
  readonly #base: ObjectStore;
  readonly #store: ObjectStore;
  #operations = 0;
  #failures = 0;

  constructor(uri: string, author: string, seed?: number) {
    super(resolveSettings({ 'warehouse.uri': uri, 'commit.author': author }, {}, {}));
    this.#base = openStore(uri);
    this.#store =
      seed === undefined
        ? this.#base
        : retryStore(this.#counted(faultStore(this.#base, { ...soakFaults, seed, keepLog: false })));
  }

  override get store(): ObjectStore {
    return this.#store;
  }

  /** Operations asked of the store with faults, tries again included, and those that failed. */
  get operations(): { readonly operations: number; readonly failures: number } {
    return { operations: this.#operations, failures: this.#failures };
  }

  /** The table, made where it is not there. */
  async makeTable(): Promise<Table> {
    const record = JSON.stringify({ id: projectId, name: null, maker: 'soak' });
    await this.store.put(`projects/${projectId}/project`, new TextEncoder().encode(record));
    return new Project(this, projectId).createTable('rows', {
      keySchema: { writer: 'int32', slot: 'int32' },
      existOk: true,
    });
  }

  table(): Promise<Table> {
    return new Project(this, projectId).table('rows');
  }

  /** The rows of `table` now, or at `asof`. */
  scan(table: Table, options: { where?: Expr | undefined; asof?: number } = {}): Promise<Scan> {
    const { where, asof } = options;
    return newestScan(this, table.node, { asof, where: where === undefined ? undefined : toNode(where) });
  }

  async resumeScan(json: string): Promise<Scan> {
    return new Scan(await this.openScan(parseRecipe(json)), this.scanLimits);
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#store.close();
    await this.#base.close();
  }

  /** `store`, its operations counted. */
  #counted(store: ObjectStore): ObjectStore {
    const count = <Args extends unknown[], T>(work: (...args: Args) => Promise<T>) => {
      return (...args: Args): Promise<T> => {
        this.#operations++;
        return work.apply(store, args).catch((error: unknown) => {
          if (isSpiralError(error, 'unavailable')) this.#failures++;
          throw error;
        });
      };
    };
    return {
      uri: store.uri,
      get: count(store.get),
      getRange: count(store.getRange),
      getTail: count(store.getTail),
      head: count(store.head),
      put: count(store.put),
      putIfAbsent: count(store.putIfAbsent),
      delete: count(store.delete),
      list: (...args) => store.list(...args),
      close: () => store.close(),
    };
  }
}
