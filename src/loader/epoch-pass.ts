import { deriveSeed } from '../core/random.js';
import type { Piece } from '../sharding/chunks.js';
import { EpochOrder, plainWindowRows } from '../sharding/epoch-order.js';
import type { Shard } from '../sharding/shard.js';
import { dealt } from '../sharding/world.js';
import { BatchStream, type WindowPlace } from './batch-stream.js';
import type { PassSettings } from './options.js';
import type { OpenSource } from './source.js';
import type { BatchSupply } from './supply.js';
import { WindowReader } from './window-reader.js';

/** The pieces that the rank of `settings` reads in `epoch`: whole shards, in the order in which they are dealt. */
export function rankPieces(shards: readonly Shard[], settings: PassSettings, epoch: number): Piece[] {
  const { world, shuffleShards, seed } = settings;
  const own = dealt(shards.length, world, shuffleShards ? deriveSeed('deal', seed, epoch) : undefined);
  return Array.from(own, (shard) => ({ shard, from: 0, rows: shards[shard]!.physicalRows }));
}

/** The order of the rank's rows in `epoch`. */
export function epochOrder(shards: readonly Shard[], settings: PassSettings, epoch: number): EpochOrder {
  return new EpochOrder(rankPieces(shards, settings, epoch), {
    seed: settings.seed,
    epoch,
    rank: settings.world.rank,
    worldSize: settings.world.worldSize,
    bufferRows: settings.shuffleBufferSize,
    lanes: settings.interleaveShards,
    chunkRows: settings.shuffleChunkRows,
  });
}

/** Where a pass begins: at a window that is known, or behind a number of samples. */
export type PassStart = { readonly place: WindowPlace } | { readonly skip: number };

/** The batches of one epoch from `start` on, made in this thread. */
export async function openPass(
  source: OpenSource,
  shards: readonly Shard[],
  settings: PassSettings,
  epoch: number,
  start: PassStart,
  signal: AbortSignal,
): Promise<BatchSupply> {
  const order = epochOrder(shards, settings, epoch);
  const place = 'place' in start ? start.place : placeOf(order, source.filtered ? 0 : start.skip);
  const reader = new WindowReader(source, shards, order, {
    bufferRows: settings.shuffleBufferSize,
    lanes: settings.interleaveShards,
    signal,
  });
  const ahead = order.shuffles
    ? 1
    : Math.max(1, Math.ceil((settings.batchReadahead * settings.batchSize) / plainWindowRows));
  const stream = new BatchStream(reader, source.schema, place, order.rows, ahead);
  const supply = (skipped: number): BatchSupply => ({
    skipped,
    place: stream.place,
    depth: 0,
    next: () => stream.next(settings.batchSize),
  });
  if ('place' in start) return supply(0);
  // Under a filter only reading tells which rows count.
  return supply(source.filtered ? await stream.skip(start.skip) : Math.min(start.skip, order.rows));
}

/** The window place behind the first `samples` samples, where no filter drops rows. */
export function placeOf(order: EpochOrder, samples: number): WindowPlace {
  if (samples >= order.rows) return { start: order.rows, taken: 0 };
  const { start } = order.windowAt(samples);
  return { start, taken: samples - start };
}
