import { SpiralError } from '../core/errors.js';
import { type ExprLike, toNode } from '../expr/expr.js';
import { nodeText } from '../expr/node-text.js';
import { outwardCall } from '../expr/outward-call.js';
import { type KeySpace, keySpaceRecipe, keySpaceShards, keySpaceTable, syncKeySpace } from '../indexes/key-space.js';
import { type KeySpaceSync, SyncLog } from '../indexes/sync-log.js';
import type { Shard } from '../sharding/shard.js';
import type { KeySpaceRecord } from './index-record.js';
import { Scan } from './scan.js';
import { Snapshot } from './snapshot.js';
import type { Warehouse } from './warehouse.js';

/**
 * Ranges of a table's keys with about as many rows each as the index's granularity, of the rows that its filter leaves. The
 * ranges are those of one version of the table, the one it was last synced at, and stay so whatever is written since.
 *
 * ```ts
 * const index = await project.createKeySpaceIndex('by_1000', 1000, table);
 * await index.sync();
 * const loader = (await index.scan()).toDataLoader({ shards: await index.shards() });
 * ```
 */
export class KeySpaceIndex {
  readonly id: string;
  /** The id where the index has no name. */
  readonly name: string;
  /** Rows that a range should have; none has more than twice as many. */
  readonly granularity: number;
  /** The id of the table that it is over. */
  readonly tableId: string;
  readonly #warehouse: Warehouse;
  readonly #space: KeySpace;
  readonly #log: SyncLog;
  #sync: KeySpaceSync | undefined;

  /** Made by `Project.keySpaceIndex`, `Project.createKeySpaceIndex` and `Spiral.keySpaceIndex`. */
  constructor(
    warehouse: Warehouse,
    record: KeySpaceRecord,
    name: string,
    log: SyncLog,
    sync: KeySpaceSync | undefined,
  ) {
    this.id = record.id;
    this.name = name;
    this.granularity = record.granularity;
    this.tableId = record.table;
    this.#warehouse = warehouse;
    this.#space = { ...record, name };
    this.#log = log;
    this.#sync = sync;
  }

  /** The index of `record`, as it was last synced. @throws SpiralError `corrupt_log`. */
  static async open(warehouse: Warehouse, record: KeySpaceRecord, name: string): Promise<KeySpaceIndex> {
    const log = new SyncLog(warehouse.indexRootOf(record), record.id);
    return new KeySpaceIndex(warehouse, record, name, log, await log.newest());
  }

  /**
   * When the version was committed that this index is of, in microseconds since the epoch: scan with `{ asof: index.asof }`.
   * Null until a first sync. What others sync meanwhile shows when the index is opened again.
   */
  get asof(): number | null {
    return this.#sync?.asof ?? null;
  }

  /**
   * Makes the ranges those of `snapshot`, by default the newest version of the table. Reads the columns of the filter and a
   * few keys, and of what is as it was in the last sync nothing. Of two syncs at once one holds, whole; without a snapshot
   * a later version is never replaced by an earlier one.
   *
   * The index keeps no version from vacuum: tag it (`table.tag(name, index.asof)`) for as long as its ranges are to be read.
   *
   * @throws SpiralError `invalid_argument` for a snapshot of another table; `unknown_column` and `type_mismatch` where the
   * table lost columns of the index; `limit_exceeded` for more than 1,000,000 ranges; as reading a scan; `cancelled`. The
   * last sync then holds.
   */
  async sync(snapshot?: Snapshot, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const table = await this.#warehouse.openTable(this.tableId);
    if (snapshot !== undefined && !(snapshot instanceof Snapshot && snapshot.table.id === this.tableId)) {
      throw new SpiralError(
        'invalid_argument',
        `Expected a snapshot of ${table.name}, which the index '${this.name}' is over, got ` +
          `${snapshot instanceof Snapshot ? `one of ${snapshot.table.identifier}` : 'something else'}. Take one with ` +
          '`table.snapshot()`.',
        { details: { index: this.name, table: this.tableId } },
      );
    }
    const version = snapshot === undefined ? await table.latest() : await table.asof(await snapshot.asof());
    this.#sync = await syncKeySpace(this.#space, this.#log, version, this.#warehouse, {
      chosen: snapshot !== undefined,
      signal: options.signal,
    });
  }

  /**
   * The ranges as shards: contiguous, in key order, together every row that the filter leaves, each with its number of rows,
   * at most twice the granularity. For scans of the same table at `{ asof: index.asof }` with the index's filter; others
   * refuse them. None where there is no row.
   *
   * @throws SpiralError `index_not_synced`; `version_vacuumed` where vacuum removed the version; `corrupt_log` where the file
   * of the ranges is damaged: sync again; `not_found` where later syncs took its place long ago: open the index again.
   */
  async shards(): Promise<Shard[]> {
    const table = await this.#warehouse.openTable(this.tableId);
    return keySpaceShards(this.#space, this.#log, this.#synced(), table);
  }

  /**
   * A scan of what the index is over, at the version it was synced at and under its filter: the one that `shards()` fit.
   *
   * @param projection other columns than those of the index.
   * @throws SpiralError `index_not_synced`, `version_vacuumed`, and as `Spiral.scan`; `permission_denied` without a
   * `projection` where that of the index runs code or fetches: what a warehouse holds does neither by itself.
   */
  async scan(projection?: ExprLike): Promise<Scan> {
    const { version } = this.#synced();
    const outward = projection === undefined ? outwardCall(this.#space.projection) : undefined;
    if (outward !== undefined) throw notByItself(this.name, nodeText(outward));
    const space = projection === undefined ? this.#space : { ...this.#space, projection: toNode(projection) };
    const table = keySpaceTable(space.projection, space.where);
    if (table !== this.tableId) {
      throw new SpiralError(
        'invalid_expression',
        `Expected a projection of ${this.tableId}, the table that the index '${this.name}' is over, got one of ${table}. Make an index of that one.`,
        { details: { index: this.name, expected: this.tableId, found: table } },
      );
    }
    const scan = await this.#warehouse.openScan(keySpaceRecipe(space, version));
    return new Scan(scan, this.#warehouse.scanLimits);
  }

  #synced(): KeySpaceSync {
    if (this.#sync !== undefined) return this.#sync;
    throw new SpiralError(
      'index_not_synced',
      `Expected the index '${this.name}' to have been synced, but it never was. Call \`index.sync()\` first.`,
      { details: { index: this.name } },
    );
  }
}

function notByItself(index: string, expression: string): SpiralError {
  return new SpiralError(
    'permission_denied',
    `Expected a projection for the index '${index}': its own has ${expression}, and code that a warehouse names is not run, nor ` +
      'addresses asked, unless you name them. Pass the projection that you trust.',
    { details: { index, expression } },
  );
}
