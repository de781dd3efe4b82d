import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import type { Data, Schema } from 'apache-arrow';
import { gatherColumn } from '../../arrow/gather.js';
import { nullColumn } from '../../arrow/nulls.js';
import { allRanges } from '../../arrow/ranges.js';
import { recordBatch } from '../../arrow/record-batch.js';
import { batchRows } from '../../arrow/rows.js';
import { columnSources } from '../../arrow/sources.js';
import { wholeNumber } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';
import { stretchAt } from '../../core/search.js';
import type { ArrowFile } from '../../format/arrow-file.js';
import { readRows } from '../../format/arrow-read.js';
import { ArrowFileWriter } from '../../format/arrow-writer.js';
import type { FeederRecipe } from '../../loader/feeder-protocol.js';
import { reopenSource, type SharedSource, shareSource } from '../../loader/feeder-source.js';
import type { LoaderSource, OpenSource } from '../../loader/source.js';
import { Shard, type ShardJson } from '../../sharding/shard.js';
import { fileStore } from '../../storage/file-store.js';
import type { ObjectStore } from '../../storage/store.js';
import { ShardCache } from '../cache/shard-cache.js';
import { shardStarts } from '../order/shard-spans.js';
import type { PinnedShard, SampleShards } from '../samples/sample-shards.js';
import { TableShards } from './table-shards.js';

/** How a stream keeps its shards. */
export interface SpiralStreamOptions {
  /** The folder of its files. Default: a new one in the system's folder for temporary files, deleted by `close`. */
  readonly cacheDir?: string | undefined;
  /** Rows of a record batch of a file: what is read at once. Default 8192; lower for larger rows. */
  readonly shardRowBlockSize?: number | undefined;
}

/** Opened files of shards that are remembered: their footers. */
const openedMax = 256;
const blockRowsDefault = 8192;

/**
 * Rows of a table as samples, by their places: shards, the ranges of a key-space index, each of which is kept as one file in
 * a folder of this machine once it was needed. Made by `table.toStreaming`.
 *
 * It can be a stream of a `StreamingDataset`; by itself it gives single samples. The folder may be shared by processes, also
 * by later runs: files that are there are checked and used, those of another version, projection or index replaced.
 */
export class SpiralStream implements SampleShards, AsyncDisposable {
  /** The columns of samples. */
  readonly schema: Schema;
  readonly shardSizes: readonly number[];
  /** As far as can be told before a shard is fetched: by what its rows take in the table, of all columns in the same files. */
  readonly shardBytes: readonly number[];
  readonly sampleBytes: number | undefined;
  readonly identity: string;
  /** Samples of all shards. */
  readonly length: number;
  /** Where the files of shards are, absolute. */
  readonly folder: string;
  readonly #starts: Float64Array;
  readonly #shards: TableShards;
  readonly #cache: ShardCache;
  readonly #files: ObjectStore;
  readonly #isOwn: boolean;
  readonly #ranges: readonly Shard[];
  readonly #blockRows: number;
  readonly #recipe: FeederRecipe | undefined;
  readonly #opened = new Map<number, { readonly etag: string; readonly file: Promise<ArrowFile> }>();
  #closed: Promise<void> | undefined;

  private constructor(source: OpenSource, shards: readonly Shard[], kept: KeptShards, recipe?: FeederRecipe) {
    this.#recipe = recipe;
    this.#ranges = shards;
    this.#blockRows = kept.blockRows;
    this.schema = source.schema;
    this.shardSizes = shards.map(({ cardinality }) => cardinality!);
    this.#starts = shardStarts(this.shardSizes);
    this.length = this.#starts.at(-1)!;
    this.sampleBytes = source.bytesPerRow;
    const bytes = source.bytesPerRow ?? 0;
    this.shardBytes = this.shardSizes.map((rows) => Math.ceil(rows * bytes));
    this.identity = kept.identity;
    this.folder = resolve(kept.folder);
    this.#isOwn = kept.isOwn;
    this.#shards = new TableShards(source, shards, kept.blockRows, `${kept.identity} ${kept.blockRows}`);
    this.#cache = new ShardCache(this.folder, { source: this.#shards });
    this.#files = fileStore(this.folder);
  }

  /**
   * The samples of `shards` of `source`, all of them counted.
   *
   * @throws SpiralError `invalid_size`, `invalid_argument`; `unsupported_type` for columns that no file holds; as `openSource`.
   */
  static async open(
    source: LoaderSource,
    shards: readonly Shard[],
    options: SpiralStreamOptions = {},
  ): Promise<SpiralStream> {
    const { cacheDir, shardRowBlockSize = blockRowsDefault } = options;
    const blockRows = wholeNumber('shardRowBlockSize', shardRowBlockSize, { min: 1, max: 2 ** 31 - 1, unit: 'rows' });
    const given = cacheDir === undefined ? undefined : cacheFolder(cacheDir);
    const opened = await source.openSource();
    opened.checkShards(shards);
    // What cannot be written is refused now, not in the middle of an epoch.
    await ArrowFileWriter.create(opened.schema);
    const identity = identityOf(source, shards);
    const folder = given ?? (await mkdtemp(join(tmpdir(), 'spiral-stream-')));
    const kept = { folder, isOwn: given === undefined, blockRows, identity };
    return new SpiralStream(opened, shards, kept, source.recipe);
  }

  /** The stream that `share` described, with the same folder, in another thread. It leaves the folder as it is when it is closed. */
  static async reopen({ source, shards, kept }: SharedStream): Promise<SpiralStream> {
    const opened = await reopenSource(source, undefined);
    const ranges = shards.map((json) => Shard.fromJSON(json));
    return new SpiralStream(opened, ranges, { ...kept, isOwn: false });
  }

  /**
   * The stream for another thread, which `reopen`s it: plain data, with ports to be transferred; `close` ends what this thread
   * serves over them.
   *
   * @throws SpiralError `unsupported` for a stream that was reopened.
   */
  share(): { readonly data: SharedStream; readonly ports: readonly MessagePort[]; close(): void } {
    if (this.#recipe === undefined) {
      throw new SpiralError(
        'unsupported',
        'Expected a stream of `table.toStreaming`, got one that was reopened. Share that one.',
      );
    }
    const { shared, ports, close } = shareSource(this.#recipe);
    const kept = { folder: this.folder, identity: this.identity, blockRows: this.#blockRows };
    return { data: { source: shared, shards: this.#ranges.map((shard) => shard.toJSON()), kept }, ports, close };
  }

  /**
   * Sample number `index`, as an object; below 0 it counts from the end. Its shard is fetched first where it is not here.
   *
   * @throws SpiralError `invalid_size` unless there is such a sample; as {@link pin}.
   */
  async get(index: number, options: { readonly signal?: AbortSignal } = {}): Promise<Record<string, unknown>> {
    wholeNumber('index', index, { min: -this.length, max: this.length - 1, unit: 'samples' });
    const place = index < 0 ? this.length + index : index;
    const shard = stretchAt(this.#starts, place);
    const row = place - this.#starts[shard]!;
    const pinned = await this.pin(shard, options.signal);
    try {
      const columns = await pinned.read(row, row + 1, undefined, options.signal);
      return batchRows(recordBatch(this.schema, columns, 1))[0]!;
    } finally {
      pinned.release();
    }
  }

  /** Fetches a shard unless it is here. @throws SpiralError as {@link pin}. */
  async prepare(shard: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#checkShard(shard);
    (await this.#cache.pin(shard, options.signal)).release();
  }

  /** Deletes the file of a shard; false where it is in use, here or in another process. The table keeps its rows. */
  async evict(shard: number): Promise<boolean> {
    this.#checkShard(shard);
    return this.#cache.evict(shard);
  }

  /** Bytes of the files of shards that are here. */
  async size(): Promise<number> {
    let bytes = 0;
    const files = new Set(this.shardSizes.map((_, shard) => this.#shards.file(shard)));
    for await (const { path, size } of this.#files.list('shard-')) if (files.has(path)) bytes += size;
    return bytes;
  }

  /**
   * Makes a shard local and keeps it so until `release`.
   *
   * @throws SpiralError `invalid_size` for a shard that is not there; `version_vacuumed` where the table lost the version;
   * `corrupt_file` for a damaged table; `storage_full`, `permission_denied`, `already_exists` of the folder; `cancelled`,
   * `closed`.
   */
  async pin(shard: number, signal?: AbortSignal): Promise<PinnedShard> {
    this.#checkShard(shard);
    const pin = await this.#cache.pin(shard, signal);
    try {
      const file = await this.#open(shard);
      return {
        read: (from, to, columns, ended) => this.#read(file, from, to, columns ?? all(this.schema), ended),
        release: () => pin.release(),
      };
    } catch (error) {
      pin.release();
      throw error;
    }
  }

  /** What will be needed next, in order: shards are fetched ahead by it. */
  expect(shards: Iterable<number>): void {
    this.#cache.expect(shards);
  }

  /** Ends what is under way. Files in a given `cacheDir` stay for later runs. A second call does nothing. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.#cache.close();
    await this.#files.close();
    if (this.#isOwn) await rm(this.folder, { recursive: true, force: true });
  }

  /** The file of a shard that is pinned; one that was put there since it was opened is another. */
  async #open(shard: number): Promise<ArrowFile> {
    const etag = (await this.#files.head(this.#shards.file(shard)))?.etag ?? '';
    let opened = this.#opened.get(shard);
    if (opened === undefined || opened.etag !== etag) {
      const file = this.#shards.open(shard, this.#files);
      file.catch(() => this.#opened.delete(shard));
      opened = { etag, file };
    }
    this.#opened.delete(shard);
    this.#opened.set(shard, opened);
    if (this.#opened.size > openedMax) this.#opened.delete(this.#opened.keys().next().value!);
    return opened.file;
  }

  async #read(
    file: ArrowFile,
    from: number,
    to: number,
    columns: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<Data[]> {
    const request = { columns, verify: 'first', signal } as const;
    const pieces: Promise<Data[]>[] = [];
    const lengths: number[] = [];
    for (let row = from; row < to; ) {
      const batch = stretchAt(file.rowStarts, row);
      const begin = file.rowStarts[batch]!;
      const end = Math.min(to, file.rowStarts[batch + 1]!);
      pieces.push(readRows(file, batch, row - begin, end - begin, request));
      lengths.push(end - row);
      row = end;
    }
    const read = await Promise.all(pieces);
    if (read.length === 0) return columns.map((column) => nullColumn(this.schema.fields[column]!.type, 0));
    if (read.length === 1) return read[0]!;
    const ranges = allRanges(lengths);
    return columns.map((column, at) => {
      const { type } = this.schema.fields[column]!;
      return gatherColumn(
        columnSources(
          type,
          read.map((data) => data[at]!),
        ),
        ranges,
      );
    });
  }

  #checkShard(shard: number): void {
    wholeNumber('shard', shard, { max: this.shardSizes.length - 1, unit: 'the number of a shard' });
  }
}

/** A stream as it crosses to another thread. */
export interface SharedStream {
  readonly source: SharedSource;
  readonly shards: readonly ShardJson[];
  readonly kept: Omit<KeptShards, 'isOwn'>;
}

/** Where a stream keeps its files. */
interface KeptShards {
  readonly folder: string;
  /** Whether the folder ends with the stream. */
  readonly isOwn: boolean;
  readonly blockRows: number;
  readonly identity: string;
}

const all = (schema: Schema): number[] => schema.fields.map((_, column) => column);

/** Names what samples are of, and how they are cut into shards. */
function identityOf(source: LoaderSource, shards: readonly Shard[]): string {
  const hash = createHash('sha256').update(JSON.stringify(source.identity));
  for (const shard of shards) hash.update(JSON.stringify(shard));
  return hash.digest('hex').slice(0, 32);
}

function cacheFolder(cacheDir: string): string {
  const scheme = typeof cacheDir === 'string' ? /^([a-z][a-z0-9+.-]*):\/\//i.exec(cacheDir)?.[1] : undefined;
  if (typeof cacheDir === 'string' && cacheDir !== '' && scheme === undefined) return cacheDir;
  throw new SpiralError(
    'invalid_argument',
    `Expected \`cacheDir\` to be the path of a folder of this machine, got ${scheme === undefined ? `${cacheDir}` : `${scheme}://`}.`,
    { details: { name: 'cacheDir', ...(scheme === undefined ? { found: cacheDir } : { scheme }) } },
  );
}
