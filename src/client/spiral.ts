import type { SchemaLike } from '../arrow/schema.js';
import { knownOptions, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { type ExprLike, toNode } from '../expr/expr.js';
import type { ExprNode } from '../expr/node.js';
import type { MdsSettings } from '../format/mds-file.js';
import type { CsvSettings, FileFormat } from '../scan/file-format.js';
import { findFiles } from '../scan/find-files.js';
import { parseRecipe } from '../scan/recipe.js';
import type { Shard } from '../sharding/shard.js';
import type { StoreMetrics } from '../storage/store-meter.js';
import { columnTree, treeSchema } from '../table/column.js';
import { type AsOf, asOfMicros } from './as-of.js';
import { cacheSettings } from './cache-settings.js';
import { Catalog, identifierOf } from './catalog.js';
import { diagnosis, type Finding } from './diagnosis.js';
import { FileTable } from './file-table.js';
import { IndexCatalog } from './index-catalog.js';
import { readIndexRecord } from './index-record.js';
import { KeySpaceIndex } from './key-space-index.js';
import { newestScan } from './newest-scan.js';
import { Project } from './project.js';
import { checkProjectId, createProjectRecord, listProjectIds } from './project-record.js';
import { projectionNode } from './projection-node.js';
import { Scan } from './scan.js';
import type { ClientSettings } from './setting-keys.js';
import { resolveSettings } from './settings.js';
import { Table } from './table.js';
import { readTableRecord } from './table-record.js';
import { Warehouse } from './warehouse.js';

/**
 * The client: tables in plain files under `warehouse.uri` (`./.spiral` unless said otherwise), no server.
 *
 * ```ts
 * await using spiral = new Spiral();
 * const project = await spiral.createProject('demo');
 * const table = await project.createTable('images', { keySchema: { id: 'int64' } });
 * await table.write([{ id: 1n, label: 'cat' }]);
 * const rows = await (await spiral.scan(table)).toRows();
 * ```
 */
export class Spiral implements AsyncDisposable {
  readonly config: ClientSettings;
  readonly #warehouse: Warehouse;

  /**
   * Reads the environment and the file of settings (`~/.spiral.toml`), and touches nothing else.
   *
   * @throws SpiralError `invalid_config` for a setting that is unknown, has no use or does not parse, naming where it stands.
   */
  constructor(options: { config?: Partial<ClientSettings>; overrides?: Readonly<Record<string, string>> } = {}) {
    knownOptions('Spiral', options, ['config', 'overrides']);
    this.config = resolveSettings(options.config, options.overrides);
    this.#warehouse = new Warehouse(this.config);
  }

  /** Every project, by id. */
  async listProjects(): Promise<Project[]> {
    return (await listProjectIds(this.#warehouse.store)).map((id) => new Project(this.#warehouse, id));
  }

  /** Makes a project, with the id `idPrefix` where that is free, else one that begins with it. */
  async createProject(idPrefix?: string, options: { name?: string } = {}): Promise<Project> {
    knownOptions('createProject', options, ['name']);
    const { id } = await createProjectRecord(this.#warehouse.store, idPrefix, options.name ?? null);
    return new Project(this.#warehouse, id);
  }

  /** The project `projectId`; whether it is there shows on first use. */
  project(projectId: string): Project {
    checkProjectId(projectId);
    return new Project(this.#warehouse, projectId);
  }

  /** The table with the id `tableId`. @throws SpiralError `unknown_table`. */
  async table(tableId: string): Promise<Table> {
    const record = await readTableRecord(this.#warehouse.store, tableId);
    const named = (await new Catalog(this.#warehouse.store, record.project).tables()).find(
      (table) => table.tableId === tableId,
    );
    const store = await this.#warehouse.openTable(tableId);
    if (named !== undefined) store.name = identifierOf(named);
    const { keys } = await store.latest();
    return new Table(store, tableId, treeSchema(columnTree(keys)), record.project, named ?? null, (projection) =>
      newestScan(this.#warehouse, projection),
    );
  }

  /** The key-space index with the id `indexId`, as it was last synced. @throws SpiralError `unknown_index`, `corrupt_log`. */
  async keySpaceIndex(indexId: string): Promise<KeySpaceIndex> {
    const record = await readIndexRecord(this.#warehouse.store, indexId);
    const indexes = await new IndexCatalog(this.#warehouse.store, record.project).indexes();
    const name = indexes.find((index) => index.indexId === indexId)?.name ?? indexId;
    return KeySpaceIndex.open(this.#warehouse, record, name);
  }

  /**
   * Files as one table, read where they are: `uris` name files, folders (the files below them of the format, but for hidden
   * ones, whose names begin with '.' or '_') and patterns (`data/**\/*.parquet`; `*`, `?`, `**`, `[a-z]`, `{a,b}`), by path,
   * `file://`, `s3://`, `gs://`, `az://` or `memory://`; of web servers, `http://` or `https://`, each file by its own URI. They are read in the order of their paths, each once.
   *
   * Every file is opened, and pinned by size and time of change: one that changes is refused from then on, also when a scan
   * or a loader is resumed.
   *
   * @param options `format`: default as the extensions tell. `schema`: the columns of JSON lines and CSV; default: inferred
   * from each file whole. `csv`: the delimiter and whether there is a header. `mds`: data sets of MosaicML Streaming, by the
   * folder of their `index.json`; `validateHash` names the hash to check every shard by, whole, before it is used.
   * @throws SpiralError `not_found` where nothing is found; `invalid_argument` for files of several formats or none;
   * `type_mismatch` for files with other columns, naming both; `corrupt_file`; `unsupported` and `unsupported_type` for
   * what is not read.
   */
  async files(
    uris: string | readonly string[],
    options: {
      format?: FileFormat;
      schema?: SchemaLike;
      csv?: CsvSettings;
      mds?: MdsSettings;
      signal?: AbortSignal;
    } = {},
  ): Promise<FileTable> {
    knownOptions('files', options, ['format', 'schema', 'csv', 'mds', 'signal']);
    const set = await findFiles(typeof uris === 'string' ? [uris] : uris, options);
    return new FileTable(await this.#warehouse.openFileSet(set, options.signal));
  }

  /**
   * A scan of tables, each at its newest version or the one of `asof`, or of files: the structs that `projections` give, put
   * together, of two fields with one name the last; of the rows for which `where` is true, a null counting as false.
   *
   * Several tables (with the same types of key columns, in the same order) are outer-joined by key: a row for each key that
   * any of them has. Key columns give that key, whichever table they are taken of; other columns of a table that has no such
   * key are null. Key tables, shards and written-back rows name the key as the first table in `projections` does.
   *
   * What `where` rules out by keys or by the statistics of files and record batches is never read; of the rest its columns
   * are read first, others for the rows that survive. Projections may compute.
   *
   * @param options `udfWorkers`: threads in which the functions of `se.udf` run, those of a loader's feeder where a loader
   * reads; default 0, the thread that reads. No part of the scan's state. They end with this client, or that feeder.
   * @throws SpiralError `invalid_expression` (also for files beside tables or other files), `unknown_column`, `type_mismatch`
   * (also for a `where` that is not boolean, and for tables with other keys), `version_not_found`; `corrupt_file` where keys have to be merged and a file of them is damaged.
   */
  async scan(
    projections: ExprLike | readonly ExprLike[],
    options: { where?: ExprLike; asof?: AsOf; udfWorkers?: number } = {},
  ): Promise<Scan> {
    knownOptions('scan', options, ['where', 'asof', 'udfWorkers']);
    return newestScan(this.#warehouse, projectionNode(projections), queryOptions(options));
  }

  /**
   * Cuts what a scan of the same arguments gives into shards of at most `maxBatchSize` rows, those that `where` leaves:
   * contiguous, in key order, together every row, cardinalities known. Pass them to readers and loaders of such a scan; give
   * both the same `asof` where the table is written to.
   *
   * Reads the columns of `where` once, and few keys. With `stream` each shard comes as soon as it is found.
   *
   * @throws SpiralError `invalid_size`, and as `scan`; `cancelled`.
   */
  computeShards(
    maxBatchSize: number,
    projections: ExprLike | readonly ExprLike[],
    options?: ShardOptions & { readonly stream?: false },
  ): Promise<Shard[]>;
  computeShards(
    maxBatchSize: number,
    projections: ExprLike | readonly ExprLike[],
    options: ShardOptions & { readonly stream: true },
  ): AsyncIterable<Shard>;
  computeShards(
    maxBatchSize: number,
    projections: ExprLike | readonly ExprLike[],
    options: ShardOptions & { readonly stream?: boolean } = {},
  ): Promise<Shard[]> | AsyncIterable<Shard> {
    knownOptions('computeShards', options, ['where', 'asof', 'stream', 'signal', 'udfWorkers']);
    const { stream = false, signal, ...query } = options;
    if (typeof stream !== 'boolean') {
      throw new SpiralError('invalid_argument', `Expected \`stream\` to be true or false, got ${shown(stream)}.`, {
        details: { name: 'stream', found: stream },
      });
    }
    const most = wholeNumber('maxBatchSize', maxBatchSize, { min: 1, unit: 'rows' });
    const shards = shardsOf(() => this.scan(projections, query), most, signal);
    return stream ? shards : listOf(shards);
  }

  /**
   * The scan whose `stateJson()` is `stateJson`; `udfWorkers` as for `scan`.
   *
   * @throws SpiralError `invalid_state`, `state_version`, and as `scan`.
   */
  async resumeScan(stateJson: string, options: { udfWorkers?: number } = {}): Promise<Scan> {
    knownOptions('resumeScan', options, ['udfWorkers']);
    const scan = await this.#warehouse.openScan(parseRecipe(stateJson), workersOf(options));
    return new Scan(scan, this.#warehouse.scanLimits);
  }

  /**
   * Looks whether all that tables and loaders need works here: Node.js, optional packages, the warehouse's store (an object
   * is written, read, listed and deleted), that of two writers of one name one wins, the store's clock, and the folders of caches on disk. What does not
   * work is a finding, not an error.
   */
  diagnose(): Promise<Finding[]> {
    return diagnosis(() => this.#warehouse.store, cacheSettings(this.#warehouse.settings));
  }

  /** What was asked of far stores (all but folders and memory) so far, and how they answered: by this client, and by threads of its loaders. */
  storeMetrics(): StoreMetrics {
    return this.#warehouse.meter.metrics;
  }

  /** Lets go of everything that is open. Handles made by this client cannot be used after. */
  async close(): Promise<void> {
    await this.#warehouse.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Threads of one number that a scan may ask for. */
const udfWorkersMax = 256;

/** What of a scan `computeShards` cuts. */
interface ShardOptions {
  readonly where?: ExprLike;
  readonly asof?: AsOf;
  readonly udfWorkers?: number;
  readonly signal?: AbortSignal;
}

async function* shardsOf(
  scan: () => Promise<Scan>,
  rowsMax: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Shard, void, undefined> {
  yield* (await scan()).countedShards(rowsMax, signal);
}

async function listOf(shards: AsyncIterable<Shard>): Promise<Shard[]> {
  const list: Shard[] = [];
  for await (const shard of shards) list.push(shard);
  return list;
}

function queryOptions(options: { where?: ExprLike; asof?: AsOf; udfWorkers?: number }): {
  where?: ExprNode;
  asof?: number;
  udfWorkers: number;
} {
  const { where, asof } = options;
  return {
    udfWorkers: workersOf(options),
    ...(where === undefined ? {} : { where: toNode(where) }),
    ...(asof === undefined ? {} : { asof: asOfMicros(asof) }),
  };
}

function workersOf({ udfWorkers = 0 }: { readonly udfWorkers?: number }): number {
  return wholeNumber('udfWorkers', udfWorkers, { max: udfWorkersMax, unit: 'threads' });
}
