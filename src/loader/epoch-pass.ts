import { SpiralError } from '../core/errors.js';
import { MemoryLedger } from '../core/memory-ledger.js';
import type { EpochOrder } from '../sharding/epoch-order.js';
import type { GroupSupply } from './batch-group.js';
import { BatchStream, type WindowPlace } from './batch-stream.js';
import { epochOrder, type OpenedSource, orderedEpoch } from './elastic.js';
import { type MemoryBudget, memoryBudget } from './memory-budget.js';
import { memoryNeeds } from './memory-needs.js';
import type { PassSettings } from './options.js';
import type { OrderedEpoch } from './ordered-epoch.js';
import { OrderedReader, orderedBudget } from './ordered-reader.js';
import { ReadAhead, readAheadBounds } from './read-ahead.js';
import type { OpenSource } from './source.js';
import { WindowReader, type Windows } from './window-reader.js';

/** Where a pass begins: at a window that is known, or behind a number of samples. */
export type PassStart = { readonly place: WindowPlace } | { readonly skip: number };

/** How a pass's batches are made. */
export interface PassOptions {
  readonly signal: AbortSignal;
  /** Batches that lie in one block are views of its memory, not copies. */
  readonly views: boolean;
  /** Whether the consumer would wait were nothing ready: only then is more read ahead. Default: always. */
  readonly hungry?: () => boolean;
}

/** Which part of an epoch is drawn: of several threads each draws its own parts. Only where no filter drops rows. */
export interface Turn {
  /** Stream position at which it ends: a window's end. */
  readonly end: number;
  /** Stream position at which some batch begins: all others are counted from there, whichever turn they begin in. */
  readonly base: number;
}

/** The batches of one epoch, made in this thread: of all of it, or of the turns that it is given. */
export class EpochPass {
  readonly #source: OpenSource;
  readonly #settings: PassSettings;
  readonly #order: EpochOrder;
  readonly #budget: MemoryBudget;
  readonly #ledger = new MemoryLedger();
  readonly #reader: Windows;
  readonly #readAhead: ReadAhead;
  readonly #views: boolean;
  readonly #hungry: () => boolean;
  /** Batches of a window. */
  readonly #perWindow: number;
  #begun = false;

  private constructor(
    { source, shards }: OpenedSource,
    settings: PassSettings,
    order: EpochOrder,
    ordered: OrderedEpoch | undefined,
    { signal, views, hungry = () => true }: PassOptions,
  ) {
    const needs = memoryNeeds(source, shards, order, settings);
    const whole = memoryBudget(settings.memoryBytesMax, needs);
    const budget = ordered === undefined ? whole : orderedBudget(whole, needs);
    // A view holds the block that it is of: more than may be held under a limit, and not of memory that is taken back.
    this.#views = views && budget.bytesMax === undefined && !order.shuffles && ordered === undefined;
    const { skipDamaged } = settings;
    const reading = { budget, ledger: this.#ledger, skipDamaged, signal, lends: !this.#views };
    this.#reader =
      ordered === undefined
        ? new WindowReader(source, shards, order, reading)
        : new OrderedReader(source.schema, ordered, order, settings.world.rank, reading);
    this.#readAhead = new ReadAhead(readAheadBounds(settings, order.shuffles, budget));
    this.#perWindow = (order.shuffles ? needs.windowRows : budget.plainRows) / settings.batchSize;
    [this.#source, this.#settings, this.#order, this.#budget, this.#hungry] = [source, settings, order, budget, hungry];
  }

  /** @throws SpiralError `limit_exceeded` for a `memoryBytesMax` too small to give any batch. */
  static async open(
    opened: OpenedSource,
    settings: PassSettings,
    epoch: number,
    options: PassOptions,
  ): Promise<EpochPass> {
    const order = await epochOrder(opened, settings, epoch, options.signal);
    return new EpochPass(opened, settings, order, await orderedEpoch(opened, settings, epoch), options);
  }

  /** The batches from `start` on, to the end of `turn` or of the epoch. Those before, of another start, are at their end. */
  async from(start: PassStart, turn?: Turn): Promise<GroupSupply> {
    const [source, order, budget] = [this.#source, this.#order, this.#budget];
    const place = placed(start, source, order);
    // Behind the first part of a pass the next is read ahead, and need not come soon.
    this.#reader.begin(this.#begun || place.taken > 0 ? undefined : place.start);
    this.#begun = true;
    const stream = new BatchStream(this.#reader, source.schema, place, {
      end: turn?.end ?? order.rows,
      views: this.#views,
      budget,
      readAhead: this.#readAhead,
      hungry: this.#hungry,
    });
    const { batchSize } = this.#settings;
    let head = turn === undefined ? 0 : headRows(place, turn.base, batchSize);
    const supply = (skipped: number): GroupSupply => ({
      skipped,
      budget,
      ledger: this.#ledger,
      place: stream.place,
      nextHeld: (most) => stream.nextHeld(batchSize, most),
      nextGroup: (most) => {
        if (head === 0) return stream.nextGroup(batchSize, most);
        const size = head;
        head = 0;
        return stream.nextGroup(size, 1);
      },
      figures: () => ({
        threads: 0,
        heldBytes: this.#ledger.held,
        peakBytes: this.#ledger.peak,
        readAhead: this.#readAhead.figures(this.#perWindow),
      }),
    });
    if ('place' in start) return supply(0);
    // Under a filter only reading tells which rows count.
    return supply(source.filtered ? await stream.skip(start.skip) : Math.min(start.skip, order.rows));
  }
}

/** Rows at `place` that belong to a batch which began before it. */
function headRows(place: WindowPlace, base: number, batchSize: number): number {
  return (batchSize - ((place.start + place.taken - base) % batchSize)) % batchSize;
}

/** Where the stream begins: where nothing is shuffled no row before it is read. */
function placed(start: PassStart, source: OpenSource, order: EpochOrder): WindowPlace {
  const place = 'place' in start ? start.place : placeOf(order, source.filtered ? 0 : start.skip);
  if (order.shuffles || source.filtered) return place;
  return { start: place.start + place.taken, taken: 0 };
}

/** The window place behind the first `samples` samples, where no filter drops rows. */
export function placeOf(order: EpochOrder, samples: number): WindowPlace {
  if (samples >= order.rows) return { start: order.rows, taken: 0 };
  const { start } = order.windowAt(samples);
  return { start, taken: samples - start };
}

export function skippedTooFar(wanted: number, found: number): SpiralError {
  return new SpiralError(
    'invalid_size',
    `Expected \`skipSamples\`, or \`skipSteps\` under a filter, to stay within the ${found} rows of this rank's epoch, got ` +
      `${wanted} rows.`,
    { details: { name: 'skipSamples', max: found, found: wanted } },
  );
}

/** Epochs without a batch, one after the other, after which an infinite loader gives up. */
export const emptyEpochsMax = 16;

export function noBatches(rank: number, epochs: number): SpiralError {
  return new SpiralError(
    'no_rows',
    `Rank ${rank} had no batch in ${epochs} epochs, so an infinite loader would search for ever. Use fewer ranks, more ` +
      "shards, `uneven: 'split'`, another filter, or smaller batches with `dropLast`.",
    { details: { rank, epochs } },
  );
}

export function iterating(what: string): SpiralError {
  return new SpiralError(
    'already_iterating',
    `${what} was asked for while the loader is iterated. End the first iteration, or make a second loader.`,
  );
}
