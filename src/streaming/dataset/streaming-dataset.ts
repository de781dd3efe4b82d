import type { RecordBatch, Schema } from 'apache-arrow';
import { blockSources, gatherBatch } from '../../arrow/gather.js';
import { knownOptions, optionsObject, wholeNumber } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';
import { SpiralDataLoader } from '../../loader/data-loader.js';
import type { DataLoaderOptions } from '../../loader/options.js';
import { isReadable } from '../../loader/placed-block.js';
import type { LoaderState } from '../../loader/state.js';
import type { World } from '../../sharding/world.js';
import type { MosaicPosition } from '../mosaic/mosaic-position.js';
import type { Sample } from '../writing/shard-layout.js';
import { checkData, parseStreamingState, type StreamingState, streamingState } from './dataset-state.js';
import { openStreams } from './open-streams.js';
import { plainSamples } from './plain-sample.js';
import { noSamples, type OpenSamples, openSamples, parseBegin, SampleSource } from './sample-source.js';
import {
  orderIdentity,
  type StreamingOptions,
  type StreamingSettings,
  streamingSettings,
  worldOf,
} from './streaming-options.js';

/** How `batches` and samples are given. */
export interface StreamingReadOptions {
  /** Default: the data set's, else 32. */
  readonly batchSize?: number | undefined;
  /** Whether they are made in a thread of their own, as the loader's option says. Default true. */
  readonly feeder?: boolean | undefined;
  /** Ends the iteration with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/** Samples of a block of {@link StreamingDataset} iterated sample by sample. */
const samplesAtOnce = 256;

/**
 * A data set of MDS shards, streamed: MosaicML's `StreamingDataset` with its options in camelCase.
 *
 * ```ts
 * await using dataset = new StreamingDataset({ remote: 'https://…/c4', local: '/cache/c4', shuffle: true, batchSize: 128 });
 * for await (const batch of dataset.batches()) await train(batch);       // one epoch; the next iteration is the next one
 * const state = dataset.stateDict(samplesOfAllRanks, true);              // JSON; a new data set goes on: loadStateDict(state)
 * const loader = dataset.toDataLoader({ mapWorkers: 4, transformFn });   // map workers, checkpoints of the loader's own
 * ```
 *
 * Making one touches nothing. Each iteration begins the next epoch, whether or not the one before came to its end, as
 * MosaicML's do.
 */
export class StreamingDataset implements AsyncIterable<Sample>, AsyncDisposable {
  readonly #settings: StreamingSettings;
  readonly #world: World;
  readonly #loaders = new Set<SpiralDataLoader>();
  /** That of a pass that came to its end, with its threads, for the next with the same options. */
  #idle: { readonly key: string; readonly loader: SpiralDataLoader } | undefined;
  #opening: Promise<OpenSamples> | undefined;
  #open: OpenSamples | undefined;
  #closed = false;
  /** Where the next iteration begins. */
  #next: MosaicPosition = { epoch: 0, sampleInEpoch: 0 };
  /** Where the last one began. */
  #current: MosaicPosition | undefined;
  /** The data of the state that was loaded, until it is compared. */
  #expected: string | undefined;

  /** @throws SpiralError `invalid_argument`, `invalid_size`, `invalid_world`: the first option that is wrong. */
  constructor(options: StreamingOptions) {
    this.#settings = streamingSettings(options);
    this.#world = worldOf(options);
  }

  /**
   * Reads the indexes of the streams, once. Whatever needs them does so by itself; sizes can be asked for after it.
   *
   * @throws SpiralError `not_found` where there is no index; `no_rows`, `invalid_argument` where options do not fit the data;
   * `state_mismatch` where the state that was loaded is of other data.
   */
  async open(): Promise<this> {
    await this.#opened();
    return this;
  }

  /** The columns. Once it is open, as all sizes. */
  get schema(): Schema {
    return this.#ready.shards.schema;
  }

  /** Samples of all streams. */
  get numSamples(): number {
    return this.#ready.reader.places.samples;
  }

  /** The same, as MosaicML calls it. */
  get size(): number {
    return this.numSamples;
  }

  /** Samples of an epoch, over all ranks, before any are repeated or dropped to fit them. */
  get epochSize(): number {
    return this.#ready.orders.epochSize;
  }

  /** Samples of an epoch for one rank, rounded up. */
  get length(): number {
    return Math.ceil((this.epochSize * this.#settings.replication) / this.#world.worldSize);
  }

  /** Number of shards of all streams. */
  get numShards(): number {
    return this.#ready.shards.shardSizes.length;
  }

  /** The epoch that the next iteration gives. */
  get epoch(): number {
    return this.#next.epoch;
  }

  get world(): World {
    return this.#world;
  }

  /**
   * Sample number `index`, counted over all streams in their order; from the end where negative. A list gives a list, in its
   * order.
   *
   * @throws SpiralError `invalid_size` for a number that is no sample's.
   */
  get(index: number): Promise<Sample>;
  get(indices: readonly number[]): Promise<Sample[]>;
  async get(given: number | readonly number[]): Promise<Sample | Sample[]> {
    const { samples } = (await this.#opened()).reader.places;
    const list: readonly number[] = Array.isArray(given) ? given : [given as number];
    if (samples === 0 && list.length > 0) throw noSamples(this.#settings);
    const ids = Float64Array.from(list, (index) => {
      wholeNumber('index', index, { min: -samples, max: samples - 1, unit: 'samples' });
      return index < 0 ? index + samples : index;
    });
    const found = await this.#read(ids);
    return Array.isArray(given) ? found : found[0]!;
  }

  /** Samples `from … to`, as `Array.prototype.slice` counts. */
  async slice(from = 0, to?: number): Promise<Sample[]> {
    const { samples } = (await this.#opened()).reader.places;
    const place = (at: number): number => Math.max(0, Math.min(samples, at < 0 ? samples + at : at));
    for (const at of [from, to ?? samples]) wholeNumber('index', at, { min: Number.MIN_SAFE_INTEGER });
    const [first, last] = [place(from), place(to ?? samples)];
    return this.#read(Float64Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at));
  }

  /** The samples of the next epoch for this rank. */
  [Symbol.asyncIterator](): AsyncGenerator<Sample, void, undefined> {
    return this.samples();
  }

  /** The same, with options: `batchSize` samples are read at a time. */
  async *samples(options: StreamingReadOptions = {}): AsyncGenerator<Sample, void, undefined> {
    for await (const batch of this.#pass({ batchSize: samplesAtOnce, ...options }, 'samples')) {
      yield* plainSamples(batch, this.#settings.int64);
    }
  }

  /** The next epoch for this rank, in Arrow batches of `batchSize` rows; the last may have fewer. */
  batches(options: StreamingReadOptions = {}): AsyncGenerator<RecordBatch, void, undefined> {
    const batchSize = this.#batchSize(optionsObject('`batches`', options).batchSize) ?? 32;
    return this.#pass({ ...options, batchSize }, 'batches');
  }

  /**
   * A loader over this data set from where the next iteration would begin: with the feeder, map workers and states of its
   * own, which {@link resumeDataLoader} takes. It moves nothing here. Options that would order samples are refused: they are
   * this data set's.
   *
   * @throws SpiralError as `SpiralDataLoader`; `invalid_argument` for such an option.
   */
  toDataLoader<T = RecordBatch>(options: DataLoaderOptions<T> = {}): SpiralDataLoader<T> {
    const given = this.#loaderOptions(options);
    return new SpiralDataLoader<T>(this.#source(this.#next), { epoch: this.#next.epoch, ...given });
  }

  /** A loader that goes on where `state`, of one that {@link toDataLoader} made, was taken; in another world with all states. */
  resumeDataLoader<T = RecordBatch>(
    state: LoaderState | readonly LoaderState[],
    options: DataLoaderOptions<T> = {},
  ): SpiralDataLoader<T> {
    const first: LoaderState | undefined = Array.isArray(state) ? state[0] : (state as LoaderState);
    const begin = parseBegin(first?.source?.['begin']) ?? this.#next;
    return SpiralDataLoader.fromStateDict<T>(this.#source(begin), state, this.#loaderOptions(options));
  }

  /**
   * Where the epoch under way stands when `numSamples` samples of it were received, over all ranks (those that
   * `replication` repeats counted once): from its begin, or from where this iteration of it began. Of one rank, for all.
   *
   * MosaicML's five fields, and a fingerprint of data and settings. Once it is open.
   */
  stateDict(numSamples: number, fromBeginning = true): StreamingState {
    wholeNumber('numSamples', numSamples, { unit: 'samples' });
    const { orders, shards } = this.#ready;
    const at = this.#current ?? this.#next;
    const sampleInEpoch = fromBeginning ? numSamples : at.sampleInEpoch + numSamples;
    const position = orders.resolved({ ...at, sampleInEpoch }, this.#world);
    return streamingState(position, shards.identity, orderIdentity(this.#settings));
  }

  /**
   * Goes on from `state`, of this package or MosaicML's, with the next iteration: in any world.
   *
   * @throws SpiralError `invalid_state`, `state_version`; `state_mismatch` where it is of other settings or, as soon as that is
   * known, of other data.
   */
  loadStateDict(state: unknown): void {
    const { position, data } = parseStreamingState(state, orderIdentity(this.#settings));
    if (this.#open !== undefined) checkData(data, this.#open.shards.identity);
    const { epoch, sampleInEpoch } = position;
    this.#next = this.#settings.order === 'native' ? { epoch, sampleInEpoch } : position;
    this.#current = undefined;
    this.#expected = data;
  }

  /** Ends iterations under way, and closes what is open. A second call does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#loaders].map((loader) => loader.close()));
    const open = await this.#opening?.catch(() => undefined);
    await open?.shards.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#pass(options: StreamingReadOptions, what: string): AsyncGenerator<RecordBatch, void, undefined> {
    knownOptions(`\`${what}\``, options, ['batchSize', 'feeder', 'signal']);
    this.#checkOpen();
    const begin = this.#next;
    this.#current = begin;
    this.#next = { ...begin, epoch: begin.epoch + 1, sampleInEpoch: 0 };
    const { key, loader } = this.#passLoader(begin, options);
    this.#loaders.add(loader);
    let ended = false;
    try {
      yield* loader;
      ended = true;
    } finally {
      if (ended && key !== undefined && this.#idle === undefined && !this.#closed) this.#idle = { key, loader };
      else {
        this.#loaders.delete(loader);
        await loader.close();
      }
    }
  }

  /** A loader that gives the epoch of `begin` from there on; its `key` says what other passes it will do for. */
  #passLoader(
    begin: MosaicPosition,
    options: StreamingReadOptions,
  ): { key: string | undefined; loader: SpiralDataLoader } {
    const { batchSize, feeder, signal } = options;
    const source = this.#source(begin);
    const key = signal === undefined ? JSON.stringify([batchSize, feeder, { ...begin, epoch: 0 }]) : undefined;
    if (key !== undefined && this.#idle?.key === key && begin.sampleInEpoch === 0) {
      const { loader } = this.#idle;
      this.#idle = undefined;
      loader.setEpoch(begin.epoch);
      return { key, loader };
    }
    const loader = new SpiralDataLoader<RecordBatch>(source, {
      epoch: begin.epoch,
      world: this.#world,
      ...(batchSize === undefined ? {} : { batchSize }),
      ...(feeder === undefined ? {} : { feeder }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { key: begin.sampleInEpoch === 0 ? key : undefined, loader };
  }

  #loaderOptions<T>(options: DataLoaderOptions<T>): DataLoaderOptions<T> {
    const { shuffle, shuffleShards, uneven, shards } = optionsObject('A data loader', options);
    const ordering = { shuffle, shuffleShards, uneven, shards };
    for (const [name, value] of Object.entries(ordering)) {
      if (value === undefined) continue;
      throw new SpiralError(
        'invalid_argument',
        `Expected no \`${name}\` for a loader of a streaming data set, which orders its samples itself. Say \`shuffle\`, ` +
          '`shuffleSeed`, `shuffleBlockSize` and `uneven` where the data set is made.',
        { details: { option: name } },
      );
    }
    const batchSize = this.#batchSize(options.batchSize);
    return { world: this.#world, ...options, ...(batchSize === undefined ? {} : { batchSize }) };
  }

  /** The batch size that was asked for, else the data set's. */
  #batchSize(asked: number | undefined): number | undefined {
    const { order, batchSize } = this.#settings;
    if (order === 'native' || asked === undefined || asked === batchSize) return asked ?? batchSize;
    throw new SpiralError(
      'invalid_argument',
      `Expected \`batchSize\` to be ${batchSize}, that of the data set, as the order \`mosaic\` follows from it, got ${asked}. ` +
        'Say it where the data set is made.',
      { details: { name: 'batchSize', expected: batchSize, found: asked } },
    );
  }

  #source(begin: MosaicPosition): SampleSource {
    this.#checkOpen();
    if (this.#settings.order === 'mosaic' && this.#settings.batchSize === undefined) {
      throw new SpiralError(
        'invalid_argument',
        "Expected `batchSize` beside `order: 'mosaic'`, as that order follows from the samples of a rank's batch.",
      );
    }
    return new SampleSource(this.#settings, begin, () => this.#opened());
  }

  #opened(): Promise<OpenSamples> {
    this.#checkOpen();
    this.#opening ??= this.#openAll();
    this.#opening.catch(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openAll(): Promise<OpenSamples> {
    const streams = await openStreams(this.#settings);
    const open = openSamples(this.#settings, streams);
    checkData(this.#expected, open.shards.identity);
    this.#open = open;
    return open;
  }

  async #read(ids: Float64Array): Promise<Sample[]> {
    const { reader, shards } = await this.#opened();
    const [block, row] = [new Int32Array(ids.length), new Int32Array(ids.length)];
    reader.places.locate(ids, block, row);
    const wanted = new Map<number, number>();
    for (const one of block) wanted.set(one, (wanted.get(one) ?? 0) + 1);
    const { blocks, ranges, release } = await reader.read(block, row, (one) => wanted.get(one) ?? 0);
    const sources = blockSources(
      shards.schema,
      blocks.filter(isReadable).map(({ columns }) => columns),
    );
    const batch = gatherBatch(shards.schema, sources, ranges);
    release();
    return plainSamples(batch, this.#settings.int64);
  }

  get #ready(): OpenSamples {
    if (this.#open !== undefined) return this.#open;
    throw new SpiralError(
      'invalid_argument',
      'Expected the data set to be open: say `await dataset.open()` first, as its sizes are in its index.',
    );
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new SpiralError('closed', 'The streaming data set is closed. Make another one, from its state to go on.');
  }
}
