import type { RecordBatch, Schema, Table } from 'apache-arrow';
import { BatchReader } from '../arrow/batch-reader.js';
import { checkSignal } from '../core/abort.js';
import { knownOptions, oneOf, wholeNumber } from '../core/check.js';
import { type Verify, verifyWords } from '../core/verify.js';
import type { ExprNode } from '../expr/node.js';
import { SpiralDataLoader } from '../loader/data-loader.js';
import type { DataLoaderOptions } from '../loader/options.js';
import type { LoaderSource, OpenSource, SourceIdentity, SourceOptions } from '../loader/source.js';
import type { LoaderState } from '../loader/state.js';
import type { OpenScan, ScanMetrics } from '../scan/open-scan.js';
import { recipeIdentity } from '../scan/recipe.js';
import { inKeyOrder, recordBatches } from '../scan/record-batches.js';
import { scanSource } from '../scan/scan-source.js';
import type { Shard } from '../sharding/shard.js';
import { World } from '../sharding/world.js';

/** How a scan is read. */
export interface ReadOptions {
  /** Only these shards. Default: all. */
  readonly shards?: readonly Shard[];
  /** Record batches read ahead. Default `limits.batch_readahead`. */
  readonly batchReadahead?: number;
  /** When checksums of stored buffers are checked: 'first', 'always', 'never'. Default: the client's setting `verify`. */
  readonly verify?: Verify;
  /** Ends the reading with `cancelled`. */
  readonly signal?: AbortSignal;
}

/** A recipe for reading rows of a table at one version: made once, read as often and in as many ways as wanted. */
export class Scan implements LoaderSource {
  /** The columns that are read, in order. */
  readonly schema: Schema;
  readonly keySchema: Schema;
  /** Names the scan in a loader's state. */
  readonly identity: SourceIdentity;
  readonly #scan: OpenScan;
  readonly #readahead: number;

  /** Made by `Spiral.scan` and `Spiral.resumeScan`. */
  constructor(scan: OpenScan, readahead: number) {
    this.#scan = scan;
    this.#readahead = readahead;
    this.schema = scan.schema;
    this.keySchema = scan.plan.keySchema;
    this.identity = recipeIdentity(scan.recipe);
  }

  /** What reading took so far, all readers of this scan together. */
  get metrics(): ScanMetrics {
    return this.#scan.metrics();
  }

  /** Whether there is no row; false may be wrong where a filter drops all, true never is. */
  async isEmpty(): Promise<boolean> {
    return this.#scan.shards.length === 0;
  }

  /** The shards that follow from how rows are stored, in key order, with their numbers of rows. */
  async shards(): Promise<Shard[]> {
    return [...this.#scan.shards];
  }

  /** The scan as JSON, for `Spiral.resumeScan` on any thread or machine that reaches the warehouse. */
  stateJson(): string {
    return JSON.stringify(this.#scan.recipe);
  }

  /**
   * The rows as record batches, sorted by key, in whatever order `shards` come.
   *
   * @throws SpiralError `invalid_shards` for shards of another scan or some that share rows; while reading, `corrupt_file` and `cancelled`.
   */
  toRecordBatches(options: ReadOptions = {}): BatchReader {
    knownOptions('Reading a scan', options, ['shards', 'batchReadahead', 'verify', 'signal']);
    let { shards } = this.#scan;
    if (options.shards !== undefined) {
      this.#scan.checkShards(options.shards);
      shards = inKeyOrder(options.shards);
    }
    const readahead = wholeNumber('batchReadahead', options.batchReadahead ?? this.#readahead, { max: 100_000 });
    const { signal: outer } = options;
    const verify = options.verify === undefined ? undefined : oneOf('verify', options.verify, verifyWords);
    const scan = this.#scan;
    return new BatchReader({
      schema: this.schema,
      open: async function* (signal): AsyncGenerator<RecordBatch, void, undefined> {
        const both = outer === undefined ? signal : AbortSignal.any([signal, outer]);
        checkSignal(outer, 'The scan');
        yield* recordBatches(scan, shards, { signal: both, verify }, readahead);
      },
    });
  }

  /** All rows as one Arrow table. */
  toTable(options: ReadOptions = {}): Promise<Table> {
    return this.toRecordBatches(options).toTable();
  }

  /** All rows as objects; int64 as bigint, see the guide on types. */
  toRows(options: ReadOptions = {}): Promise<Record<string, unknown>[]> {
    return this.toRecordBatches(options).toRows();
  }

  /** A loader over this scan for training in one process. */
  toDataLoader<T = RecordBatch>(options: DataLoaderOptions<T> = {}): SpiralDataLoader<T> {
    return new SpiralDataLoader<T>(this, options);
  }

  /** A loader over this rank's part of the scan; the world is found from the launcher's environment when left out. */
  toDistributedDataLoader<T = RecordBatch>(options: DataLoaderOptions<T> = {}): SpiralDataLoader<T> {
    return new SpiralDataLoader<T>(this, { ...options, world: options.world ?? World.fromEnv() });
  }

  /** A loader that goes on where `state` was taken. @throws SpiralError as `SpiralDataLoader.fromStateDict`. */
  resumeDataLoader<T = RecordBatch>(
    state: LoaderState | readonly LoaderState[],
    options: DataLoaderOptions<T> = {},
  ): SpiralDataLoader<T> {
    return SpiralDataLoader.fromStateDict<T>(this, state, options);
  }

  /** The same scan with its key columns, under their own names, behind the columns that it has. */
  async withKeys(): Promise<Scan> {
    const { recipe, plan } = this.#scan;
    const paths = plan.keys.map(({ path }) => path.join('.'));
    const keys: ExprNode = { kind: 'select', of: { kind: 'table', table: recipe.table }, paths, exclude: false };
    const projection: ExprNode = { kind: 'merge', of: [recipe.projection, keys] };
    return new Scan(await this.#scan.project(projection), this.#readahead);
  }

  /** The scan as loaders read it. */
  async openSource(options: SourceOptions = {}): Promise<OpenSource> {
    return scanSource(this.#scan, options.verify);
  }

  /** The scan for a loader's feeder thread. */
  get recipe(): LoaderSource['recipe'] {
    return this.#scan.reopen;
  }
}
