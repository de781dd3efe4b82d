import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Schema } from 'apache-arrow';
import { checkSignal } from '../../core/abort.js';
import { knownOptions, oneOf, wholeNumber } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';
import { downloadRetryDefault, downloadTimeoutMsDefault, mdsDownloads } from '../../core/limits.js';
import { mdsHashNames } from '../../format/mds-hash.js';
import { ShardFiles } from '../../format/mds-shard-bytes.js';
import { type MdsRequest, MdsShards } from '../../format/mds-shards.js';
import { textTypes } from '../../format/mds-text.js';
import { fileStore } from '../../storage/file-store.js';
import type { ObjectStore } from '../../storage/store.js';
import { subStore } from '../../storage/sub-store.js';
import { aheadShare } from '../cache/ahead-window.js';
import { ShardCache } from '../cache/shard-cache.js';
import type { ShardCacheStats } from '../cache/shard-cache-stats.js';
import type { PinnedShard, SampleShards } from '../samples/sample-shards.js';
import type { DownloadCounts } from './download.js';
import { isIndexChanged, type MdsIndex, readMdsIndex } from './mds-remote-index.js';
import { MdsSource } from './mds-source.js';

/** Where an MDS data set is, and how its shards are had. Names and defaults are MosaicML's but for what is said. */
export interface MdsSamplesOptions {
  /** The store that holds the data set. Left out: `local` does. */
  readonly remote?: ObjectStore | undefined;
  /**
   * The folder of the cache; without `remote`, or where `remote` is this very folder, of the data set itself, whose files are
   * never deleted. Left out: `remote` is read where it is, without a cache.
   */
  readonly local?: string | undefined;
  /** The sub-folder of both that holds the data set. */
  readonly split?: string | undefined;
  /** Bytes of all files in the cache's folder. Default: no limit. Must hold the largest shard, or each that is pinned at once. */
  readonly cacheLimitBytes?: number | undefined;
  /** Samples ahead of those in use that are fetched: whole shards, the next one at least unless it is 0. Default: 256 MiB of shards, and eight at least. */
  readonly predownload?: number | undefined;
  /** Shards that are fetched ahead at once. Default 8. */
  readonly downloads?: number | undefined;
  /**
   * Times that a download is tried again (MosaicML: tries in all). Default 2. Not for what cannot change, as `not_found` and
   * `permission_denied`.
   */
  readonly downloadRetry?: number | undefined;
  /** Milliseconds in which the next 2 MiB of a file must come. Default 60,000. */
  readonly downloadTimeoutMs?: number | undefined;
  /** The hash to check files by. Default: the cheapest that the index has. */
  readonly validateHash?: string | undefined;
  /** Whether compressed files are kept in the cache beside the unpacked ones. Default false. */
  readonly keepZip?: boolean | undefined;
  /** As `MdsSettings.intsAsText`. */
  readonly intsAsText?: boolean | undefined;
  /** The index, as `MdsSamples.index` of the same place: it is not read then. */
  readonly index?: MdsIndex | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was done for the samples of a data set. */
export interface MdsSamplesStats {
  /** Of the cache; undefined without one. */
  readonly cache: ShardCacheStats | undefined;
  /** Of downloads of shards. */
  readonly remote: Readonly<DownloadCounts>;
}

/** The samples of an MDS data set. */
export interface MdsSamples extends SampleShards {
  /** Where the index is, as it stands in messages. */
  readonly where: string;
  /** Plain data. */
  readonly index: MdsIndex;
  stats(): MdsSamplesStats;
  /** Deletes a shard from the cache; false where it is in use, or there is no cache. */
  evict(shard: number): Promise<boolean>;
}

const optionNames = [
  'remote',
  'local',
  'split',
  'cacheLimitBytes',
  'predownload',
  'downloads',
  'downloadRetry',
  'downloadTimeoutMs',
  'validateHash',
  'keepZip',
  'intsAsText',
  'index',
  'signal',
];

/**
 * Opens an MDS data set: reads its index, from the copy in the cache's folder where the store's is still the same.
 *
 * @throws SpiralError `invalid_argument`, `invalid_size`, `not_found`; `corrupt_file`, `unsupported`, `unsupported_type`,
 * `type_mismatch`, `path_outside_root` for the index; what the store rejects with.
 */
export async function openMdsSamples(options: MdsSamplesOptions): Promise<MdsSamples> {
  knownOptions('openMdsSamples', options, optionNames);
  const { split, validateHash, intsAsText = false, signal = new AbortController().signal } = options;
  if (validateHash !== undefined) oneOf('validateHash', validateHash, mdsHashNames);
  const settings = {
    retry: wholeNumber('downloadRetry', options.downloadRetry ?? downloadRetryDefault),
    timeoutMs: wholeNumber('downloadTimeoutMs', options.downloadTimeoutMs ?? downloadTimeoutMsDefault, { min: 1 }),
    keepZip: options.keepZip ?? false,
    validateHash,
  };
  const { store, folder } = await placesOf(options);
  const [from, copies] = [below(store, split), folder === undefined ? undefined : below(fileStore(folder), split)];
  const index = options.index ?? (await readMdsIndex(from, copies, settings, signal));
  const types = textTypes(intsAsText);
  if (copies === undefined) {
    const shards = new MdsShards(index.shards, types, index.where);
    return new OpenMdsSamples(index, shards, new ShardFiles(from, '', validateHash), { store, from });
  }
  const plain = index.shards.map((shard) => ({
    ...shard,
    compression: undefined,
    zipData: undefined,
    zipMeta: undefined,
  }));
  const source = new MdsSource(from, index.shards, index.sha256, {
    ...settings,
    isIndexChanged: (until) => isIndexChanged(from, index, settings, until),
  });
  const { cacheLimitBytes: limitBytes, downloads = mdsDownloads, predownload } = options;
  const cache = new ShardCache(fileURLToPath(copies.uri), {
    source,
    limitBytes,
    downloads,
    ahead:
      predownload === undefined
        ? { most: 1, weights: index.shards.map((_, shard) => aheadShare(source.bytesOf(shard))) }
        : { most: wholeNumber('predownload', predownload), weights: index.shards.map(({ samples }) => samples) },
  });
  const shards = new MdsShards(plain, types, index.where);
  return new OpenMdsSamples(index, shards, new ShardFiles(copies, '', undefined), { store, from, cache, source });
}

/** What samples are read by, besides their shards. */
interface Places {
  /** What the caller gave, or was opened for it. */
  readonly store: ObjectStore;
  /** The part of it that holds the data set. */
  readonly from: ObjectStore;
  readonly cache?: ShardCache;
  readonly source?: MdsSource;
}

class OpenMdsSamples implements MdsSamples {
  readonly schema: Schema;
  readonly shardSizes: readonly number[];
  readonly shardBytes: readonly number[];
  readonly sampleBytes: number | undefined;
  readonly identity: string;
  readonly where: string;
  readonly index: MdsIndex;
  readonly #shards: MdsShards;
  readonly #files: ShardFiles;
  readonly #cache: ShardCache | undefined;
  readonly #source: MdsSource | undefined;
  #closed = false;

  constructor(index: MdsIndex, shards: MdsShards, files: ShardFiles, { cache, source }: Places) {
    [this.index, this.where] = [index, index.where];
    this.identity = `mds:${index.sha256}`;
    this.schema = shards.schema;
    this.shardSizes = index.shards.map(({ samples }) => samples);
    this.shardBytes = index.shards.map((_, shard) => source?.bytesOf(shard) ?? 0);
    const samples = this.shardSizes.reduce((a, b) => a + b, 0);
    const bytes = index.shards.reduce((sum, { rawData }) => sum + rawData.bytes, 0);
    this.sampleBytes = samples === 0 ? undefined : bytes / samples;
    this.#shards = shards;
    this.#files = files;
    this.#cache = cache;
    this.#source = source;
  }

  stats(): MdsSamplesStats {
    const remote = this.#source?.counts ?? { bytes: 0, requests: 0, retries: 0 };
    return { cache: this.#cache?.stats(), remote: { ...remote } };
  }

  async pin(shard: number, signal?: AbortSignal): Promise<PinnedShard> {
    wholeNumber('shard', shard, { max: this.shardSizes.length - 1 });
    checkSignal(signal, `The wait for shard ${shard}`);
    this.#checkOpen();
    const pin = await this.#cache?.pin(shard, signal);
    let released = false;
    const checkPinned = (): void => {
      this.#checkOpen();
      if (released) throw closed(`Shard ${shard} of ${this.where} was released. Pin it again.`);
    };
    return {
      read: async (from, to, columns, readSignal) => {
        checkPinned();
        const request = this.#request(shard, from, to, columns);
        return this.#shards.read(this.#files, request, { signal: readSignal });
      },
      readBlock: async (from, to, memory, readSignal) => {
        checkPinned();
        return this.#shards.readBlock(this.#files, this.#request(shard, from, to), { signal: readSignal, memory });
      },
      release: () => {
        released = true;
        pin?.release();
      },
    };
  }

  expect(shards: Iterable<number>): void {
    this.#checkOpen();
    this.#cache?.expect(shards);
  }

  async evict(shard: number): Promise<boolean> {
    return (await this.#cache?.evict(shard)) ?? false;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#cache?.close();
  }

  #request(shard: number, first: number, last: number, columns?: readonly number[]): MdsRequest {
    wholeNumber('to', last, { max: this.shardSizes[shard]! });
    wholeNumber('from', first, { max: last });
    const wanted = columns ?? this.schema.fields.map((_, column) => column);
    for (const column of wanted) wholeNumber('column', column, { max: this.schema.fields.length - 1 });
    return { shard, first, last, wanted, group: shard };
  }

  #checkOpen(): void {
    if (this.#closed) throw closed(`The data set ${this.where} was closed. Open it again.`);
  }
}

/** The store to read, and the folder of the cache where there is to be one. */
async function placesOf({
  remote,
  local,
}: MdsSamplesOptions): Promise<{ store: ObjectStore; folder: string | undefined }> {
  if (local === undefined) {
    if (remote !== undefined) return { store: remote, folder: undefined };
    throw new SpiralError('invalid_argument', 'Expected `remote`, `local` or both to say where the data set is.');
  }
  const folder = resolve(local);
  if (remote === undefined) return { store: fileStore(folder), folder: undefined };
  const isSame = remote.uri.startsWith('file:') && (await real(fileURLToPath(remote.uri))) === (await real(folder));
  return { store: remote, folder: isSame ? undefined : folder };
}

async function real(folder: string): Promise<string> {
  return realpath(folder).catch(() => folder);
}

function below(store: ObjectStore, split: string | undefined): ObjectStore {
  return split === undefined || split === '' ? store : subStore(store, split);
}

function closed(message: string): SpiralError {
  return new SpiralError('closed', message);
}
