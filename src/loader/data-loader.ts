import type { RecordBatch } from 'apache-arrow';
import { cancelled, checkSignal } from '../core/abort.js';
import { wholeNumber } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { macrotask, monotonicMs } from '../core/runtime.js';
import type { Shard } from '../sharding/shard.js';
import { World } from '../sharding/world.js';
import { openPass, type PassStart } from './epoch-pass.js';
import { Feeder } from './feeder.js';
import { wireSettings } from './feeder-protocol.js';
import { type DataLoaderOptions, type LoaderSettings, loaderSettings } from './options.js';
import type { RowIds } from './row-ids.js';
import type { LoaderSource, OpenSource } from './source.js';
import {
  checkStateSettings,
  checkStateSource,
  type LoaderState,
  parseState,
  stateShards,
  stateVersion,
} from './state.js';
import { type BatchTimes, type LoaderStats, placesOf, StatsCollector } from './stats.js';
import type { BatchSupply, SuppliedBatch } from './supply.js';
import { type InlineTransform, transformContext, transformed } from './transform.js';

/** Milliseconds after which timers and I/O get a turn though batches are ready (law 13). */
const yieldEveryMs = 16;
/** Epochs without a batch, one after the other, after which an infinite loader gives up. */
const emptyEpochsMax = 16;

/**
 * Feeds a training loop: an async iterable of batches, one epoch an iteration, shuffled by a seed and resumable at any
 * sample.
 *
 * ```ts
 * const loader = scan.toDataLoader({ batchSize: 128, shuffleBufferSize: 10_000, seed: 7 });
 * for await (const batch of loader) await train(batch);
 * const state = loader.stateDict();                     // at any moment: what the loop has received
 * const resumed = scan.resumeDataLoader(state);         // goes on at the very next sample
 * ```
 *
 * Each batch owns its memory. An iteration that reaches the end advances `epoch`; one left early does not, and the next
 * starts that epoch anew.
 */
export class SpiralDataLoader<T = RecordBatch> implements AsyncIterable<T>, AsyncDisposable {
  readonly #source: LoaderSource;
  readonly #settings: LoaderSettings;
  readonly #transform: InlineTransform<T> | undefined;
  readonly #abort = new AbortController();
  #resumed: LoaderState | undefined;
  #open: Promise<{ source: OpenSource; shards: readonly Shard[] }> | undefined;
  #running = false;
  /** Set when an iteration ended before its epoch: the next starts the epoch anew. */
  #leftEarly = false;
  #epoch: number;
  #step = 0;
  #epochStep = 0;
  #samples = 0;
  #start: PassStart;
  #yieldedMs = 0;
  #emptyEpochs = 0;
  #feeder: Feeder | undefined;
  readonly #collector = new StatsCollector();
  #last: { rowIds: RowIds; times: BatchTimes } | undefined;

  /** @throws SpiralError `invalid_size`, `invalid_argument`, `invalid_world`: the first option that is wrong. */
  constructor(source: LoaderSource, options: DataLoaderOptions<T> = {}) {
    this.#source = source;
    this.#settings = loaderSettings(options);
    this.#transform = options.transformFn;
    this.#epoch = wholeNumber('epoch', options.epoch ?? 0);
    this.#samples = wholeNumber('skipSamples', options.skipSamples ?? 0, { unit: 'rows' });
    this.#start = { skip: this.#samples };
  }

  /**
   * A loader that goes on where `state` was taken; options left out come from the state.
   *
   * @throws SpiralError `invalid_state`, `state_version`; `state_mismatch` where an option, or on first use the source,
   * differs from the state's in what names the order.
   */
  static fromStateDict<T = RecordBatch>(
    source: LoaderSource,
    state: LoaderState | readonly LoaderState[],
    options: DataLoaderOptions<T> = {},
  ): SpiralDataLoader<T> {
    const from = chosenState(state, options.world);
    const shards = stateShards(from);
    const loader = new SpiralDataLoader<T>(source, {
      seed: from.seed,
      shuffleShards: from.shuffleShards,
      shuffleBufferSize: from.shuffleBufferSize,
      interleaveShards: from.interleaveShards,
      ...(from.shuffleChunkRows === null ? {} : { shuffleChunkRows: from.shuffleChunkRows }),
      ...(shards === undefined ? {} : { shards }),
      batchSize: from.batchSize,
      dropLast: from.dropLast,
      infinite: from.infinite,
      world: new World({ rank: from.rank, worldSize: from.worldSize }),
      ...options,
    });
    checkStateSettings(from, loader.#settings);
    loader.#restore(from);
    return loader;
  }

  /** The epoch that is under way or comes next. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Batches received since epoch 0. */
  get step(): number {
    return this.#step;
  }

  /** Rows of this rank received within {@link epoch}. */
  get samplesYielded(): number {
    return this.#samples;
  }

  /** Whether an iteration goes on with the next epoch at the end of one. */
  get infinite(): boolean {
    return this.#settings.infinite;
  }

  /**
   * Goes to the start of `epoch`.
   *
   * @throws SpiralError `already_iterating` while an iteration is under way.
   */
  setEpoch(epoch: number): void {
    if (this.#running) throw iterating('setEpoch');
    this.#epoch = wholeNumber('epoch', epoch);
    this.#leftEarly = false;
    this.#restart();
    this.#epochStep = this.#step;
  }

  /** Which rows the batch received last is made of. */
  get rowIds(): RowIds | undefined {
    return this.#last?.rowIds;
  }

  /** What the batch received last took. */
  get batchTimes(): BatchTimes | undefined {
    return this.#last?.times;
  }

  /** What the loader did since it was made, and what limits it. */
  stats(): LoaderStats {
    const feeder = this.#settings.feeder && this.#source.recipe !== undefined;
    return this.#collector.stats(feeder, 0);
  }

  /** Where the loader stands: what the consumer has received, never what was read ahead. */
  stateDict(): LoaderState {
    const { seed, shards, world, ...settings } = this.#settings;
    return {
      version: stateVersion,
      epoch: this.#epoch,
      step: this.#step,
      epochStep: this.#epochStep,
      samplesYielded: this.#samples,
      window: 'place' in this.#start ? [this.#start.place.start, this.#start.place.taken] : null,
      seed,
      shards: shards === undefined ? 'natural' : shards.map((shard) => shard.toJSON()),
      shuffleShards: settings.shuffleShards,
      shuffleBufferSize: settings.shuffleBufferSize,
      interleaveShards: settings.interleaveShards,
      shuffleChunkRows: settings.shuffleChunkRows ?? null,
      batchSize: settings.batchSize,
      dropLast: settings.dropLast,
      infinite: settings.infinite,
      rank: world.rank,
      worldSize: world.worldSize,
      source: this.#source.identity,
    };
  }

  /** One pass: an epoch, or all that follow where `infinite`. Touches nothing before its first `next()`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    if (this.#running) throw iterating('A second iteration');
    this.#checkOpen();
    this.#running = true;
    this.#collector.begin();
    const abort = new AbortController();
    const stop = (): void => abort.abort();
    const { signal } = this.#settings;
    this.#abort.signal.addEventListener('abort', stop, { once: true });
    signal?.addEventListener('abort', stop, { once: true });
    try {
      checkSignal(signal, 'The data loader');
      const { source, shards } = await this.#opened();
      if (this.#leftEarly) {
        this.#restart();
        this.#step = this.#epochStep;
      }
      this.#leftEarly = true;
      do yield* this.#pass(source, shards, abort.signal);
      while (this.#settings.infinite);
      this.#leftEarly = false;
    } catch (error) {
      this.#checkOpen();
      if (signal?.aborted) throw cancelled(signal, 'The data loader');
      throw error;
    } finally {
      this.#running = false;
      this.#collector.end();
      abort.abort();
      // Kept for the next epoch where this one ended; its thread then keeps no process alive.
      if (this.#leftEarly) await this.#feeder?.close();
      this.#abort.signal.removeEventListener('abort', stop);
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Ends the iteration under way, which rejects with `closed`, and all reading. A second call does nothing. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#feeder?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#pass(source: OpenSource, shards: readonly Shard[], signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const supply = await this.#supply(source, shards, signal);
    if ('skip' in this.#start) {
      if (supply.skipped < this.#start.skip) throw skippedTooFar(this.#start.skip, supply.skipped);
      this.#start = { place: supply.place };
    }
    const { batchSize, dropLast, infinite } = this.#settings;
    const places = placesOf(shards.map((shard) => shard.physicalRows));
    let given = this.#samples;
    for (;;) {
      const beginMs = monotonicMs();
      const drawn = await supply.next();
      if (signal.aborted) throw new SpiralError('cancelled', 'The data loader was stopped.');
      if (drawn === undefined || (dropLast && drawn.batch.numRows < batchSize)) break;
      given += drawn.batch.numRows;
      const transformAtMs = monotonicMs();
      const value = await this.#value(drawn);
      const transformMs = monotonicMs() - transformAtMs;
      if (monotonicMs() - this.#yieldedMs > yieldEveryMs) {
        await macrotask();
        this.#yieldedMs = monotonicMs();
      }
      this.#samples += drawn.batch.numRows;
      this.#step++;
      this.#start = { place: drawn.after };
      const times = { ...drawn.times, transformMs, waitMs: monotonicMs() - beginMs };
      this.#last = { rowIds: drawn.rowIds, times };
      this.#collector.add(drawn.batch, drawn.rowIds, times, supply.depth, places);
      if (value !== null) yield value;
    }
    // Shards are dealt anew each epoch, so a rank may have none in one and some in the next.
    this.#emptyEpochs = given === 0 ? this.#emptyEpochs + 1 : 0;
    if (infinite && this.#emptyEpochs >= emptyEpochsMax) {
      throw new SpiralError(
        'no_rows',
        `Rank ${this.#settings.world.rank} had no batch in ${emptyEpochsMax} epochs, so an infinite loader would search ` +
          'for ever. Use fewer ranks, more shards, another filter, or smaller batches with `dropLast`.',
        { details: { rank: this.#settings.world.rank, epochs: emptyEpochsMax } },
      );
    }
    this.#epoch++;
    this.#restart();
    this.#epochStep = this.#step;
  }

  async #value({ batch, rowIds }: SuppliedBatch): Promise<T | null> {
    if (this.#transform === undefined) return batch as T;
    const place = { epoch: this.#epoch, step: this.#step, rank: this.#settings.world.rank };
    return transformed(this.#transform, batch, transformContext(this.#settings.seed, place, rowIds));
  }

  /** Where the pass's batches come from: the feeder's thread, or this one. */
  #supply(source: OpenSource, shards: readonly Shard[], signal: AbortSignal): Promise<BatchSupply> {
    const { recipe } = this.#source;
    if (!this.#settings.feeder || recipe === undefined) {
      return openPass(source, shards, this.#settings, this.#epoch, this.#start, signal);
    }
    this.#feeder ??= new Feeder(recipe, wireSettings(this.#settings), source.schema);
    return this.#feeder.openPass(this.#epoch, this.#start, signal);
  }

  #opened(): Promise<{ source: OpenSource; shards: readonly Shard[] }> {
    this.#open ??= this.#openSource();
    this.#open.catch(() => {
      this.#open = undefined;
    });
    return this.#open;
  }

  async #openSource(): Promise<{ source: OpenSource; shards: readonly Shard[] }> {
    if (this.#resumed !== undefined) checkStateSource(this.#resumed, this.#source.identity);
    const source = await this.#source.openSource();
    const { shards = source.shards, batchSize, batchSizeChosen } = this.#settings;
    if (shards !== source.shards) source.checkShards(shards);
    const rows = shards.reduce((sum, shard) => sum + shard.physicalRows, 0);
    if (rows === 0) {
      throw new SpiralError('no_rows', 'Expected rows to load, found none: the scan is empty. Write rows first.', {
        details: { source: this.#source.identity },
      });
    }
    if (batchSizeChosen && !source.filtered && batchSize > rows) {
      throw new SpiralError(
        'batch_too_large',
        `Expected \`batchSize\` to be at most ${rows}, the rows there are, got ${batchSize}.`,
        { details: { batchSize, rows } },
      );
    }
    return { source, shards };
  }

  #restore(state: LoaderState): void {
    this.#resumed = state;
    this.#epoch = state.epoch;
    this.#step = state.step;
    this.#epochStep = state.epochStep;
    this.#samples = state.samplesYielded;
    this.#start =
      state.window === null
        ? { skip: state.samplesYielded }
        : { place: { start: state.window[0], taken: state.window[1] } };
  }

  /** Back to the first sample of the epoch. */
  #restart(): void {
    this.#samples = 0;
    this.#start = { place: { start: 0, taken: 0 } };
  }

  #checkOpen(): void {
    if (!this.#abort.signal.aborted) return;
    throw new SpiralError('closed', 'The data loader is closed. Make another one, from its state to go on.');
  }
}

function chosenState(state: LoaderState | readonly LoaderState[], world: World | undefined): LoaderState {
  if (!Array.isArray(state)) return parseState(state);
  const states = state.map((one) => parseState(one));
  const found = world === undefined && states.length === 1 ? states[0] : states.find((one) => one.rank === world?.rank);
  if (found !== undefined) return found;
  throw new SpiralError(
    'invalid_state',
    `Expected one of ${states.length} states to be of rank ${world?.rank ?? 'given by `world`'}, found ranks ` +
      `${states.map((one) => one.rank).join(', ')}.`,
  );
}

function iterating(what: string): SpiralError {
  return new SpiralError(
    'already_iterating',
    `${what} was asked for while the loader is iterated. End the first iteration, or make a second loader.`,
  );
}

function skippedTooFar(wanted: number, found: number): SpiralError {
  return new SpiralError(
    'invalid_size',
    `Expected \`skipSamples\` to be at most ${found}, the rows of this rank's epoch, got ${wanted}.`,
    { details: { name: 'skipSamples', max: found, found: wanted } },
  );
}
