import { cores } from '../core/runtime.js';
import type { WindowPlace } from './batch-stream.js';
import { epochOrder, type OpenedSource } from './elastic.js';
import { type PassStart, placeOf } from './epoch-pass.js';
import { EpochTurns, type TurnPlace } from './epoch-turns.js';
import { Feeder } from './feeder.js';
import type { FeederLink } from './feeder-link.js';
import type { FeederPass } from './feeder-pass.js';
import { type FeederRecipe, wireSettings } from './feeder-protocol.js';
import type { LoaderSettings } from './options.js';
import { rowBytes } from './row-bytes.js';
import { Starvation } from './starvation.js';
import type { BatchSupply, PassFigures, RowsBatch, SuppliedBatch } from './supply.js';
import { TurnSupply } from './turn-supply.js';

/** Bytes of a turn where the epoch is long: handing over to the next thread then costs little beside drawing it. */
const turnBytesMin = 4 * 1024 * 1024;
/** Batches of a turn where the epoch is long: one of them is joined. */
const turnBatchesMin = 8;
/** Turns of each thread, where the epoch has so many batches. */
const turnsMin = 4;
/** Threads up to which their number is raised by itself: with more, memory grows and the consumer's thread is the limit. */
const threadsAutoMax = 8;

/** A pass over an epoch. */
interface PassAt {
  readonly epoch: number;
  readonly step: number;
}

/** The feeders' threads of a loader: one, and more that draw in turn where the consumer waits for data. */
export class Feeders {
  readonly #settings: LoaderSettings;
  readonly #opened: OpenedSource;
  readonly #recipe: FeederRecipe;
  readonly #feeders: Feeder[] = [];
  readonly #starvation = new Starvation();
  /** Threads that the next pass begins with. */
  #threads: number;

  /** @param started the first thread, where it was started with these settings. */
  constructor(recipe: FeederRecipe, opened: OpenedSource, settings: LoaderSettings, started?: FeederLink) {
    [this.#recipe, this.#opened, this.#settings] = [recipe, opened, settings];
    if (started !== undefined) this.#feeders.push(this.#newFeeder(started));
    this.#threads = Math.min(this.threadsMax, settings.decodeThreads === 'auto' ? 1 : settings.decodeThreads);
  }

  /**
   * Threads that there may be. One under a filter, which hides where windows begin; with a transform module, which has map
   * workers for its cores; under a memory limit, which bounds one window and what is beside it; and of a source that orders
   * its rows itself, as all threads would read the same blocks.
   */
  get threadsMax(): number {
    const { map, memoryBytesMax, decodeThreads } = this.#settings;
    const { filtered, inEpoch } = this.#opened.source;
    if (filtered || inEpoch !== undefined || map !== undefined || memoryBytesMax !== undefined) return 1;
    return decodeThreads === 'auto' ? Math.min(threadsAutoMax, cores()) : decodeThreads;
  }

  /** Starts the pass over `epoch` from `start` on; resolves once it is open. */
  async openPass(at: PassAt, start: PassStart, signal: AbortSignal): Promise<BatchSupply> {
    if (this.#threads > 1) return this.#growing(await this.inTurns(at, start, signal), at, signal);
    const pass = this.#feeder(0).startPass(at, { start }, signal);
    await pass.opened();
    return this.threadsMax === 1 ? pass : this.#growing(pass, at, signal);
  }

  /** A pass in which all threads have their turns. */
  async inTurns(at: PassAt, start: PassStart, signal: AbortSignal): Promise<TurnSupply> {
    const { source } = this.#opened;
    const { batchSize } = this.#settings;
    const order = await epochOrder(this.#opened, this.#settings, at.epoch, signal);
    const worthwhile = Math.max(turnBatchesMin * batchSize, turnBytesMin / Math.max(1, rowBytes(source).bytes));
    // A short epoch is shared as well.
    const shared = Math.max(batchSize, order.rows / (turnsMin * this.#threads));
    const rows = Math.ceil(Math.min(worthwhile, shared));
    const place = 'place' in start ? start.place : placeOf(order, start.skip);
    const skipped = 'place' in start ? 0 : Math.min(start.skip, order.rows);
    const starting = (thread: number, turn: TurnPlace): FeederPass => this.#feeder(thread).startPass(at, turn, signal);
    const turns = new EpochTurns(order, place, rows);
    return new TurnSupply({ schema: source.schema, batchSize, place, skipped }, turns, this.#threads, starting);
  }

  /** One thread more, where a pass that waited `waitedMs` so far, and would wait again, is starved. */
  grows(waitedMs: number): boolean {
    const grows = this.#threads < this.threadsMax && this.#starvation.judge(waitedMs);
    if (grows) this.#threads++;
    return grows;
  }

  /** What a pass waits for now is its start, or that of a thread. */
  pause(): void {
    this.#starvation.pause();
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    await Promise.all(this.#feeders.splice(0).map((feeder) => feeder.close()));
  }

  #growing(supply: FeederPass | TurnSupply, at: PassAt, signal: AbortSignal): BatchSupply {
    if (this.#threads === this.threadsMax) return supply;
    this.pause();
    return new GrowingSupply(this, supply, { at, signal });
  }

  #feeder(number: number): Feeder {
    this.#feeders[number] ??= this.#newFeeder();
    return this.#feeders[number];
  }

  #newFeeder(started?: FeederLink): Feeder {
    return new Feeder(this.#recipe, wireSettings(this.#settings), this.#opened.source.schema, started);
  }
}

/** A pass that gets more threads while its consumer waits for data most of the time. */
class GrowingSupply implements BatchSupply {
  readonly skipped: number;
  readonly place: WindowPlace;
  readonly #feeders: Feeders;
  readonly #pass: { readonly at: PassAt; readonly signal: AbortSignal };
  #supply: FeederPass | TurnSupply;

  constructor(feeders: Feeders, supply: FeederPass | TurnSupply, pass: { at: PassAt; signal: AbortSignal }) {
    this.#feeders = feeders;
    this.#supply = supply;
    this.#pass = pass;
    this.skipped = supply.skipped;
    this.place = supply.place;
  }

  get depth(): number {
    return this.#supply.depth;
  }

  figures(): PassFigures {
    return this.#supply.figures();
  }

  ready(): RowsBatch | undefined {
    return this.#supply.ready();
  }

  // Not async itself: that would cost every batch another promise.
  next(): Promise<SuppliedBatch | undefined> {
    const grows = this.#supply.depth === 0 && this.#feeders.grows(this.#supply.waitedMs);
    return grows ? this.#grown() : this.#supply.next();
  }

  async #grown(): Promise<SuppliedBatch | undefined> {
    const place = { place: this.#supply.stands };
    this.#supply.leave();
    this.#supply = await this.#feeders.inTurns(this.#pass.at, place, this.#pass.signal);
    this.#feeders.pause();
    return this.#supply.next();
  }
}
