import { SpiralError } from '../core/errors.js';
import { MemoryLedger } from '../core/memory-ledger.js';
import { type EpochOrder, plainWindowRows } from '../sharding/epoch-order.js';
import type { Shard } from '../sharding/shard.js';
import type { GroupSupply } from './batch-group.js';
import { BatchStream, type DrawnBatch, type WindowPlace } from './batch-stream.js';
import { epochOrder } from './elastic.js';
import { type MemoryBudget, memoryBudget } from './memory-budget.js';
import { memoryNeeds } from './memory-needs.js';
import type { PassSettings } from './options.js';
import { ReadAhead, readAheadBounds } from './read-ahead.js';
import type { OpenSource } from './source.js';
import type { BatchSupply } from './supply.js';
import { WindowReader } from './window-reader.js';

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

/**
 * The batches of one epoch from `start` on, made in this thread.
 *
 * @throws SpiralError `limit_exceeded` for a `memoryBytesMax` too small to give any batch.
 */
export async function openPass(
  source: OpenSource,
  shards: readonly Shard[],
  settings: PassSettings,
  { epoch, start }: { epoch: number; start: PassStart },
  { signal, views, hungry = () => true }: PassOptions,
): Promise<BatchSupply<DrawnBatch> & GroupSupply> {
  const order = await epochOrder({ source, shards }, settings, epoch, signal);
  const needs = memoryNeeds(source, shards, order, settings);
  const budget = memoryBudget(settings.memoryBytesMax, needs);
  const ledger = new MemoryLedger();
  // A view holds the block that it is of: more than may be held under a limit, and not of memory that is taken back.
  const cutsViews = views && budget.bytesMax === undefined && !order.shuffles;
  const { skipDamaged } = settings;
  const reader = new WindowReader(source, shards, order, { budget, ledger, skipDamaged, signal, lends: !cutsViews });
  const readAhead = new ReadAhead(readAheadBounds(settings, order.shuffles, budget));
  const place = placed(start, source, order, budget);
  const cut = { end: order.rows, views: cutsViews, budget, readAhead, hungry };
  const stream = new BatchStream(reader, source.schema, place, cut);
  const perWindow = (order.shuffles ? needs.windowRows : budget.plainRows) / settings.batchSize;
  const supply = (skipped: number): BatchSupply<DrawnBatch> & GroupSupply => ({
    skipped,
    budget,
    ledger,
    place: stream.place,
    depth: 0,
    next: () => stream.next(settings.batchSize),
    nextGroup: (most) => stream.nextGroup(settings.batchSize, most),
    figures: () => ({ heldBytes: ledger.held, peakBytes: ledger.peak, readAhead: readAhead.figures(perWindow) }),
  });
  if ('place' in start) return supply(0);
  // Under a filter only reading tells which rows count.
  return supply(source.filtered ? await stream.skip(start.skip) : Math.min(start.skip, order.rows));
}

/** Where the stream begins: within windows that are smaller than usual no row before it is read. */
function placed(start: PassStart, source: OpenSource, order: EpochOrder, budget: MemoryBudget): WindowPlace {
  const place = 'place' in start ? start.place : placeOf(order, source.filtered ? 0 : start.skip);
  if (order.shuffles || source.filtered || budget.plainRows === plainWindowRows) return place;
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
