import type { RecordBatch } from 'apache-arrow';
import { cancelled, checkSignal, linkedAbort } from '../core/abort.js';
import { wholeNumber } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { macrotask, monotonicMs } from '../core/runtime.js';
import type { World } from '../sharding/world.js';
import { BatchMaker } from './batch-maker.js';
import type { OpenedSource } from './elastic.js';
import { explainResume, type ResumePlan } from './elastic-explain.js';
import { chosenState } from './elastic-state.js';
import { emptyEpochsMax, iterating, noBatches, skippedTooFar } from './epoch-pass.js';
import { givenBatch } from './given-batch.js';
import { Observer, observed } from './observer.js';
import { openLoaderSource } from './open-source.js';
import {
  type DataLoaderOptions,
  inlineTransform,
  type LoaderSettings,
  loaderSettings,
  silentOptions,
} from './options.js';
import { type LoaderPlan, planEpoch } from './plan.js';
import { type Hand, QuickIterator } from './quick-iterator.js';
import { replay } from './replay.js';
import { RowErrorLog } from './row-error-log.js';
import type { RowIds } from './row-ids.js';
import { spelledOut } from './shuffle-word.js';
import { checkedSource, type LoaderSource, type SourceIdentity } from './source.js';
import { Standing } from './standing.js';
import {
  checkStateSettings,
  epochBegin,
  type LoaderPosition,
  type LoaderState,
  loaderState,
  stateOptions,
  statePast,
  statePosition,
} from './state.js';
import { type BatchTimes, type LoaderStats, placesOf } from './stats.js';
import { rowsAtStep } from './step-rows.js';
import type { PassInHand, SuppliedBatch } from './supply.js';
import type { InlineTransform } from './transform.js';

/** Milliseconds after which timers and I/O get a turn though batches are ready (law 13). */
const yieldEveryMs = 50;
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
  readonly #options: DataLoaderOptions<T>;
  #identity: SourceIdentity;
  #settings: LoaderSettings;
  readonly #transform: InlineTransform<T> | undefined;
  readonly #abort = new AbortController();
  #resumed: LoaderState | undefined;
  #open: Promise<OpenedSource> | undefined;
  #running = false;
  /** Set when an iteration ended before its epoch: the next starts the epoch anew. */
  #leftEarly = false;
  readonly #at: Standing;
  #yieldedMs = 0;
  #emptyEpochs = 0;
  readonly #maker: BatchMaker;
  readonly #observer: Observer;
  readonly #rowErrors: RowErrorLog;

  /** @throws SpiralError `invalid_size`, `invalid_argument`, `invalid_world`: the first option that is wrong. */
  constructor(source: LoaderSource, options: DataLoaderOptions<T> = {}) {
    [this.#source, this.#identity, this.#options] = [source, checkedSource(source).identity, spelledOut(options)];
    this.#settings = loaderSettings(this.#options);
    this.#maker = new BatchMaker(source);
    this.#observer = new Observer(this.#settings);
    this.#rowErrors = new RowErrorLog(this.#settings.rowErrors);
    this.#transform = inlineTransform(options);
    this.#at = new Standing(options);
  }

  /**
   * A loader that goes on where `state` was taken; options left out come from the state. Of the states of all ranks it
   * takes its own; where `world` has another size than theirs, its part of what they left of the epoch, each row of which
   * one rank of the new world then gives (law 8a). The next epoch is dealt to the new world as ever.
   *
   * @throws SpiralError `invalid_state`, `state_version`; `state_mismatch` where an option, or on first use the source,
   * differs from the state's in what names the order, or states from each other.
   */
  static fromStateDict<T = RecordBatch>(
    source: LoaderSource,
    state: LoaderState | readonly LoaderState[],
    options: DataLoaderOptions<T> = {},
  ): SpiralDataLoader<T> {
    const own = spelledOut(options);
    const from = chosenState(state, own.world);
    const loader = new SpiralDataLoader<T>(source, { ...stateOptions(from), ...own });
    checkStateSettings(from, loader.#settings);
    loader.#restore(from);
    return loader;
  }

  /** What each rank of `world` will read of the epoch when it resumes from `states`, see {@link ResumePlan}. */
  static explainResume(
    source: LoaderSource,
    states: LoaderState | readonly LoaderState[],
    world: World,
  ): Promise<ResumePlan> {
    return explainResume(source, states, world);
  }

  /** The epoch that is under way or comes next. */
  get epoch(): number {
    return this.#at.epoch;
  }

  /** Batches received since epoch 0. */
  get step(): number {
    return this.#at.step;
  }

  /** Rows of this rank received within {@link epoch}. */
  get samplesYielded(): number {
    return this.#at.samples;
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
    this.#at.epoch = wholeNumber('epoch', epoch);
    this.#leftEarly = false;
    if (this.#settings.past !== undefined) {
      // The whole epoch is wanted, not what another world left of it.
      this.#settings = { ...this.#settings, past: undefined };
      this.#maker.dropFeeders();
    }
    this.#at.skip = 0;
    this.#at.restart();
    this.#beginEpoch();
  }

  /** Which rows the batch received last is made of. */
  get rowIds(): RowIds | undefined {
    return this.#observer.last?.rowIds;
  }

  /** What the batch received last took. */
  get batchTimes(): BatchTimes | undefined {
    return this.#observer.last?.times;
  }

  /** What the loader did since it was made, and what limits it. */
  stats(): LoaderStats {
    const feeder = this.#settings.feeder && this.#source.recipe !== undefined;
    return this.#observer.stats(feeder, this.#settings.map?.mapWorkers ?? 0);
  }

  /** Where the loader stands: what the consumer has received, never what was read ahead. */
  stateDict(): LoaderState {
    return loaderState(this.#settings, this.#identity, this.#position());
  }

  /** What {@link epoch} holds for each rank, before anything of it is read. Opens the source, its rows stay unread. */
  async plan(): Promise<LoaderPlan> {
    const opened = await this.#opened();
    return planEpoch(opened, this.#settings, this.#position(), this.#abort.signal);
  }

  /**
   * What the next iteration begins with, or the one under way goes on with: one batch, read apart, transform included, which
   * moves nothing. At the end of an epoch that is the next one's first.
   */
  async peek(): Promise<T> {
    await using twin = this.#twin(false);
    // What is left of this epoch, and where that is nothing, the next.
    for (let epochs = 0; epochs < 2; epochs++) for await (const batch of twin) return batch;
    throw new SpiralError('no_rows', 'Expected a batch to peek at, found none in two epochs: the transform drops all.');
  }

  /**
   * The same batches for ever: the next `batches` of the epoch, or as many as it has, read anew for each iteration before its
   * first and then held. It moves nothing, and tells how fast training could go were there no data wait. Each batch comes
   * again and again as the same object, so the loop must not use it up.
   *
   * @throws SpiralError `invalid_size`; iterating it `closed`, `cancelled`, `no_rows`.
   */
  replayCached(batches: number): AsyncIterable<T, void, undefined> {
    wholeNumber('batches', batches, { min: 1, unit: 'batches' });
    const check = (): void => {
      this.#checkOpen();
      checkSignal(this.#settings.signal, 'The data loader');
    };
    return { [Symbol.asyncIterator]: () => replay(() => this.#twin(false), batches, check) };
  }

  /**
   * Which rows the batch number `step` of this run is made of, as `whichRows` says. Without a filter nothing is read.
   *
   * @throws SpiralError `unsupported` for a step that another world gave, or under a filter of another epoch.
   */
  async whichRows(step: number): Promise<RowIds> {
    wholeNumber('step', step);
    return rowsAtStep(await this.#opened(), this.#settings, this.#position(), step, this.#abort.signal);
  }

  /** One pass: an epoch, or all that follow where `infinite`. Touches nothing before its first `next()`. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const hand: Hand<T> = { take: undefined };
    return new QuickIterator(this.#iterate(hand), hand);
  }

  async *#iterate(hand: Hand<T>): AsyncGenerator<T, void, undefined> {
    if (this.#running) throw iterating('A second iteration');
    this.#checkOpen();
    this.#running = true;
    const { signal } = this.#settings;
    const abort = linkedAbort(this.#abort.signal, signal);
    try {
      checkSignal(signal, 'The data loader');
      await Promise.all([this.#observer.begin(), this.#rowErrors.begin()]);
      const opened = await this.#maker.beside(this.#opened(), this.#settings);
      if (this.#leftEarly) {
        this.#at.restart();
        this.#at.step = this.#at.epochStep;
        this.#rowErrors.restart();
      }
      this.#leftEarly = true;
      do yield* this.#pass(opened, hand, abort.signal);
      while (this.#settings.infinite && !this.#atMaxSteps());
      this.#leftEarly = false;
      if (this.#atMaxSteps()) await this.#maker.close();
    } catch (error) {
      // The error that ended the iteration matters more than one of its trace.
      await this.#observer.end().catch(() => {});
      this.#checkOpen();
      if (signal?.aborted) throw cancelled(signal, 'The data loader');
      throw error;
    } finally {
      hand.take = undefined;
      this.#running = false;
      abort.end();
      // Threads are kept for the next epoch where this one ended; they then keep no process alive.
      await Promise.all([this.#observer.end(), this.#leftEarly ? this.#maker.close() : undefined]);
    }
  }

  /** Ends the iteration under way, which rejects with `closed`, and all reading. A second call does nothing. */
  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all([this.#maker.close(), this.#observer.end()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#pass(opened: OpenedSource, hand: Hand<T>, signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    if (this.#atMaxSteps()) return;
    const supply = await this.#maker.open(opened, this.#settings, this.#position(), signal);
    if ('skip' in this.#at.start) {
      if (supply.skipped < this.#at.start.skip) throw skippedTooFar(this.#at.start.skip, supply.skipped);
      this.#at.start = { place: supply.place };
    }
    const { batchSize, dropLast, infinite } = this.#settings;
    const places = placesOf(opened.shards.map((shard) => shard.physicalRows));
    const plan = (): Promise<LoaderPlan> => planEpoch(opened, this.#settings, this.#position(), signal);
    await this.#observer.beginEpoch(this.#at.epoch, async () => (await plan()).rowsLeft);
    const pass = { supply, places, signal };
    hand.take = () => this.#ready(pass);
    for (;;) {
      if (this.#atMaxSteps()) return;
      const beginMs = monotonicMs();
      const drawn = await supply.next();
      if (signal.aborted) throw new SpiralError('cancelled', 'The data loader was stopped.');
      if (drawn === undefined || (dropLast && drawn.rowIds.length + drawn.bad.length < batchSize)) break;
      const rows = drawn.rowIds.length + drawn.bad.length;
      const transformAtMs = monotonicMs();
      const at = { epoch: this.#at.epoch, step: this.#at.step };
      const given = await givenBatch(drawn, this.#transform, this.#settings, at, signal);
      const transformMs = this.#transform === undefined ? 0 : monotonicMs() - transformAtMs;
      await this.#rowErrors.admit(given.bad, rows, at);
      if (monotonicMs() - this.#yieldedMs > yieldEveryMs) {
        await macrotask();
        this.#yieldedMs = monotonicMs();
      }
      this.#count(drawn, given, pass, { beginMs, transformMs });
      if (given.value !== null) yield given.value;
    }
    hand.take = undefined;
    // Shards are dealt anew each epoch, so a rank may have none in one and some in the next.
    this.#emptyEpochs = this.#at.samples === 0 ? this.#emptyEpochs + 1 : 0;
    if (infinite && this.#emptyEpochs >= emptyEpochsMax) {
      throw noBatches(this.#settings.world.rank, emptyEpochsMax);
    }
    this.#at.epoch++;
    this.#at.restart();
    this.#beginEpoch();
  }

  /** The next batch, where nothing has to be waited for or made of it. */
  #ready(pass: PassInHand): T | undefined {
    const beginMs = monotonicMs();
    const isDue = beginMs - this.#yieldedMs > yieldEveryMs;
    if (this.#transform !== undefined || isDue || pass.signal.aborted || this.#atMaxSteps()) return undefined;
    const drawn = pass.supply.ready?.();
    if (drawn === undefined) return undefined;
    this.#count(drawn, drawn, pass, { beginMs, transformMs: 0 });
    return drawn.batch as T;
  }

  /** `drawn` is given to the consumer, as what `given` says: the loader stands behind it. */
  #count(
    drawn: SuppliedBatch,
    { rowIds, bad }: Pick<SuppliedBatch, 'rowIds' | 'bad'>,
    pass: PassInHand,
    { beginMs, transformMs }: { readonly beginMs: number; readonly transformMs: number },
  ): void {
    const rows = drawn.rowIds.length + drawn.bad.length;
    const [epoch, step, skipped] = [this.#at.epoch, this.#at.step, bad.length];
    this.#at.receive(drawn, rows);
    this.#rowErrors.count(rows, skipped);
    const waitMs = monotonicMs() - beginMs;
    this.#observer.add(observed(drawn, { epoch, step, rowIds, skipped, waitMs, transformMs }, pass));
  }

  /** A loader of its own that stands where the next iteration of this one begins, or the one under way is. */
  #twin(infinite: boolean): SpiralDataLoader<T> {
    this.#checkOpen();
    const at = this.stateDict();
    const state = { ...(this.#leftEarly && !this.#running ? epochBegin(at) : at), maxSteps: null };
    return SpiralDataLoader.fromStateDict<T>(this.#source, state, { ...silentOptions(this.#options), infinite });
  }

  #opened(): Promise<OpenedSource> {
    this.#open ??= this.#openSource();
    this.#open.catch(() => {
      this.#open = undefined;
    });
    return this.#open;
  }

  async #openSource(): Promise<OpenedSource> {
    const opened = await openLoaderSource(this.#source, this.#settings, this.#resumed);
    this.#identity = { ...this.#source.identity, ...opened.source.identity };
    if (this.#at.skip !== 0) {
      const { epoch } = this.#at;
      await this.#at.goOver(opened, this.#settings, this.#rowErrors.counts, this.#abort.signal);
      if (epoch !== this.#at.epoch) this.#rowErrors.beginEpoch();
    }
    return opened;
  }

  #position(): LoaderPosition {
    return this.#at.position(this.#rowErrors.counts);
  }

  #restore(state: LoaderState): void {
    [this.#resumed, this.#identity] = [state, state.source];
    this.#settings = { ...this.#settings, past: statePast(state) };
    const position = statePosition(state);
    this.#at.restore(position);
    this.#rowErrors.restore(position.rowErrors);
  }

  #atMaxSteps(): boolean {
    const { maxSteps } = this.#settings;
    return maxSteps !== undefined && this.#at.step >= maxSteps;
  }

  /** The epoch is one that begins here. */
  #beginEpoch(): void {
    this.#at.epochStep = this.#at.step;
    this.#rowErrors.beginEpoch();
  }

  #checkOpen(): void {
    if (!this.#abort.signal.aborted) return;
    throw new SpiralError('closed', 'The data loader is closed. Make another one, from its state to go on.');
  }
}
