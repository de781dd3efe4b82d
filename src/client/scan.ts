import type { RecordBatch, Schema, Table } from 'apache-arrow';
import type { BatchReader } from '../arrow/batch-reader.js';
import { optionsObject } from '../core/check.js';
import { type ExprNode, keyFieldName } from '../expr/node.js';
import { SpiralDataLoader } from '../loader/data-loader.js';
import type { DataLoaderOptions } from '../loader/options.js';
import type { LoaderSource, OpenSource, SourceIdentity, SourceOptions } from '../loader/source.js';
import type { LoaderState } from '../loader/state.js';
import { countedShards } from '../scan/counted-shards.js';
import type { OpenScan } from '../scan/open-scan.js';
import { isFileRecipe, recipeIdentity } from '../scan/recipe.js';
import type { ScanMetrics } from '../scan/scan-metrics.js';
import { scanSource } from '../scan/scan-source.js';
import type { Shard } from '../sharding/shard.js';
import { World } from '../sharding/world.js';
import type { WriterOut } from '../streaming/writing/writer-target.js';
import { type IterableOptions, iterableRows } from './iterable-rows.js';
import { type ReadOptions, type ReadSettings, readSettings } from './read-options.js';
import { type ExportedFile, exportRows } from './scan-export.js';
import { type ExportedDataSet, exportMds, type MdsExportOptions, readingOptions } from './scan-mds.js';
import { scanReader } from './scan-reader.js';

/** How a client reads, where nobody says otherwise. */
export interface ScanLimits {
  /** Record batches read ahead. */
  readonly batchReadahead: number;
  /** Bytes that a loader may hold. Default: what its read-ahead takes. */
  readonly memoryBytesMax?: number | undefined;
}

/** A recipe for reading rows of tables, each at one version, or of files: made once, read as often and in as many ways as wanted. */
export class Scan implements LoaderSource {
  /** The columns that are read, in order. */
  readonly schema: Schema;
  readonly keySchema: Schema;
  /** Names the scan in a loader's state. */
  readonly identity: SourceIdentity;
  readonly #scan: OpenScan;
  readonly #limits: ScanLimits;

  /** Made by `Spiral.scan` and `Spiral.resumeScan`. */
  constructor(scan: OpenScan, limits: ScanLimits) {
    this.#scan = scan;
    this.#limits = limits;
    this.schema = scan.schema;
    this.keySchema = scan.plan.keySchema;
    this.identity = recipeIdentity(scan.recipe);
  }

  /** What reading took so far, all readers of this scan together. */
  get metrics(): ScanMetrics {
    return this.#scan.metrics();
  }

  /** Whether there is no row, as far as the tables' logs tell: false may be wrong where a filter drops all, true never is. */
  async isEmpty(): Promise<boolean> {
    return this.#scan.shards.length === 0 || this.#scan.rulesOutAll();
  }

  /**
   * The shards that follow from how rows are stored, in key order, with their numbers of rows. A filter changes no shard, but
   * leaves it unknown (null) how many rows each gives.
   */
  async shards(): Promise<Shard[]> {
    return [...this.#scan.shards];
  }

  /**
   * The plan as text for people: columns, what the filter reads first, how many files and record batches keys and statistics
   * rule out, and the bytes to be read. Reads no cell, but the ends of the files that are left.
   */
  explain(): Promise<string> {
    return this.#scan.explain();
  }

  /** The shards of `Spiral.computeShards`. */
  countedShards(rowsMax: number, signal?: AbortSignal): AsyncGenerator<Shard, void, undefined> {
    return countedShards(this.#scan, rowsMax, signal);
  }

  /** The scan as JSON, for `Spiral.resumeScan` on any thread or machine that reaches the warehouse. */
  stateJson(): string {
    return JSON.stringify(this.#scan.recipe);
  }

  /**
   * The rows as record batches, sorted by key, in whatever order `shards` come; with a `keyTable` in its order. None is empty.
   * They are those that are stored, but for narrow ones: of numbers and lists of a fixed size, up to 32 make one of at most 1 MiB;
   * rows of overlapping writes make batches of about 2 MiB.
   *
   * @throws SpiralError `invalid_shards` for shards of another scan or some that share rows; `invalid_argument` for options
   * that exclude each other; while reading, `corrupt_file`, `cancelled`, `value_out_of_range` from a projection that
   * computes, and `invalid_key`, `invalid_expression`, `type_mismatch` for a key table of other columns.
   */
  toRecordBatches(options: ReadOptions = {}): BatchReader {
    return scanReader(this.#scan, this.#settings('Reading a scan', options), 'kept');
  }

  /** The same record batches, each as soon as it is read: in no order, and sooner where some take longer than others. */
  toUnorderedRecordBatches(options: ReadOptions = {}): BatchReader {
    return scanReader(this.#scan, this.#settings('Reading a scan', options), 'completion');
  }

  /** All rows as one Arrow table. */
  toTable(options: ReadOptions = {}): Promise<Table> {
    return this.toRecordBatches(options).toTable();
  }

  /** All rows as objects; int64 as bigint, see the guide on types. */
  toRows(options: ReadOptions = {}): Promise<Record<string, unknown>[]> {
    return this.toRecordBatches(options).toRows();
  }

  /**
   * Writes the rows, sorted by key, as one Parquet file: columns compressed by Snappy, with statistics. Fixed-size lists
   * become lists, dictionary columns their values, seconds milliseconds, date64 a timestamp of milliseconds; of a time zone
   * only stays that times are in UTC.
   *
   * `uri` is a path, `file://` or `memory://`; a file that is there is replaced. The file is whole or not there, and memory
   * bounded: a row group has 32,768 rows or 16 MiB, and few batches are read ahead.
   *
   * @throws SpiralError `unsupported_type` for durations and structs without fields, `invalid_schema` where there is no
   * column, and as `toRecordBatches`: no file is then made or changed.
   */
  toParquet(uri: string, options: ReadOptions = {}): Promise<ExportedFile> {
    // It is writing that takes the time, on this thread: what is read ahead waits in memory.
    const { signal } = optionsObject('toParquet', options);
    return exportRows(this.toRecordBatches({ batchReadahead: 0, ...options }), uri, 'parquet', signal);
  }

  /** Writes the rows, sorted by key, as one uncompressed Arrow IPC file, all types as they are. Otherwise as `toParquet`. */
  toArrowFile(uri: string, options: ReadOptions = {}): Promise<ExportedFile> {
    const { signal } = optionsObject('toArrowFile', options);
    return exportRows(this.toRecordBatches(options), uri, 'arrow', signal);
  }

  /**
   * Writes the rows, sorted by key, as JSON lines. Integers keep all their digits, bytes are base64, dates and times text of
   * ISO 8601, decimals text, durations integers of their unit; NaN and infinities are null. Otherwise as `toParquet`.
   */
  toJsonl(uri: string, options: ReadOptions = {}): Promise<ExportedFile> {
    const { signal } = optionsObject('toJsonl', options);
    return exportRows(this.toRecordBatches(options), uri, 'jsonl', signal);
  }

  /**
   * Writes the rows, sorted by key, as a data set of MosaicML Streaming at `out`: a folder, the URI of a store, or
   * `[local, remote]`. Columns have the encodings given in `columns`, else those of their types: numbers and text as they
   * are, booleans uint8, bytes bytes, decimals str_decimal, dates and times str (ISO 8601), durations int64, lists of numbers
   * ndarray, all else json. Text with the encoding json is taken for JSON. The format has no nulls: but for json they are refused.
   *
   * Memory is bounded by `maxWorkers` shards and one more. The folder must be empty, or `existOk`, which deletes the data set in it.
   *
   * @throws SpiralError as `MDSWriter`, `type_mismatch` for a null, `unknown_column`, and as `toRecordBatches`: nothing of it
   * is then left.
   */
  toMds(out: WriterOut, options: MdsExportOptions = {}): Promise<ExportedDataSet> {
    return exportMds(this.toRecordBatches(readingOptions(options)), out, options);
  }

  /**
   * The rows as objects, one by one, read ahead on this thread: the reference's iterable dataset. For training take
   * `toDataLoader`, which can be resumed.
   */
  toIterableDataset(options: IterableOptions = {}): AsyncIterable<Record<string, unknown>> {
    return iterableRows(this, options);
  }

  /** A loader over this scan for training in one process. */
  toDataLoader<T = RecordBatch>(options: DataLoaderOptions<T> = {}): SpiralDataLoader<T> {
    return new SpiralDataLoader<T>(this, this.#bounded(options));
  }

  /** A loader over this rank's part of the scan; the world is found from the launcher's environment when left out. */
  toDistributedDataLoader<T = RecordBatch>(options: DataLoaderOptions<T> = {}): SpiralDataLoader<T> {
    const { world = World.fromEnv() } = optionsObject('A data loader', options);
    return this.toDataLoader<T>({ ...options, world });
  }

  /** A loader that goes on where `state` was taken. @throws SpiralError as `SpiralDataLoader.fromStateDict`. */
  resumeDataLoader<T = RecordBatch>(
    state: LoaderState | readonly LoaderState[],
    options: DataLoaderOptions<T> = {},
  ): SpiralDataLoader<T> {
    return SpiralDataLoader.fromStateDict<T>(this, state, this.#bounded(options));
  }

  /** The same scan with its key columns, under their own names, behind the columns that it has or in the place of such. */
  async withKeys(): Promise<Scan> {
    const { recipe, plan } = this.#scan;
    const of: ExprNode = { kind: 'table', table: recipe.table };
    const paths = plan.keys.map(({ path }) => path.join('.'));
    const keys: ExprNode = isFileRecipe(recipe)
      ? { kind: 'pack', fields: paths.map((name) => [name, { kind: 'field', of, name: keyFieldName(name) }]) }
      : { kind: 'select', of, paths, exclude: false };
    const projection: ExprNode = { kind: 'merge', of: [recipe.projection, keys] };
    return new Scan(await this.#scan.project(projection), this.#limits);
  }

  /** The scan as loaders read it. */
  async openSource(options: SourceOptions = {}): Promise<OpenSource> {
    return scanSource(this.#scan, options.verify);
  }

  /** The scan for a loader's feeder thread. */
  get recipe(): LoaderSource['recipe'] {
    return this.#scan.reopen;
  }

  #bounded<T>(options: DataLoaderOptions<T>): DataLoaderOptions<T> {
    const { memoryBytesMax } = this.#limits;
    return memoryBytesMax === undefined ? options : { memoryBytesMax, ...options };
  }

  #settings(where: string, options: ReadOptions): ReadSettings {
    return readSettings(options, this.#limits.batchReadahead, where);
  }
}
